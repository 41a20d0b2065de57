"""``midlineshift-train average``: one network whose weights are the mean of those of several runs."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option("--run", "runs", required=True, multiple=True, type=click.Path(path_type=Path), help="Run; two or more.")
@click.option(
    "--data", multiple=True, type=click.Path(path_type=Path), help="Phantoms or set.  [default: the last run's]"
)
@click.option(
    "--batches", default=60, show_default=True, type=click.IntRange(min=1), help="Training batches to look at."
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Of these batches.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Run folder for the mean; must not exist.")
def average(runs, data, batches, seed, out):
    """Average the weights of finished runs of one network that started from common weights.

    OUT is a run folder that 'export', 'calibrate' and 'card' take, and --init of another run. Of networks that normalise by
    batches (pose, deformation, refinement) the statistics are taken anew from training batches.
    """
    from midlineshift_training.trainers.average_runs import average_runs

    click.echo(average_runs(runs, data, batches, seed, out))
