"""``midlineshift-train refinement``: train the network that looks again along the midline."""

from __future__ import annotations

import click

from midlineshift_training.cli.run_options import run_options
from midlineshift_training.cli.training_options import fold_option, settings_of_run
from midlineshift_training.trainers.settings.midline import RefinementSettings


@click.command()
@run_options
@click.option("--max-steps", type=click.IntRange(min=1), help="Steps to train.")
@fold_option
def refinement(data, out, config, assignments, init, validation_cases, max_steps, seed, leave_out_fold, **launch):
    """Train the refinement network: where the midline is, seen again close up along a first midline.

    --data is a folder of phantoms, whose shift is known everywhere, or of unlabelled scans, or a set with sparse landmarks
    made by 'convert'; they may be mixed. The first midlines are the true ones with drawn errors, so that no other network
    is needed. 'export --refinement' adds the network to a model.
    """
    from midlineshift_training.trainers.processes import Launch, say
    from midlineshift_training.trainers.start.midline import train_refinement

    choices = {"init": str(init) if init else None, "leave_out_fold": leave_out_fold}
    options = {"max_steps": max_steps, "seed": seed}
    launch = Launch(**launch)
    settings = settings_of_run(RefinementSettings(), choices, out, config, assignments, options, launch.resume)
    say(train_refinement(settings, data, out, validation_cases, launch), err=False)
