"""Measuring cases in several processes. One that dies costs its case, not the run."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import connection, get_context
from pathlib import Path
from typing import Any

from MidlineShiftLogic.cli import exit_codes
from MidlineShiftLogic.cli.reporter import Reporter
from MidlineShiftLogic.cli.worklist import Case
from MidlineShiftLogic.measurement.results import Measurement

PATIENCE_SECONDS = 15
"""For a process that was told to end to clear away its unfinished folder."""


@dataclass
class _Worker:
    process: Any
    pipe: connection.Connection
    case: Case | None = None


def measure_in_processes(
    serve: Callable[[Any, Reporter], Callable[[Case], int]],
    settings: Any,
    cases: list[Case],
    workers: int,
    reporter: Reporter,
    of: int,
) -> Iterator[int]:
    """Exit codes of the cases, in the order they end.

    Args:
        serve: a module's function that makes, in the other process, what measures one case; told ``settings`` and the
            reporter to tell there. Both are pickled.
        workers: processes at most.
        reporter: told here of starts, results and errors; not of progress within cases.
        of: number of all cases.
    """
    context = get_context("spawn")  # torch's threads do not survive a fork
    threads = max(1, (os.cpu_count() or 1) // workers)
    waiting = list(reversed(cases))
    busy: list[_Worker] = []
    try:
        for _ in range(min(workers, len(cases))):
            busy.append(_start(context, serve, settings, threads))
            _give(busy[-1], waiting.pop(), reporter, of)
        while busy:
            ready = connection.wait([worker.pipe for worker in busy])
            for worker in [worker for worker in busy if worker.pipe in ready]:
                code = _hear(worker, reporter)
                if code is None:
                    continue
                yield code
                busy.remove(worker)
                if waiting:
                    alive = worker.process.is_alive() and worker.case is not None
                    worker = worker if alive else _start(context, serve, settings, threads)
                    busy.append(worker)
                    _give(worker, waiting.pop(), reporter, of)
                else:
                    _end([worker])
    finally:
        _end(busy)


def _start(context, serve, settings, threads: int) -> _Worker:
    here, there = context.Pipe()
    process = context.Process(target=_work, args=(there, serve, settings, threads), daemon=True)
    process.start()
    there.close()
    return _Worker(process, here)


def _give(worker: _Worker, case: Case, reporter: Reporter, of: int) -> None:
    worker.case = case
    reporter.start(case.name, case.number, of)
    with contextlib.suppress(OSError):  # it died at once: heard of when it is waited for
        worker.pipe.send(case)


def _hear(worker: _Worker, reporter: Reporter) -> int | None:
    """One message; the case's exit code once it is the last of its case."""
    try:
        kind, *content = worker.pipe.recv()
    except (EOFError, OSError):
        worker.process.join()
        reporter.error(
            worker.case.name,
            f"The process that measured it ended early ({_how(worker.process.exitcode)}); if memory ran out, use fewer "
            "--workers.",
            "process-died",
            exit_codes.OUR_FAULT,
        )
        worker.pipe.close()
        worker.case = None
        return exit_codes.OUR_FAULT
    if kind == "done":
        return content[0]
    getattr(reporter, kind)(*content)
    return None


def _how(code: int | None) -> str:
    if code is not None and code < 0:
        try:
            return signal.Signals(-code).name
        except ValueError:
            return f"signal {-code}"
    return f"exit status {code}"


def _end(workers: list[_Worker]) -> None:
    for worker in workers:
        with contextlib.suppress(OSError):
            worker.pipe.close()
        worker.process.terminate()
    for worker in workers:
        worker.process.join(PATIENCE_SECONDS)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()


class _PipeReporter:
    """Tells the process that started this one."""

    def __init__(self, pipe: connection.Connection):
        self._pipe = pipe

    def start(self, case: str, number: int, of: int) -> None: ...

    def progress(self, done: int, total: int, what: str) -> None: ...

    def result(self, measurement: Measurement, folder: Path) -> None:
        self._pipe.send(("result", measurement, folder))

    def error(self, case: str, sentence: str, code: str, exit_code: int) -> None:
        self._pipe.send(("error", case, sentence, code, exit_code))


def _work(pipe: connection.Connection, serve, settings, threads: int) -> None:
    """The other process: cases in, results out, until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the first process ends the others in order
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(exit_codes.TERMINATED))
    # The processes share the cores; a number that the user set is theirs. torch reads it when it is loaded.
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    try:
        with contextlib.redirect_stdout(sys.stderr):
            measure = serve(settings, _PipeReporter(pipe))
            while True:
                pipe.send(("done", measure(pipe.recv())))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass  # the first process is gone, or needs no more
