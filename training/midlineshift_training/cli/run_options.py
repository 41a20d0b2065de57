"""Command-line options that all stages share: where a run goes on, how long, and by how many processes."""

from __future__ import annotations

import click


def run_options(function):
    """Add the options; all but ``resume`` and ``threads`` are arguments of ``engine.train``."""
    options = [
        click.option("--resume", is_flag=True, help="Go on from the run folder's last checkpoint."),
        click.option("--threads", type=click.IntRange(min=1), help="CPU threads of each process."),
        click.option(
            "--time-limit",
            type=click.FloatRange(min=0),
            help="Minutes after which the next check is the last; --resume goes on.",
        ),
        click.option(
            "--accelerator", type=click.Choice(["auto", "cpu", "gpu"]), default="auto", show_default=True,
            help="Where to train.",
        ),
        click.option(
            "--devices",
            type=click.IntRange(min=1),
            help="Processes (GPUs) on this machine; leave it out under torchrun and SLURM, which start them.",
        ),
    ]  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function
