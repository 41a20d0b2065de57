"""Runs of the pose network and of stage 2 on phantoms, whose shift is known everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from midlineshift_training.trainers.deformation_trainer import DeformationTrainer, check_settings
from midlineshift_training.trainers.initial_weights import load_what_fits
from midlineshift_training.trainers.midline_trainer import MidlineTrainer
from midlineshift_training.trainers.processes import say
from midlineshift_training.trainers.start.phantom_data import load_training_phantoms
from midlineshift_training.trainers.training_run import train
from MidlineShiftLogic.errors import InputError


def train_pose(
    settings: dict[str, Any],
    data: Sequence[Path],
    out: Path,
    validation_cases: int,
    resume: bool,
    threads: int | None,
    where: dict[str, Any],
) -> Path:
    """Train the pose network in its run folder; ``settings`` are those of ``settings.midline.POSE``."""
    return _train(MidlineTrainer, settings, data, out, validation_cases, resume, threads, where)


def train_deformation(
    settings: dict[str, Any],
    data: Sequence[Path],
    out: Path,
    validation_cases: int,
    resume: bool,
    threads: int | None,
    where: dict[str, Any],
) -> Path:
    """Train the deformation network on phantoms; ``settings`` are those of ``settings.midline.DEFORMATION``.

    Raises:
        InputError: the noise difference is asked for without the two denoisers, or settings contradict one another.
    """
    if settings["noise_difference"] and not (settings["conditional"] and settings["unconditional"]):
        raise InputError("Give --conditional and --unconditional runs, or --no-noise-difference.", "denoisers")
    check_settings(settings)
    return _train(DeformationTrainer, settings, data, out, validation_cases, resume, threads, where)


def _train(kind, settings, data, out: Path, validation_cases: int, resume: bool, threads, where) -> Path:
    if threads:
        torch.set_num_threads(threads)
    slices, validation = load_training_phantoms(settings, data, validation_cases)
    torch.manual_seed(settings["seed"])
    module = kind(settings, slices, validation)
    # a run killed before its first checkpoint starts anew, from the same weights
    if settings["init"] and not (resume and (out / "last.ckpt").exists()):
        kept = load_what_fits(module.network, settings["init"])
        if kept:
            say(f"not in {settings['init']}, left as initialised: {', '.join(kept)}")
    return train(module, out, settings, resume, **where)
