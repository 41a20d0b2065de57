"""Define a quality flag: the outcome of a check that a reader should know of."""

from __future__ import annotations

from dataclasses import asdict, dataclass

SEVERITIES = ("info", "warning", "fatal")

STORED_CODES = {"inconsistent-side": "both-sides", "field-and-map-disagree": "readings-differ"}
"""Name of a flag -> the code that files have for it, where the two differ: the first name stays in files (ADR 0045)."""


@dataclass(frozen=True)
class Quality:
    """A check's outcome.

    Attributes:
        code: stable lower-case identifier, for example ``"hu-air"``; documented in ``docs/reference/quality-codes.md``. A name of
            ``STORED_CODES`` is accepted for its code.
        severity: ``"info"``, ``"warning"`` (measured, but look) or ``"fatal"`` (not measured).
        message: one sentence for the reader.
    """

    code: str
    severity: str
    message: str

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise ValueError(f"severity must be one of {SEVERITIES}, not {self.severity!r}")
        object.__setattr__(self, "code", STORED_CODES.get(self.code, self.code))

    @property
    def name(self) -> str:
        """Name to show to a person: the code, or what it is called where files keep an earlier name."""
        return next((name for name, code in STORED_CODES.items() if code == self.code), self.code)

    def to_dict(self) -> dict[str, str]:
        """Return the JSON form."""
        return asdict(self)
