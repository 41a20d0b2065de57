"""A reader's decision on a measurement: who, when, accepted or not, and why not."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from MidlineShiftLogic.errors import InputError

ACCEPTED = "accepted"
ACCEPTED_WITH_EDITS = "accepted with edits"
REJECTED = "rejected"
DECISIONS = (ACCEPTED, ACCEPTED_WITH_EDITS, REJECTED)


@dataclass(frozen=True)
class Review:
    """One decision.

    Attributes:
        decision: one of ``DECISIONS``.
        reader: the reader's name as typed.
        time: ISO 8601 with its offset from UTC, to the second.
        reason: why it was rejected, or a remark; may be empty where it was accepted.

    Raises:
        InputError: unknown decision, no reader, a time without its zone, or a rejection without a reason.
    """

    decision: str
    reader: str
    time: str
    reason: str = ""

    def __post_init__(self):
        if self.decision not in DECISIONS:
            raise InputError(f"A review is one of {', '.join(DECISIONS)}, not {self.decision!r}.", "review")
        if not self.reader.strip():
            raise InputError("A review needs the reader's name.", "review")
        if self.decision == REJECTED and not self.reason.strip():
            raise InputError("Say why the measurement is rejected.", "review")
        try:
            zoned = datetime.fromisoformat(self.time).tzinfo is not None
        except ValueError:
            zoned = False
        if not zoned:
            raise InputError(f"The time of a review must be ISO 8601 with its zone, not {self.time!r}.", "review")

    def to_dict(self) -> dict[str, str]:
        """Return the JSON form."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Review:
        """Build a review from its JSON form; TypeError for unknown or missing keys, InputError as the class."""
        return cls(**data)
