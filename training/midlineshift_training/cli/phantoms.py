"""``midlineshift-train phantoms``: generate head CT with exactly known midline shift."""

from __future__ import annotations

from pathlib import Path

import click

from midlineshift_training.cli.parallel_options import parallel_options
from MidlineShiftLogic.text import counted


@click.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the cases; made if missing.")
@click.option("--cases", type=int, required=True, help="How many cases.")
@click.option("--seed", type=int, default=0, show_default=True, help="Case i of a seed is always the same.")
@click.option("--twins", is_flag=True, help="With each head's unshifted twin, for a class-conditional denoiser.")
@parallel_options
def phantoms(out: Path, cases: int, seed: int, twins: bool, workers: int, cluster: str | None) -> None:
    """Generate head CT phantoms with exactly known midline shift. What is there already is kept."""
    from midlineshift_training.distributed.generate_phantoms import generate_cases

    paths = generate_cases(out, cases, seed, workers, cluster, twins)
    click.echo(f"{counted(len(paths), 'case')} in {out}")
