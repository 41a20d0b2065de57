"""A child process that is read line by line while Slicer stays usable."""

import contextlib
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

import qt

POLL_MS = 100


class ProcessRunner(Protocol):
    """Runs one process at a time. Callbacks come on the main thread, and none after ``stop``."""

    running: bool

    def start(
        self,
        arguments: Sequence[str],
        onLine: Callable[[str], None],
        onEnd: Callable[[int], None],
        folder: str,
        environment: dict[str, str] | None = None,
    ) -> None: ...

    def stop(self) -> None: ...


def pythonExecutable() -> str:
    """Slicer's Python, which starts without the application."""
    return shutil.which("PythonSlicer") or sys.executable


class ChildProcess:
    """A ``ProcessRunner`` on subprocess. A thread reads the pipe; a Qt timer hands the lines on in the main thread."""

    def __init__(self):
        self._process = None
        self._lines = queue.SimpleQueue()
        self._onLine = self._onEnd = None
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL_MS)
        self._timer.connect("timeout()", self._poll)

    @property
    def running(self) -> bool:
        return self._process is not None

    def start(self, arguments, onLine, onEnd, folder, environment=None):
        """Start ``arguments`` in ``folder``; OSError if it cannot be started, RuntimeError if one runs already."""
        if self.running:
            raise RuntimeError("a child process runs already")
        # A session (POSIX) or group (Windows) of its own, so that it ends together with what it started.
        options = {"start_new_session": True}
        if os.name == "nt":
            options = {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
        self._process = subprocess.Popen(
            list(arguments), cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace", **options,
        )  # fmt: skip
        self._onLine, self._onEnd, self._lines = onLine, onEnd, queue.SimpleQueue()
        threading.Thread(target=_read, args=(self._process, self._lines), daemon=True).start()
        self._timer.start()

    def stop(self):
        """End the process and its children now; nothing more is reported."""
        process, self._process = self._process, None
        self._timer.stop()
        if process is not None:
            killTree(process)

    def _poll(self):
        lines, process = self._lines, self._process
        while self._process is process and not lines.empty():
            line = lines.get()
            if line is None:
                self._timer.stop()
                self._process = None
                self._onEnd(process.wait())
            else:
                self._onLine(line)


def _read(process: subprocess.Popen, lines: queue.SimpleQueue) -> None:
    for line in process.stdout:
        lines.put(line.rstrip("\r\n"))
    process.wait()
    lines.put(None)


def killTree(process: subprocess.Popen) -> None:
    """End a process that ``ChildProcess`` started, with all its children: PythonSlicer is a launcher with one."""
    if os.name == "nt":
        subprocess.run(
            ["taskkill", "/T", "/F", "/PID", str(process.pid)],
            capture_output=True, creationflags=subprocess.CREATE_NO_WINDOW,
        )  # fmt: skip
    else:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
