"""``midlineshift-train pose``: train the network that finds the midsagittal plane."""

from __future__ import annotations

import click

from midlineshift_training.cli.run_options import run_options
from midlineshift_training.cli.training_options import fold_option, settings_of_run
from midlineshift_training.trainers.settings.midline import PoseSettings


@click.command()
@run_options
@click.option("--max-steps", type=click.IntRange(min=1), help="Steps to train.")
@fold_option
def pose(data, out, config, assignments, init, validation_cases, max_steps, seed, leave_out_fold, **launch):
    """Train the pose network: where the head's midsagittal plane is, in any pose."""
    from midlineshift_training.trainers.processes import Launch, say
    from midlineshift_training.trainers.start.midline import train_pose

    choices = {"init": str(init) if init else None, "leave_out_fold": leave_out_fold}
    options = {"max_steps": max_steps, "seed": seed}
    launch = Launch(**launch)
    settings = settings_of_run(PoseSettings(), choices, out, config, assignments, options, launch.resume)
    say(train_pose(settings, data, out, validation_cases, launch), err=False)
