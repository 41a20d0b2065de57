"""The listener's queue for the person who runs it: look, try again, forget."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.pacs.job import wall_clock
from MidlineShiftLogic.pacs.queue import Queue
from MidlineShiftLogic.pacs.spool import Spool


def lines(spool: Path, uids: bool = False) -> Iterator[str]:
    """One line a job, then how many there are."""
    with _opened(spool) as (folder, queue):
        jobs = queue.all()
        for job in jobs:
            changed = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(job.changed))
            count = folder.count_images(job.id)
            told = [f"job {job.id}", job.state, f"{count} images", changed, job.reason, job.series if uids else ""]
            yield "  ".join(part for part in told if part)
        yield f"{len(jobs)} jobs"


def retry(spool: Path, id: int) -> None:
    """Put a failed job back where it failed; a running listener takes it up.

    Raises:
        InputError: no such queue, or the job is not failed.
    """
    with _opened(spool) as (folder, queue):
        if not queue.retry(id, bool(folder.results(id)), wall_clock()):
            raise InputError(f"Job {id} is not a failed one; there is nothing to try again.", "queue")


def drop(spool: Path, id: int) -> None:
    """Forget a job and delete its images and results.

    Raises:
        InputError: no such queue or job, or a listener is running.
    """
    with _opened(spool) as (folder, queue):
        hold = folder.hold()
        try:
            if queue.job(id) is None:
                raise InputError(f"There is no job {id} in the queue.", "queue")
            queue.forget(id)
            folder.drop_images(id)
            folder.drop_results(id)
        finally:
            hold.close()


@contextmanager
def _opened(root: Path) -> Iterator[tuple[Spool, Queue]]:
    if not (root / "queue.sqlite").is_file():
        raise InputError(f"{root} is not a listener's spool; give the folder that was its --spool.", "queue")
    queue = Queue(root / "queue.sqlite")
    try:
        yield Spool(root), queue
    finally:
        queue.close()
