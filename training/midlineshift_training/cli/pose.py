"""``midlineshift-train pose``: train the network that finds the midsagittal plane."""

from __future__ import annotations

import click

from midlineshift_training.cli.training_options import midline_options, settings_of_run
from midlineshift_training.trainers.settings.midline import POSE


@click.command()
@midline_options
@click.option("--max-steps", type=click.IntRange(min=1), help="Steps to train.")
def pose(data, out, config, init, validation_cases, max_steps, seed, resume, threads, **where):
    """Train the pose network: where the head's midsagittal plane is, in any pose."""
    from midlineshift_training.trainers.processes import say
    from midlineshift_training.trainers.start.midline import train_pose

    choices = {"init": str(init) if init else None}
    settings = settings_of_run(POSE, choices, out, config, {"max_steps": max_steps, "seed": seed}, resume)
    say(train_pose(settings, data, out, validation_cases, resume, threads, where), err=False)
