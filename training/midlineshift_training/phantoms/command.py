"""``midlineshift-train phantoms``: generate head CT with exactly known midline shift."""

from __future__ import annotations

import multiprocessing
from functools import partial
from pathlib import Path

import click
from tqdm import tqdm

from midlineshift_training.phantoms import case
from MidlineShiftLogic.errors import InputError


def _start_worker() -> None:
    """One thread a worker: the workers are the parallelism."""
    import torch

    torch.set_num_threads(1)


def _write(folder: Path, seed: int, index: int) -> Path:
    return case.write(folder, seed, index)


def generate_cases(folder: Path, cases: int, seed: int, workers: int) -> list[Path]:
    """Write cases 0 .. cases - 1 of a seed into a folder; files that are there already are kept."""
    if cases < 1:
        raise InputError(f"--cases must be at least 1, not {cases}.", "bad_option")
    if workers < 1:
        raise InputError(f"--workers must be at least 1, not {workers}.", "bad_option")
    if seed < 0:
        raise InputError(f"--seed must not be negative, but is {seed}.", "bad_option")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as problem:
        raise InputError(f"Cannot write phantoms into {folder}: {problem.strerror}.", "bad_output") from problem
    missing = [index for index in range(cases) if not case.path_of(folder, index).exists()]
    work = partial(_write, folder, seed)
    if workers == 1 or len(missing) < 2:
        _start_worker()
        list(tqdm(map(work, missing), total=len(missing), desc="phantoms", unit="case"))
    else:
        with multiprocessing.get_context("spawn").Pool(workers, initializer=_start_worker) as pool:
            list(tqdm(pool.imap_unordered(work, missing), total=len(missing), desc="phantoms", unit="case"))
    return [case.path_of(folder, index) for index in range(cases)]


@click.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the cases; made if missing.")
@click.option("--cases", type=int, required=True, help="How many cases.")
@click.option("--seed", type=int, default=0, show_default=True, help="Case i of a seed is always the same.")
@click.option("--workers", type=int, default=1, show_default=True, help="Processes.")
def phantoms(out: Path, cases: int, seed: int, workers: int) -> None:
    """Generate head CT phantoms with exactly known midline shift."""
    paths = generate_cases(out, cases, seed, workers)
    click.echo(f"{len(paths)} cases in {out}")
