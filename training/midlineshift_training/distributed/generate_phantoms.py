"""Phantoms made by many processes or machines."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from midlineshift_training.datasets.phantoms import case
from midlineshift_training.datasets.show_progress import show_progress
from midlineshift_training.distributed.map_parallel import check_visible, map_parallel
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.unfinished import remove_if_left_empty


def generate_cases(
    folder: Path, cases: int, seed: int, workers: int, cluster: str | None = None, twins: bool = False
) -> list[Path]:
    """Write cases 0 .. cases - 1 of a seed into a folder; files that are there already are kept.

    Args:
        workers, cluster: see ``map_parallel``. twins: whether each case also gets its unshifted twin.
    """
    if cases < 1:
        raise InputError(f"--cases must be at least 1, not {cases}.", "bad_option")
    if workers < 1:
        raise InputError(f"--workers must be at least 1, not {workers}.", "bad_option")
    if seed < 0:
        raise InputError(f"--seed must not be negative, but is {seed}.", "bad_option")
    with remove_if_left_empty(folder):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / ".writable"
            probe.touch()
            probe.unlink()
        except OSError as problem:
            raise InputError(f"Cannot write phantoms into {folder}: {problem.strerror}.", "bad_output") from problem
        check_visible(cluster, [folder.resolve()])
        missing = [index for index in range(cases) if not case.path_of(folder, index).exists()]
        work = partial(case.write, folder.resolve(), seed, twin=twins)
        list(show_progress(map_parallel(work, missing, workers, cluster), len(missing), "phantoms"))
        case.clear_partial(folder)
    return [case.path_of(folder, index) for index in range(cases)]
