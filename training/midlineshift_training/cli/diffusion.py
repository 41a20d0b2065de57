"""``midlineshift-train diffusion``: train one of the two denoisers."""

from __future__ import annotations

import click

from midlineshift_training.cli.run_options import run_options
from midlineshift_training.cli.training_options import (
    is_annotated,
    scan_set_choices,
    scan_set_options,
    settings_of_run,
)
from midlineshift_training.trainers.settings.class_conditional import ClassConditionalSettings
from midlineshift_training.trainers.settings.diffusion import FROM_SCANS, DiffusionSettings
from midlineshift_training.trainers.settings.presets import AUTHORS_DIFFUSION, with_preset


@click.command()
@run_options
@click.option("--cohort", type=click.Choice(["non-mls", "all"]), help="Cases to learn from; needed to start a run.")
@click.option(
    "--class-conditional",
    is_flag=True,
    help="One denoiser for both cohorts, on phantoms made with --twins, mixed with sets.",
)
@scan_set_options
def diffusion(
    data, cohort, class_conditional, out, config, assignments, init, validation_cases, seed, preset, max_steps, epochs,
    validation_data, spacing,
    **launch,
):  # fmt: skip
    """Train stage 1: a denoiser of unshifted cases (non-mls, "conditional") or of all ("unconditional"), or of both.

    --data is a folder of phantoms, a set made by 'convert', or the .pkl of Gong et al.'s layout. The run folder gets
    best.safetensors (averaged weights), network.json, settings.yaml, provenance.json, last.ckpt, validation.csv, pictures,
    TensorBoard events and, at the end, summary.html. Research use only.
    """
    from midlineshift_training.trainers.processes import Launch, say
    from midlineshift_training.trainers.start.diffusion import train_diffusion

    if class_conditional:
        from midlineshift_training.trainers.start.class_conditional import train_class_conditional
        from MidlineShiftLogic.errors import InputError

        if cohort or preset or validation_data:
            raise InputError("--cohort, --preset and --validation-data do not go with --class-conditional.", "usage")
        choices = {"init": str(init) if init else None, "spacing": list(spacing) if spacing else None}
        options = {"max_steps": max_steps, "epochs": epochs, "seed": seed}
        launch = Launch(**launch)
        one = settings_of_run(ClassConditionalSettings(), choices, out, config, assignments, options, launch.resume)
        say(train_class_conditional(one, data, out, validation_cases, launch), err=False)
        return
    from_scans = is_annotated(data)
    ours = DiffusionSettings() | (FROM_SCANS if from_scans else {})
    defaults = with_preset(ours, preset, AUTHORS_DIFFUSION)
    choices = {"cohort": cohort, "init": str(init) if init else None, "preset": preset}
    choices |= scan_set_choices(validation_data, spacing)
    options = {"max_steps": max_steps, "epochs": epochs, "seed": seed}
    launch = Launch(**launch)
    settings = settings_of_run(defaults, choices, out, config, assignments, options, launch.resume)
    say(train_diffusion(settings, data, from_scans, out, validation_cases, launch), err=False)
