"""Which groups a case belongs to: what lesion, how large a shift, how old, operated or not, seen in training or not."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np

from MidlineShiftLogic.errors import InputError

SIZES_MM = (0.0, 1.0, 3.0, 5.0, 10.0, np.inf)
SEEN, NEVER_SEEN = "seen unlabelled in training", "never seen in training"


def size_group(truth_mm: float) -> str:
    """Return the name of the range that the shift's size falls into; a range holds its lower end."""
    size = abs(truth_mm)
    for low, high in pairwise(SIZES_MM):
        if low <= size < high:
            return f"{low:g} mm and more" if np.isinf(high) else f"{low:g}-{high:g} mm"
    raise ValueError(f"a shift of {truth_mm} mm has no size")


def size_groups() -> list[str]:
    """Return all size ranges, smallest first."""
    return [size_group(low) for low in SIZES_MM[:-1]]


def phantom_groups(entries: dict) -> dict[str, tuple[str, ...]]:
    """Return the names of a phantom's groups by kind, from its ``meta``; a head with several lesions is in a group for each.

    Args:
        entries: of a phantom file; older files without ``meta`` are in no group.
    """
    if "meta" not in entries:
        return {}
    meta = json.loads(str(entries["meta"]))
    return {
        "lesion": tuple(dict.fromkeys(meta.get("kinds", ()))) or ("no lesion",),
        "age": (meta.get("age", "unknown"),),
        "surgery": (meta.get("surgery") or "no surgery",),
    }


def seen_groups(case: str, seen: set[str] | None) -> dict[str, tuple[str, ...]]:
    """Return whether training saw a real scan (without any annotation); no group if nothing is known of it."""
    if seen is None:
        return {}
    return {"training": (SEEN if case in seen else NEVER_SEEN,)}


def load_seen(path: Path) -> set[str]:
    """Return names of the scans that training saw, one a line; empty lines and what follows ``#`` do not count.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The list of seen scans {path} cannot be read ({error}).", "seen") from None
    return {name for line in lines if (name := line.partition("#")[0].strip())}
