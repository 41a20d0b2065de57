"""A reader's decision on a measurement: who, when, accepted or not, and why not."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from MidlineShiftLogic.errors import InputError

if TYPE_CHECKING:
    from MidlineShiftLogic.measurement.results import Measurement

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
        """JSON form."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Review:
        """The review that ``to_dict`` was given; TypeError for unknown or missing keys, InputError as the class."""
        return cls(**data)


def accept(measurement: Measurement, reader: str, reason: str = "", now: datetime | None = None) -> Measurement:
    """The measurement signed off by ``reader``; whether it was edited is seen from its slices.

    Args:
        reason: a remark, may be empty.
        now: time of the decision with its zone; the present if None.

    Raises:
        InputError: no reader's name, or there is nothing to accept (refused).
    """
    if measurement.signed_shift_mm is None:
        raise InputError("This scan was not measured; there is no number to accept.", "review")
    return _reviewed(measurement, ACCEPTED_WITH_EDITS if measurement.edited else ACCEPTED, reader, reason, now)


def reject(measurement: Measurement, reader: str, reason: str, now: datetime | None = None) -> Measurement:
    """The measurement rejected by ``reader``; arguments as ``accept``. InputError without a name or a reason."""
    return _reviewed(measurement, REJECTED, reader, reason, now)


def _reviewed(measurement: Measurement, decision: str, reader: str, reason: str, now: datetime | None) -> Measurement:
    time = (now or datetime.now(timezone.utc)).isoformat(timespec="seconds")
    return replace(measurement, review=Review(decision, reader.strip(), time, reason.strip()))
