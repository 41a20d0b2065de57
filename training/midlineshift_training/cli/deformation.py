"""``midlineshift-train deformation``: train stage 2."""

from __future__ import annotations

from pathlib import Path

import click

from midlineshift_training.cli.run_options import run_options
from midlineshift_training.cli.training_options import (
    fold_option,
    is_annotated,
    scan_set_choices,
    scan_set_options,
    settings_of_run,
)
from midlineshift_training.trainers.settings.landmarks import LandmarkSettings
from midlineshift_training.trainers.settings.midline import DeformationSettings
from midlineshift_training.trainers.settings.presets import AUTHORS, AUTHORS_LANDMARKS, with_preset


@click.command()
@run_options
@click.option("--conditional", type=click.Path(path_type=Path), help="Run of the non-MLS denoiser.")
@click.option("--unconditional", type=click.Path(path_type=Path), help="Run of the denoiser of all cases.")
@click.option("--denoiser", help="Run, or model, of one class-conditional denoiser, in place of the two.")
@click.option("--no-noise-difference", is_flag=True, help="Train without the denoisers, for comparison.")
@fold_option
@scan_set_options
def deformation(
    data, out, config, assignments, init, validation_cases, seed, conditional, unconditional, denoiser,
    no_noise_difference,
    leave_out_fold, preset,
    max_steps, epochs, validation_data, spacing, **launch,
):  # fmt: skip
    """Train stage 2: the deformation network on the slice and the denoisers' noise difference.

    --data is a folder of phantoms, whose shift is known everywhere, or of unlabelled scans, or a set with sparse landmarks
    made by 'convert'; they may be mixed. Sets alone, and the .pkl of Gong et al.'s layout, train their network with their
    losses.
    """
    from midlineshift_training.trainers.class_conditional_denoiser import denoiser_use
    from midlineshift_training.trainers.processes import Launch, say
    from midlineshift_training.trainers.run_folder.finished_run import resumed_choices
    from midlineshift_training.trainers.start.landmarks import train_landmarks
    from midlineshift_training.trainers.start.midline import train_deformation
    from MidlineShiftLogic.errors import InputError

    launch = Launch(**launch)
    given = {"init": init, "conditional": conditional, "unconditional": unconditional}
    choices = {name: str(path) if path else None for name, path in given.items()}
    options = {"max_steps": max_steps, "seed": seed, "noise_difference": False if no_noise_difference else None}
    if is_annotated(data, mixed=True):
        if leave_out_fold is not None:
            raise InputError("--leave-out-fold is for sets mixed with phantoms; sets alone have their splits.", "usage")
        if denoiser:
            raise InputError("--denoiser is for phantoms, or sets mixed with phantoms.", "usage")
        choices |= {"preset": preset} | scan_set_choices(validation_data, spacing)
        defaults = with_preset(LandmarkSettings(), preset, AUTHORS_LANDMARKS)
        options |= {"epochs": epochs}
        settings = settings_of_run(defaults, choices, out, config, assignments, options, launch.resume)
        say(train_landmarks(settings, data, out, launch), err=False)
        return
    if preset == AUTHORS or epochs or validation_data or spacing:
        raise InputError(
            "--preset authors, --epochs, --validation-data and --spacing are for sets with landmarks; 'convert --phantoms' "
            "makes one of phantoms.",
            "usage",
        )
    choices |= {"leave_out_fold": leave_out_fold, "denoiser": denoiser}
    defaults = (
        DeformationSettings(**denoiser_use(denoiser).deformation_settings()) if denoiser else DeformationSettings()
    )
    settings = settings_of_run(defaults, choices, out, config, assignments, options, launch.resume)
    if launch.resume:
        resumed_choices(out, {"noise_difference": settings.noise_difference})
    say(train_deformation(settings, data, out, validation_cases, launch), err=False)
