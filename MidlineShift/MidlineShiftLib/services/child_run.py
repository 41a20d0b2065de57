"""One command on a scan in a child process: the scan goes out as a file, lines come back, a result is read."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.npz import write_npz

from .process import ProcessRunner, pythonExecutable
from .run_folder import RunFolder

SCAN = "scan.npz"
DETAIL_LINES = 200


@dataclass(frozen=True)
class Listener:
    """Who wants to know of a run; every call is on the main thread, and none comes after the run was cancelled.

    ``progress(done, total, what, secondsLeft)``: ``secondsLeft`` is None where it is not known yet.
    ``failed(sentence, details)``.
    """

    progress: Callable[[int, int, str, float | None], None]
    failed: Callable[[str, str], None]


@dataclass(frozen=True)
class Job:
    """What a run does with the scan.

    Attributes:
        arguments: of ``python -m MidlineShiftLogic COMMAND SCAN --out FOLDER``, the command first.
        read: gives the result from the case's folder; InputError or OSError if it cannot.
        finished: gets the result, unless the run was cancelled.
        prepare: writes more files into the run's folder and returns the arguments that name them.
    """

    arguments: list[str]
    read: Callable[[Path], Any]
    finished: Callable[[Any], None]
    prepare: Callable[[Path], list[str]] = lambda folder: []


class ChildRun:
    """Runs one command of ``python -m MidlineShiftLogic`` at a time.

    Args:
        runner: runs the child.
        listener: gets progress and failures.
        clock: seconds, for the time left.
    """

    def __init__(self, runner: ProcessRunner, listener: Listener, clock: Callable[[], float] = time.monotonic):
        self._runner = runner
        self._listener = listener
        self._clock = clock
        self._current = None  # the run whose lines count; those of any other are ignored

    def start(self, ct, job: Job) -> None:
        """Start a job on a scan (``HeadCT``); a run that goes on is cancelled.

        Raises:
            OSError: the scan cannot be written or the child not started.
        """
        self.cancel()
        runFolder = RunFolder()
        folder = runFolder.path
        self._current = current = _Current(runFolder, job, self._clock())
        try:
            write_npz(folder / SCAN, ct)
            self._runner.start(
                [*commandLine(job, folder), *job.prepare(folder)],
                lambda line: self._line(current, line),
                lambda code: self._ended(current, code),
                packageFolder(),
                startupEnvironment(),
            )
        except Exception:
            self._forget(current)
            raise

    def cancel(self) -> None:
        """End the child and forget it; what it still prints is ignored."""
        if self._current is not None:
            self._runner.stop()
            self._forget(self._current)

    def _forget(self, current) -> None:
        if self._current is current:
            self._current = None
        current.folder.remove()

    def _line(self, current, line: str) -> None:
        if current is not self._current:
            return
        message = parseLine(line)
        if message is None:
            current.log.append(line)
            del current.log[:-DETAIL_LINES]
        elif message["type"] == "progress":
            done, total, what = int(message["done"]), int(message["total"]), str(message["what"])
            self._listener.progress(done, total, what, current.secondsLeft(done, total, self._clock()))
        elif message["type"] == "error":
            current.error = str(message["message"])
        elif message["type"] == "result":
            current.refused = (message["refused"] or {}).get("message", "")
            current.result = Path(message["folder"])

    def _ended(self, current, code: int) -> None:
        if current is not self._current:
            return
        details = "\n".join([_("Exit code {code}").format(code=code), *current.log])
        try:
            outcome = None if current.result is None or current.refused else current.job.read(current.result)
        except (InputError, OSError) as error:
            current.error, outcome = str(error), None
        finally:
            self._forget(current)
        if outcome is not None:
            current.job.finished(outcome)
        elif current.refused:
            self._listener.failed(_("This scan must not be measured: {reason}").format(reason=current.refused), details)
        else:
            sentence = current.error or _lastSentence(current.log)
            sentence = sentence or _("The work stopped unexpectedly (exit code {code}).").format(code=code)
            self._listener.failed(sentence, details)


class _Current:
    """What one run has printed so far."""

    def __init__(self, folder: RunFolder, job: Job, started: float):
        self.folder, self.job = folder, job
        self.log: list[str] = []
        self.error = self.refused = ""
        self.result: Path | None = None
        self._began, self._first, self._last = started, 0, 0

    def secondsLeft(self, done: int, total: int, now: float) -> float | None:
        """From the pace since the stage began; stages count anew."""
        if done <= self._last:
            self._began, self._first = now, done
        self._last = done
        steps = done - self._first
        return (now - self._began) / steps * (total - done) if steps and now > self._began else None


def parseLine(line: str) -> dict | None:
    """Return the JSON object of a line of ``--json-lines``; None for anything else a library printed."""
    if not line.startswith("{"):
        return None
    try:
        message = json.loads(line)
    except ValueError:
        return None
    return (
        message
        if isinstance(message, dict) and message.get("type") in ("status", "progress", "result", "error")
        else None
    )


def _lastSentence(log: list[str]) -> str:
    """Return the command's own ``Error: ...`` line, which it prints where it cannot say JSON (a missing package)."""
    return next((line.removeprefix("Error: ") for line in reversed(log) if line.startswith("Error: ")), "")


def commandLine(job: Job, folder: Path) -> list[str]:
    """Return the child's command line; it runs in ``packageFolder()``."""
    command, *options = job.arguments
    start = [pythonExecutable(), "-m", "MidlineShiftLogic", command, str(folder / SCAN)]
    return [*start, "--out", str(folder / "results"), "--json-lines", *options]


def packageFolder() -> str:
    """Return the folder that holds ``MidlineShiftLogic``: ``python -m`` finds it from there, whatever the environment."""
    from MidlineShiftLogic import errors

    return str(Path(errors.__file__).resolve().parents[1])


def startupEnvironment() -> dict[str, str]:
    """Return the environment for a child: Slicer's own as it was started, UTF-8 so that lines are read as written.

    Waiting threads sleep instead of spinning, since Slicer itself is a busy neighbour; a user's own setting wins.
    """
    environment = {"OMP_WAIT_POLICY": "PASSIVE", **slicer.util.startupEnvironment()}
    return environment | {"PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}
