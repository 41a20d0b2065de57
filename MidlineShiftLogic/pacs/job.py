"""One series in the listener's queue: its states, and the waits between repeated attempts."""

from __future__ import annotations

import time
from dataclasses import dataclass

RECEIVING, WAITING, MEASURING, SENDING = "receiving", "waiting", "measuring", "sending"
SENT, REFUSED, FAILED = "sent", "refused", "failed"


@dataclass(frozen=True)
class Job:
    """One series.

    Attributes:
        id: its number in the log.
        series: Series Instance UID; never logged.
        in_transfer: an association that sent part of it has not been released.
        attempts: failures of the present step, the running one included.
        due: seconds since 1970 before which the next try must not be.
        reason: one sentence, for a refused or failed job.
        settled: outcome of its last measured revision, ``sent`` or ``refused``; else empty.
        measured_with: version of the model and program that measured it last (column ``maker``).
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
    measured_with: str


def wall_clock() -> float:
    """Return seconds since 1970; times that are stored use this clock."""
    return time.time()


@dataclass(frozen=True)
class Backoff:
    """Doubling waits between attempts: ``first`` seconds, twice that, ..., at most ``longest``."""

    first: float = 5.0
    longest: float = 600.0

    def after(self, failures: int) -> float:
        """Return the seconds to wait after a number of failures in a row (1 or more)."""
        return min(self.longest, self.first * 2.0 ** min(max(failures, 1) - 1, 40))
