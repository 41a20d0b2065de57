"""Runs of stage 2 on sets with sparse landmarks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from midlineshift_training.trainers.initial_weights import load_what_fits
from midlineshift_training.trainers.landmark_trainer import LandmarkTrainer, check_settings
from midlineshift_training.trainers.processes import say
from midlineshift_training.trainers.start.epochs import steps_of_epochs
from midlineshift_training.trainers.start.set_data import cut_cases, set_cases
from midlineshift_training.trainers.training_run import train
from MidlineShiftLogic.errors import InputError


def train_landmarks(
    settings: dict[str, Any],
    data: Sequence[Path],
    out: Path,
    resume: bool,
    threads: int | None,
    where: dict[str, Any],
) -> Path:
    """Train stage 2 on annotated scans; ``settings`` are those of ``settings.landmarks.LANDMARKS``.

    Raises:
        InputError: a denoiser is missing, or settings contradict one another.
    """
    if not (settings["noise_difference"] and settings["conditional"] and settings["unconditional"]):
        raise InputError(
            "A set has no dense truth, so stage 2 cannot do without the denoisers there: give --conditional and "
            "--unconditional runs.",
            "denoisers",
        )
    check_settings(settings)
    if threads:
        torch.set_num_threads(threads)
    settings["data"] = [str(path) for path in data]
    parts = (cut_cases(part, settings, settings["grid"], settings["pixel_mm"]) for part in set_cases(settings))
    slices, validation = parts
    settings |= steps_of_epochs(settings, len(slices))
    say(
        f"{len(slices)} slices to train on, {int(slices.labelled.sum())} of them labelled; {len(validation)} to check "
        f"with, {int(validation.labelled.sum())} labelled"
    )
    torch.manual_seed(settings["seed"])
    module = LandmarkTrainer(settings, slices, validation, out)
    if settings["init"] and not (resume and (out / "last.ckpt").exists()):
        load_what_fits(module.network, settings["init"])
    return train(module, out, settings, resume, **where)
