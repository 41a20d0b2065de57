"""Sign a measurement off, or reject it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.measurement.decision import ACCEPTED, ACCEPTED_WITH_EDITS, DECISIONS, REJECTED, Review
from MidlineShiftLogic.measurement.results import Measurement
from MidlineShiftLogic.text import clean_text

__all__ = ["ACCEPTED", "ACCEPTED_WITH_EDITS", "DECISIONS", "REJECTED", "Review", "accept", "reject"]


def accept(measurement: Measurement, reader: str, reason: str = "", now: datetime | None = None) -> Measurement:
    """Return the measurement as signed off by ``reader``; whether it was edited is seen from its slices.

    Args:
        measurement: with a number.
        reader: the reader's name.
        reason: a remark, may be empty.
        now: time of the decision with its zone; the present if None.

    Raises:
        InputError: no reader's name, or there is nothing to accept (refused).
    """
    if measurement.signed_shift_mm is None:
        raise InputError("This scan was not measured; there is no number to accept.", "review")
    return _reviewed(measurement, ACCEPTED_WITH_EDITS if measurement.edited else ACCEPTED, reader, reason, now)


def reject(measurement: Measurement, reader: str, reason: str, now: datetime | None = None) -> Measurement:
    """Return the measurement as rejected by ``reader``; arguments as ``accept``. InputError without a name or a reason."""
    return _reviewed(measurement, REJECTED, reader, reason, now)


def _reviewed(measurement: Measurement, decision: str, reader: str, reason: str, now: datetime | None) -> Measurement:
    time = (now or datetime.now(timezone.utc)).isoformat(timespec="seconds")
    return replace(measurement, review=Review(decision, clean_text(reader), time, clean_text(reason)))
