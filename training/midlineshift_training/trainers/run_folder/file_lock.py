"""One process at a time writes in a run folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from MidlineShiftLogic.errors import InputError

LOCK = ".lock"


@contextmanager
def lock_run(run: Path) -> Iterator[None]:
    """Hold the run folder; it is free again as soon as this process ends, however it ends.

    Raises:
        InputError: another process holds it (code ``run-busy``).
    """
    lock = FileLock(run / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise InputError(
            f"{run} is being trained by another process; wait for it, or choose another --out.", "run-busy"
        ) from None
    try:
        yield
    finally:
        lock.release()
