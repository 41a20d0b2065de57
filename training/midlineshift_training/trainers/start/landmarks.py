"""Runs of stage 2 on scans with sparse landmarks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from midlineshift_training.trainers.initial_weights import load_what_fits
from midlineshift_training.trainers.landmark_trainer import LandmarkTrainer
from midlineshift_training.trainers.processes import Launch, say
from midlineshift_training.trainers.settings.landmarks import LandmarkSettings
from midlineshift_training.trainers.start.annotated_data import annotated_cases, cut_cases
from midlineshift_training.trainers.start.epochs import steps_of_epochs
from midlineshift_training.trainers.start.report import report_cases
from midlineshift_training.trainers.training_run import train
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.text import counted


def train_landmarks(settings: LandmarkSettings, data: Sequence[Path], out: Path, launch: Launch) -> Path:
    """Train the deformation network on annotated scans.

    Args:
        settings: of the run. data: sets of scans. out: run folder. launch: where and how the run is carried out.

    Returns:
        Path of the best averaged weights.

    Raises:
        InputError: a denoiser is missing.
    """
    if not (settings.noise_difference and settings.conditional and settings.unconditional):
        raise InputError(
            "A set has no dense truth, so stage 2 cannot do without the denoisers there: give --conditional and "
            "--unconditional runs.",
            "denoisers",
        )
    launch.set_threads()
    settings, cases, held_out = annotated_cases(settings | {"data": [str(path) for path in data]})
    report_cases(settings, "cases")
    cache = launch.slice_cache(out)
    grid = settings.grid, settings.pixel_mm
    slices, validation = (cut_cases(part, settings, *grid, cache=cache) for part in (cases, held_out))
    settings |= steps_of_epochs(settings, len(slices))
    say(
        f"{counted(len(slices), 'slice')} to train on, {int(slices.labelled.sum())} of them labelled; {len(validation)} to check "
        f"with, {int(validation.labelled.sum())} labelled"
    )
    torch.manual_seed(settings.seed)
    module = LandmarkTrainer(settings, slices, validation, out)
    if settings.init and not launch.goes_on(out):
        load_what_fits(module.network, settings.init)
    return train(module, out, settings, launch)
