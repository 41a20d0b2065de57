"""When is a series finished? Who is sending what, and since when it has been quiet."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable


class Transfers:
    """The associations that are open now and the series they have brought images of.

    DICOM has no message "the series is complete". It is taken for finished when no association that brought part of it
    is open or has broken off, and no image of it has come for the quiet time (docs/adr/0027). After a restart the queue
    still knows which series were in transfer; what is here is forgotten.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._lock = threading.RLock()
        self._started = clock()
        self._last: dict[int, float] = {}
        self._count = 0
        self._open: dict[Hashable, dict[int, int]] = {}
        self._broken: dict[int, int] = {}

    def opened(self, association: Hashable) -> None:
        with self._lock:
            self._open.setdefault(association, {})

    def image(self, association: Hashable, job: int) -> None:
        """An image of the job has come."""
        with self._lock:
            self._count += 1
            self._open.setdefault(association, {})[job] = self._count
            self._last[job] = self._clock()

    def released(self, association: Hashable) -> set[int]:
        """The association has ended in order.

        Returns:
            The jobs whose transfer has ended by that: no other association brings them now, and if one broke off, this
            one has brought more since.
        """
        with self._lock:
            jobs = self._open.pop(association, {})
            ended = {job for job, count in jobs.items() if not self.is_open(job) and count > self._broken.get(job, 0)}
            for job in ended:
                self._broken.pop(job, None)
            return ended

    def broke_off(self, association: Hashable) -> set[int]:
        """The association is gone without an end in order. Returns the jobs it brought images of."""
        with self._lock:
            jobs = set(self._open.pop(association, {}))
            self._broken.update(dict.fromkeys(jobs, self._count))
            return jobs

    def associations(self) -> list[Hashable]:
        with self._lock:
            return list(self._open)

    def is_open(self, job: int) -> bool:
        """Whether an association that brought an image of it is still open."""
        with self._lock:
            return any(job in jobs for jobs in self._open.values())

    def quiet_for(self, job: int) -> float:
        """Seconds since its last image, or since the start."""
        with self._lock:
            return self._clock() - self._last.get(job, self._started)

    def forget(self, job: int) -> None:
        """The job has moved on."""
        with self._lock:
            self._last.pop(job, None)
            self._broken.pop(job, None)
