"""Decide when a series is finished: open associations, and the time since the last image."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pynetdicom.association import Association


class Transfers:
    """The open associations and the series of which they sent images.

    DICOM has no message "the series is complete". A series counts as finished when no association that sent part of it
    is open or was aborted, and no image of it arrived during the quiet time (docs/adr/0027). After a restart the queue
    still records which series were in transfer; the state of this class is lost.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._lock = threading.RLock()
        self._started = clock()
        self._last: dict[int, float] = {}
        self._count = 0
        self._open: dict[Association, dict[int, int]] = {}
        self._broken: dict[int, int] = {}

    def opened(self, association: Association) -> None:
        """Record a new association."""
        with self._lock:
            self._open.setdefault(association, {})

    def image(self, association: Association, job: int) -> None:
        """Record that an image of the job arrived."""
        with self._lock:
            self._count += 1
            self._open.setdefault(association, {})[job] = self._count
            self._last[job] = self._clock()

    def released(self, association: Association) -> set[int]:
        """Record that an association was released.

        Returns:
            The jobs whose transfer has ended: no other association sends them now, and if one was aborted, this one
            has sent more images since.
        """
        with self._lock:
            jobs = self._open.pop(association, {})
            ended = {job for job, count in jobs.items() if not self.is_open(job) and count > self._broken.get(job, 0)}
            for job in ended:
                self._broken.pop(job, None)
            return ended

    def aborted(self, association: Association) -> set[int]:
        """Record that an association was aborted or lost. Returns the jobs of which it sent images."""
        with self._lock:
            jobs = set(self._open.pop(association, {}))
            self._broken.update(dict.fromkeys(jobs, self._count))
            return jobs

    def associations(self) -> list[Association]:
        """Return the open associations."""
        with self._lock:
            return list(self._open)

    def is_open(self, job: int) -> bool:
        """Return whether an association that sent an image of the job is still open."""
        with self._lock:
            return any(job in jobs for jobs in self._open.values())

    def quiet_for(self, job: int) -> float:
        """Return the seconds since the job's last image, or since the start of the listener."""
        with self._lock:
            return self._clock() - self._last.get(job, self._started)

    def forget(self, job: int) -> None:
        """Drop the records of a job that is no longer being received."""
        with self._lock:
            self._last.pop(job, None)
            self._broken.pop(job, None)
