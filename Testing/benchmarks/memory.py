"""Peak memory of a running process, or of the largest of the processes it started."""

from __future__ import annotations

import os
import threading
from pathlib import Path

INTERVAL_S = 0.02


class PeakMemory:
    """Watches a process from a thread, as a context; ``mb`` is the peak so far, or None where the system does not tell.

    What ``wait4`` or ``getrusage`` say is of no use here: their maximum begins with the size of the process that started
    this one. Linux keeps each process's own peak, which never falls, so what is missed are the last milliseconds only.
    """

    def __init__(self, process: int):
        self.mb: float | None = None
        self._process = process
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(INTERVAL_S):
            for process in _family(self._process):
                peak = _peak_mb(process)
                if peak is not None:
                    self.mb = max(self.mb or 0.0, peak)


def _family(process: int) -> list[int]:
    """The process and everything it started."""
    found = [process]
    for tasks in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            children = tasks.read_text().split()
        except OSError:
            continue
        for child in children:
            found += _family(int(child))
    return found


def _peak_mb(process: int) -> float | None:
    try:
        # before exec a child still has its parent's memory, program and command line
        if os.readlink(f"/proc/{process}/exe") == os.readlink("/proc/self/exe") and _command(process) == _command():
            return None
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), None)


def _command(process: int | str = "self") -> bytes:
    return Path(f"/proc/{process}/cmdline").read_bytes()
