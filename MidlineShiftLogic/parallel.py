"""Map a function over many items in several processes; a process that dies costs at most its item.

Used by ``midlineshift measure --workers`` and, below Dask, by the training package.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import connection, get_context, parent_process
from typing import Any, TypeVar

from MidlineShiftLogic import exit_codes
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.threads import wait_passively

Item = TypeVar("Item")
Result = TypeVar("Result")

ATTEMPTS = 3
"""Processes that may die on one item before the item is held responsible, as in Dask."""

GRACE_SECONDS = 15
"""Time for a process that was asked to end to remove its unfinished folder."""


def map_parallel(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    workers: int = 1,
    *,
    ordered: bool = True,
    attempts: int = ATTEMPTS,
    on_start: Callable[[Item], object] | None = None,
    on_death: Callable[[Item, str], Result] | None = None,
) -> Iterator[Result]:
    """Yield ``work(item)`` for every item, computed in up to ``workers`` processes.

    Args:
        work: Function, or callable object, that other processes can import. It is pickled once for each process, so
            an object may keep a loaded model from item to item. It must tolerate a second try of an item.
        items: What ``work`` is called with; items and results must be picklable.
        workers: Number of processes; 1 works in this process.
        ordered: Yield in the order of ``items``; otherwise as the results come.
        attempts: Number of processes that may die on an item.
        on_start: Called in this process when an item is handed out for the first time.
        on_death: Called with an item on which ``attempts`` processes died and the way the last one ended
            (``"SIGKILL"``, ``"exit status 9"``); its value takes the place of the result. None raises InputError.

    Raises:
        InputError: An item's processes died and there is no ``on_death``. Errors of ``work`` come through.
    """
    if workers <= 1 or len(items) < 2:
        for item in items:
            if on_start is not None:
                on_start(item)
            yield work(item)
        return
    results = _run_in_processes(work, items, workers, attempts, on_start, on_death)
    try:
        yield from _sorted_results(results) if ordered else (result for _, result in results)
    finally:
        results.close()


def _sorted_results(results: Iterator[tuple[int, Result]]) -> Iterator[Result]:
    early: dict[int, Result] = {}
    position = 0
    for number, result in results:
        early[number] = result
        while position in early:
            yield early.pop(position)
            position += 1


@dataclass
class _Job:
    number: int
    item: Any
    deaths: int = 0


@dataclass
class _Worker:
    process: Any
    pipe: connection.Connection
    job: _Job


def _run_in_processes(
    work, items, workers: int, attempts: int, on_start, on_death
) -> Generator[tuple[int, Any], None, None]:
    """Yield (number of the item, result) in the order in which results come."""
    context = get_context("spawn")  # a process that has threads (torch's) must not be forked
    threads = max(1, (os.cpu_count() or 1) // workers)
    waiting = deque(_Job(number, item) for number, item in enumerate(items))
    busy: list[_Worker] = []

    def hand_out(worker: _Worker | None) -> None:
        job = waiting.popleft()
        if worker is None:
            worker = _start(context, work, threads, job)
        worker.job = job
        busy.append(worker)
        if on_start is not None and not job.deaths:
            on_start(job.item)
        with contextlib.suppress(OSError):  # it died at once: noticed when its pipe is waited for
            worker.pipe.send(job.item)

    try:
        for _ in range(min(workers, len(items))):
            hand_out(None)
        while busy:
            ready = connection.wait([worker.pipe for worker in busy])
            for worker in [worker for worker in busy if worker.pipe in ready]:
                job, alive = worker.job, True
                try:
                    kind, content = worker.pipe.recv()
                except (EOFError, OSError):
                    alive = False
                    worker.process.join()
                    worker.pipe.close()
                    job.deaths += 1
                    if job.deaths < attempts:
                        waiting.appendleft(job)
                    else:
                        yield job.number, replace_dead(job.item, _end_of(worker.process.exitcode), attempts, on_death)
                else:
                    if kind == "error":
                        error, text = content
                        raise error from _RemoteTraceback(text)
                    yield job.number, content
                busy.remove(worker)
                if waiting:
                    hand_out(worker if alive else None)
                elif alive:
                    _stop([worker])
    finally:
        _stop(busy)


def replace_dead(item: Any, how: str, attempts: int, on_death: Callable[[Any, str], Any] | None) -> Any:
    """Return what stands for an item on which ``attempts`` processes died; raise InputError without ``on_death``."""
    if on_death is not None:
        return on_death(item, how)
    raise InputError(
        f"Workers were killed {attempts} times at or near {item}; they may have too little memory: start fewer on a "
        "machine.",
        "killed-worker",
    )


def _start(context, work, threads: int, job: _Job) -> _Worker:
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, work, threads), daemon=True)
    process.start()
    there.close()
    return _Worker(process, here, job)


def _end_of(code: int | None) -> str:
    """Return how a process ended: the name of the signal that killed it, or its exit status."""
    if code is not None and code < 0:
        try:
            return signal.Signals(-code).name
        except ValueError:
            return f"signal {-code}"
    return f"exit status {code}"


def _stop(workers: list[_Worker]) -> None:
    for worker in workers:
        with contextlib.suppress(OSError):
            worker.pipe.close()
        worker.process.terminate()
    for worker in workers:
        worker.process.join(GRACE_SECONDS)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()


class _RemoteTraceback(Exception):
    """Show the traceback of the other process as the cause of an error that came from there."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


def _serve(pipe: connection.Connection, work, threads: int) -> None:
    """Run in the other process: receive items and send results until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the first process ends the others in order
    signal.signal(signal.SIGTERM, _terminate)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # The processes share the cores; a number that the user set is kept. torch reads it when it is loaded.
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    wait_passively()
    try:
        with contextlib.redirect_stdout(sys.stderr):
            while True:
                item = pipe.recv()
                try:
                    message = pickle.dumps(("result", work(item)))
                except Exception as error:
                    message = pickle.dumps(("error", (_portable(error), traceback.format_exc())))
                pipe.send_bytes(message)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass  # the first process is gone, or needs no more
    # Nothing unfinished is left, so that exit hooks of libraries may be cut short, without a traceback of theirs.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _end_with_parent() -> None:
    """End this process in order once the first one is gone; killed outright, that one cannot end the others itself."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _terminate(_signal: int, _frame) -> None:
    """End the process like an exit; the clean-up that follows is not to be interrupted by a second signal."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(exit_codes.TERMINATED)


def _portable(error: Exception) -> Exception:
    """Return ``error``, or a plain error with its text where it cannot be pickled."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
