"""The command as a user runs it: whole processes, from the start of Python to the files written."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from memory import PeakMemory


@dataclass(frozen=True)
class Run:
    """Wall seconds, processor seconds (of the process and its workers), and peak memory in MB of the largest process (None
    where the system does not tell it)."""

    wall_s: float
    cpu_s: float
    peak_mb: float | None


def measure(inputs: Sequence[Path], folder: Path, *options: str, environment: Mapping[str, str] | None = None) -> Run:
    """Run ``midlineshift measure`` once, its results into a fresh folder below ``folder`` that is removed again.

    Args:
        inputs: scans. folder: where the results go for the moment. options: further ones of the command.
        environment: variables set beside those of this process.

    Raises:
        RuntimeError: not every case was measured; holds what the command said.
    """
    with tempfile.TemporaryDirectory(dir=folder) as place:
        out, log = Path(place) / "results", Path(place) / "log.txt"
        command = [sys.executable, "-m", "MidlineShiftLogic", "measure", *map(str, inputs), "--out", str(out), *options]
        with log.open("wb") as stream:
            started = time.perf_counter()
            variables = {**os.environ, **(environment or {})}
            process = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, env=variables)
            with PeakMemory(process.pid) as peak:
                _, status, usage = os.wait4(process.pid, 0)
            wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(log.read_text(encoding="utf-8", errors="replace")[-2000:])
    return Run(wall, usage.ru_utime + usage.ru_stime, peak.mb)


def in_turn(what: dict[str, Callable[[], Run]], repeats: int) -> dict[str, list[Run]]:
    """Each of the runs ``repeats`` times, taking turns, so that a busy spell of the machine meets them all."""
    runs: dict[str, list[Run]] = {name: [] for name in what}
    for number in range(repeats):
        names = list(what)
        for name in names if number % 2 == 0 else reversed(names):
            runs[name].append(what[name]())
    return runs


def medians(runs: list[Run]) -> dict[str, float]:
    """JSON-ready medians."""
    names = ("wall_s", "cpu_s", "peak_mb")
    values = {key: [value for run in runs if (value := getattr(run, key)) is not None] for key in names}
    return {key: round(median(found), 3) if found else None for key, found in values.items()}
