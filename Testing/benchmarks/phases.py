"""Where the time of one ``midlineshift measure`` goes: processor seconds by phase, as JSON.

``python Testing/benchmarks/phases.py SCAN [--repeats N]``. Each repetition is a process of its own with one thread, so
that processor time is what a quiet machine would take and other programs disturb little. A phase does not hold the
phases inside it. With ``PYTHONPATH`` set to another checkout it tells of that one.
"""

from __future__ import annotations

import builtins
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from importlib import _bootstrap
from statistics import median

PHASES = (
    ("reading", "MidlineShiftLogic.headct.load", "read"),
    ("checks", "MidlineShiftLogic.headct.checks", "check"),
    ("model load", "MidlineShiftLogic.models.folder", "load_model"),
    ("model load", "MidlineShiftLogic.models.folder", "Model.network"),
    ("pose", "MidlineShiftLogic.inference.pose", "estimate_pose"),
    ("cutting the frame", "MidlineShiftLogic.geometry.frame", "align"),
    ("networks", "MidlineShiftLogic.networks.midline_unet", "MidlineUNet.forward"),
    ("read-out and flags", "MidlineShiftLogic.inference.pipeline", "measure_ct"),
    ("drawing", "MidlineShiftLogic.reporting.figures.overlay", "write_overlay"),
    ("drawing", "MidlineShiftLogic.reporting.figures.sheet", "write_sheet"),
    ("writing", "MidlineShiftLogic.reporting.write_case", "write_case"),
)


class Stopwatch:
    """Processor seconds by phase, the inner ones taken off the outer ones."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._open: list[tuple[str, float]] = []

    @contextlib.contextmanager
    def phase(self, name: str):
        """What happens inside counts as ``name``."""
        self._switch()
        self._open.append((name, time.process_time()))
        try:
            yield
        finally:
            self._switch()
            self._open.pop()
            if self._open:
                self._open[-1] = (self._open[-1][0], time.process_time())

    def _switch(self) -> None:
        if self._open:
            name, since = self._open[-1]
            now = time.process_time()
            self.seconds[name] += now - since
            self._open[-1] = (name, now)


class ImportClock:
    """Counts every import from its first module on as the phase ``imports``."""

    def __init__(self, watch: Stopwatch):
        self._watch, self._builtin, self._depth = watch, builtins.__import__, 0
        builtins.__import__ = self._imported

    def _imported(self, name, *arguments, **keywords):
        if self._depth or name in sys.modules:
            return self._builtin(name, *arguments, **keywords)
        self._depth += 1
        try:
            with self._watch.phase("imports"):
                return self._builtin(name, *arguments, **keywords)
        finally:
            self._depth -= 1


def once(scan: str, out: str) -> dict[str, float]:
    """Measure in this process, which must be a fresh one."""
    watch = Stopwatch()
    started = time.process_time()
    ImportClock(watch)
    wrapped: dict[str, list] = defaultdict(list)
    for phase, module, name in PHASES:
        wrapped[module].append((phase, name))
    original = _bootstrap._load_unlocked  # so that a phase is wrapped before anybody imports it by name

    def load(spec):
        module = original(spec)
        for phase, name in wrapped.pop(spec.name, ()):
            _wrap(module, phase, name, watch)
        return module

    _bootstrap._load_unlocked = load
    from MidlineShiftLogic.cli.main import cli

    with watch.phase("rest"), contextlib.redirect_stdout(sys.stderr):
        cli.main(["measure", scan, "--out", out], standalone_mode=False)
    seconds = dict(watch.seconds)
    seconds["rest"] = seconds.get("rest", 0.0) + started
    return seconds


def _wrap(module, phase: str, name: str, watch: Stopwatch) -> None:
    *owner, name = name.split(".")
    holder = getattr(module, owner[0]) if owner else module
    function = getattr(holder, name)

    def timed(*arguments, **keywords):
        with watch.phase(phase):
            return function(*arguments, **keywords)

    setattr(holder, name, timed)


def main() -> None:
    scan, repeats = sys.argv[1], int(sys.argv[3]) if "--repeats" in sys.argv else 5
    if "--once" in sys.argv:
        with tempfile.TemporaryDirectory() as out:
            print(json.dumps(once(scan, out)))
        return
    runs = []
    for _ in range(repeats):
        done = subprocess.run(
            [sys.executable, __file__, scan, "--once"],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
        runs.append(json.loads(done.stdout.splitlines()[-1]))
    names = dict.fromkeys(name for run in runs for name in run)
    table = {name: round(median(run.get(name, 0.0) for run in runs), 3) for name in names}
    table["all"] = round(median(sum(run.values()) for run in runs), 3)
    print(json.dumps(table, indent=2))


if __name__ == "__main__":
    main()
