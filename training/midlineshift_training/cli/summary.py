"""``midlineshift-train summary``: a run on one page."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path, exists=True, file_okay=False))
def summary(run: Path) -> None:
    """Summarise RUN on one page: summary.html, summary.md and curves.png in its folder. Runs that end write it themselves."""
    from midlineshift_training.trainers.run_folder.summary import write_summary

    click.echo(write_summary(run))
