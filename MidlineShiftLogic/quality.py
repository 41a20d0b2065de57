"""Define a quality flag: the outcome of a check that a reader should know of."""

from __future__ import annotations

from dataclasses import asdict, dataclass

SEVERITIES = ("info", "warning", "fatal")


@dataclass(frozen=True)
class Quality:
    """A check's outcome.

    Attributes:
        code: stable lower-case identifier, e.g. ``"hu-air"``; documented in ``docs/reference/quality-codes.md``.
        severity: ``"info"``, ``"warning"`` (measured, but look) or ``"fatal"`` (not measured).
        message: one sentence for the reader.
    """

    code: str
    severity: str
    message: str

    def __post_init__(self):
        if self.severity not in SEVERITIES:
            raise ValueError(f"severity must be one of {SEVERITIES}, not {self.severity!r}")

    def to_dict(self) -> dict[str, str]:
        """Return the JSON form."""
        return asdict(self)
