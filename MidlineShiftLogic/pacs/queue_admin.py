"""The listener's queue for the person who runs it: list jobs, retry one, or drop one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.pacs.job import wall_clock
from MidlineShiftLogic.pacs.queue import Queue
from MidlineShiftLogic.pacs.spool import Spool
from MidlineShiftLogic.text import clean_text, counted


def list_jobs(spool: Path, uids: bool = False) -> Iterator[str]:
    """Yield one line for each job, then the number of jobs."""
    with _open_queue(spool) as (folder, queue):
        jobs = queue.all()
        for job in jobs:
            changed = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(job.changed))
            count = folder.count_images(job.id)
            parts = [
                f"job {job.id}",
                job.state,
                counted(count, "image"),
                changed,
                job.reason,
                job.series if uids else "",
            ]
            yield "  ".join(clean_text(part) for part in parts if part)
        yield counted(len(jobs), "job")


def retry(spool: Path, id: int) -> None:
    """Put a failed job back into the state in which it failed; a running listener continues it.

    Raises:
        InputError: no such queue, or the job is not failed.
    """
    with _open_queue(spool) as (folder, queue):
        if not queue.retry(id, bool(folder.results(id)), wall_clock()):
            raise InputError(f"Job {id} is not a failed one; there is nothing to retry.", "queue")


def drop(spool: Path, id: int) -> None:
    """Forget a job and delete its images and results.

    Raises:
        InputError: no such queue or job, or a listener is running.
    """
    with _open_queue(spool) as (folder, queue):
        claim = folder.claim()
        try:
            if queue.job(id) is None:
                raise InputError(f"There is no job {id} in the queue.", "queue")
            queue.forget(id)
            folder.drop_images(id)
            folder.drop_results(id)
        finally:
            claim.close()


@contextmanager
def _open_queue(root: Path) -> Iterator[tuple[Spool, Queue]]:
    if not (root / "queue.sqlite").is_file():
        raise InputError(f"{root} is not the spool of a listener; give the folder of its --spool option.", "queue")
    queue = Queue(root / "queue.sqlite")
    try:
        yield Spool(root), queue
    finally:
        queue.close()
