"""One series in the listener's queue, and the states it goes through (``queue``)."""

from __future__ import annotations

import time
from dataclasses import dataclass

RECEIVING, WAITING, MEASURING, SENDING = "receiving", "waiting", "measuring", "sending"
SENT, REFUSED, FAILED = "sent", "refused", "failed"


@dataclass(frozen=True)
class Job:
    """One series.

    Attributes:
        id: what it is called in the log.
        series: Series Instance UID; never logged.
        in_transfer: an association that brought part of it has not ended in order.
        attempts: failures of the present step, the running one included.
        due: seconds since 1970 before which the next try must not be.
        reason: one sentence, for a refused or failed job.
        settled: how its last measured revision ended, ``sent`` or ``refused``; else empty.
        maker: which model and program measured it last.
    """

    id: int
    series: str
    state: str
    revision: int
    in_transfer: bool
    attempts: int
    due: float
    changed: float
    reason: str
    settled: str
    maker: str


def wall_clock() -> float:
    """Seconds since 1970: what outlives the process is told in these."""
    return time.time()
