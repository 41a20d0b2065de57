"""A case beside other programs: what it costs, with threads that sleep while they wait (our default) and that spin."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from processes import in_turn, measure, medians

BUSY = "while True: pass"
WAITING = {"sleeping": "PASSIVE", "spinning": "ACTIVE"}


@contextlib.contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """Keep ``count`` processes computing."""
    started = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(count)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def beside_busy(scan: Path, folder: Path, counts: tuple[int, ...], repeats: int) -> list[dict]:
    """Measure whole processes beside other ones, with both ways of waiting in turn.

    Args:
        scan: what is measured. folder: for results. counts: numbers of busy processes. repeats: of each.

    Returns:
        Rows with ``busy``, ``waiting`` (``WAITING``) and medians.
    """
    rows = []
    for count in counts:
        with busy_processes(count):
            runs = in_turn(
                {
                    name: lambda policy=policy: measure([scan], folder, environment={"OMP_WAIT_POLICY": policy})
                    for name, policy in WAITING.items()
                },
                repeats,
            )
        rows += [{"busy": count, "waiting": name, **medians(each)} for name, each in runs.items()]
    return rows
