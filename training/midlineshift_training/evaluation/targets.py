"""Targets that a model is to reach, given as a YAML file, and whether it reaches them.

The file is a list; each entry says what is wanted of one number of ``evaluation.json``:

    - set: phantoms                      # what the number is measured on, for the table
      what: MAE, mm                      # the number in words, with its unit
      number: sets/phantoms/mae/value    # where it is in evaluation.json
      high: 0.4                          # at most; `low` is the least; one of them, or both

Of a share ({"count": .., "of": ..}), ``missed`` is what its count lacks of all. Keys are separated by ``/``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from MidlineShiftLogic.errors import InputError

ENTRIES: dict[str, Any] = {"set": str, "what": str, "number": str, "low": (int, float), "high": (int, float)}


@dataclass(frozen=True)
class Target:
    """What is wanted of one number.

    Attributes:
        set: what it is measured on. what: in words, with its unit. number: keys in ``evaluation.json``, with ``/`` between.
        low, high: range it has to be in; None: no limit there.
    """

    set: str
    what: str
    number: str
    low: float | None = None
    high: float | None = None

    @property
    def wanted(self) -> str:
        """Return the range in words."""
        if self.low is None:
            return f"{self.high:g}" if self.high == 0 else f"at most {self.high:g}"
        if self.high is None:
            return f"at least {self.low:g}"
        return f"{self.low:g} to {self.high:g}"

    def find(self, evaluation: Mapping[str, Any]) -> float | None:
        """Return the number, or None where it was not measured."""
        value: Any = evaluation
        for key in self.number.split("/"):
            if not isinstance(value, Mapping):
                return None
            if key == "missed" and "missed" not in value:
                value = value["of"] - value["count"] if {"of", "count"} <= set(value) else None
            else:
                value = value.get(key)
        return value if isinstance(value, int | float) else None


def load_targets(path: Path) -> list[Target]:
    """Read a list of targets.

    Raises:
        InputError: the file cannot be read, or an entry of it is no target; says which.
    """
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"The targets {path} cannot be read ({error}).", "targets") from None
    if not isinstance(content, list):
        raise InputError(f"{path} is not a list of targets.", "targets")
    return [_target(path, number, entry) for number, entry in enumerate(content, 1)]


def _target(path: Path, number: int, entry: Any) -> Target:
    bad = f"Target {number} of {path} needs set, what, number, and low, high or both"
    if not isinstance(entry, dict) or not {"set", "what", "number"} <= set(entry) or not {"low", "high"} & set(entry):
        raise InputError(f"{bad}.", "targets")
    for key, value in entry.items():
        if key not in ENTRIES or not isinstance(value, ENTRIES[key]) or isinstance(value, bool):
            raise InputError(f"{bad}; {key}: {value!r} is none of these.", "targets")
    return Target(**entry)


def judge(evaluation: Mapping[str, Any], targets: Sequence[Target]) -> list[dict]:
    """Return ``set``, ``what``, ``wanted``, ``measured`` and ``met`` of every target; the last two None if not measured."""
    rows = []
    for target in targets:
        value = target.find(evaluation)
        met = None
        if value is not None:
            met = (target.low is None or value >= target.low) and (target.high is None or value <= target.high)
        rows.append({"set": target.set, "what": target.what, "wanted": target.wanted, "measured": value, "met": met})
    return rows
