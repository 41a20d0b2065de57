"""Order a measurement among the earlier ones of the same patient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.measurement.results import Measurement
from MidlineShiftLogic.reporting.formatting import parse_time


@dataclass(frozen=True)
class Visit:
    """Hold one scan of a timeline.

    Attributes:
        measurement: what was measured on it.
        moment: when the scan was taken; None if unknown.
        current: whether it is the report's own.
    """

    measurement: Measurement
    moment: datetime | None
    current: bool = False


def sort_visits(measurement: Measurement, priors: Sequence[Measurement]) -> list[Visit]:
    """Return the scans in order of time where every one is dated, otherwise as given with the report's own last.

    Raises:
        InputError: one of ``priors`` is of the same scan as the report.
    """
    digest = measurement.input.get("sha256")
    for prior in priors:
        if digest and prior.input.get("sha256") == digest:
            raise InputError(
                f"The earlier measurement {prior.case_id!r} is of the same scan as this report; leave it out.", "prior"
            )
    visits = [Visit(one, parse_time(one.input.get("acquired"))) for one in priors]
    visits.append(Visit(measurement, parse_time(measurement.input.get("acquired")), current=True))
    times = moments(visits)
    if times is None:
        return visits
    return [visits[i] for i in sorted(range(len(visits)), key=times.__getitem__)]


def moments(visits: Sequence[Visit]) -> list[datetime] | None:
    """Return the time of every scan; None if one is not known."""
    known = [visit.moment for visit in visits if visit.moment is not None]
    return known if len(known) == len(visits) else None
