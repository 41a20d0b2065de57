"""When is a series finished? Who is sending what, and since when it has been quiet."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable


class Transfers:
    """The associations that are open now and the series they have brought images of.

    DICOM has no message "the series is complete". It is taken for finished when no association that brought part of it
    is open or has broken off, and no image of it has come for the quiet time (docs/adr/0027). Of a restart, only the
    second is remembered here; the first is in the queue.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._lock = threading.RLock()
        self._started = clock()
        self._last: dict[int, float] = {}
        self._open: dict[Hashable, set[int]] = {}

    def opened(self, association: Hashable) -> None:
        with self._lock:
            self._open.setdefault(association, set())

    def image(self, association: Hashable, job: int) -> None:
        """An image of the job has come."""
        with self._lock:
            self._open.setdefault(association, set()).add(job)
            self._last[job] = self._clock()

    def closed(self, association: Hashable) -> set[int]:
        """The association has ended: the jobs it brought images of that no other open association brings."""
        with self._lock:
            jobs = self._open.pop(association, set())
            return jobs - set().union(*self._open.values())

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
        with self._lock:
            self._last.pop(job, None)
