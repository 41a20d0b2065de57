"""``midlineshift-train phantoms``: generate head CT with exactly known midline shift."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click
from tqdm import tqdm

from midlineshift_training.cli.cluster_options import spread_options
from midlineshift_training.datasets.phantoms import case
from midlineshift_training.distributed.map_parallel import check_seen, spread
from MidlineShiftLogic.errors import InputError


def generate_cases(folder: Path, cases: int, seed: int, workers: int, cluster: str | None = None) -> list[Path]:
    """Write cases 0 .. cases - 1 of a seed into a folder; files that are there already are kept.

    Args:
        workers, cluster: see ``cluster.spread``.
    """
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
    check_seen(cluster, [folder.resolve()])
    missing = [index for index in range(cases) if not case.path_of(folder, index).exists()]
    work = partial(case.write, folder.resolve(), seed)
    list(tqdm(spread(work, missing, workers, cluster), total=len(missing), desc="phantoms", unit="case"))
    case.clear_partial(folder)
    return [case.path_of(folder, index) for index in range(cases)]


@click.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the cases; made if missing.")
@click.option("--cases", type=int, required=True, help="How many cases.")
@click.option("--seed", type=int, default=0, show_default=True, help="Case i of a seed is always the same.")
@spread_options
def phantoms(out: Path, cases: int, seed: int, workers: int, cluster: str | None) -> None:
    """Generate head CT phantoms with exactly known midline shift. What is there already is kept."""
    paths = generate_cases(out, cases, seed, workers, cluster)
    click.echo(f"{len(paths)} cases in {out}")
