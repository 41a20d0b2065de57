"""Runs of the pose, deformation and refinement networks on phantoms and, mixed with them, on real scans."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from midlineshift_training.trainers.deformation_trainer import DeformationTrainer
from midlineshift_training.trainers.initial_weights import load_what_fits
from midlineshift_training.trainers.midline_trainer import MidlineTrainer
from midlineshift_training.trainers.processes import Launch, say
from midlineshift_training.trainers.refinement_trainer import RefinementTrainer
from midlineshift_training.trainers.settings.midline import DeformationSettings, PoseSettings, RefinementSettings
from midlineshift_training.trainers.start.midline_data import load_midline_data
from midlineshift_training.trainers.training_run import train
from MidlineShiftLogic.errors import InputError


def train_pose(settings: PoseSettings, data: Sequence[Path], out: Path, validation_cases: int, launch: Launch) -> Path:
    """Train the pose network on phantoms, mixed with unlabelled scans and sets with landmarks if these are given, too.

    Args:
        settings: of the run. data: folders and sets. out: run folder.
        validation_cases: last phantoms, held out.
        launch: where and how the run is carried out.

    Returns:
        Path of the best averaged weights.
    """
    return _train(MidlineTrainer, settings, data, out, validation_cases, launch)


def train_deformation(
    settings: DeformationSettings, data: Sequence[Path], out: Path, validation_cases: int, launch: Launch
) -> Path:
    """Train the deformation network in the same way; arguments as of ``train_pose``.

    Raises:
        InputError: the noise difference is asked for without the two denoisers.
    """
    both = settings.conditional and settings.unconditional
    if settings.denoiser and (settings.conditional or settings.unconditional):
        raise InputError(
            "--denoiser stands for both denoisers; leave out --conditional and --unconditional.", "denoisers"
        )
    if settings.noise_difference and not (both or settings.denoiser):
        raise InputError(
            "Give a --denoiser, or --conditional and --unconditional runs, or --no-noise-difference.", "denoisers"
        )
    return _train(DeformationTrainer, settings, data, out, validation_cases, launch)


def train_refinement(
    settings: RefinementSettings, data: Sequence[Path], out: Path, validation_cases: int, launch: Launch
) -> Path:
    """Train the refinement network in the same way; arguments as of ``train_pose``."""
    return _train(RefinementTrainer, settings, data, out, validation_cases, launch)


def _train(
    kind: type[MidlineTrainer] | type[RefinementTrainer],
    settings,
    data,
    out: Path,
    validation_cases: int,
    launch: Launch,
) -> Path:
    launch.set_threads()
    settings |= {"data": [str(path) for path in data]}
    settings, slices, validation = load_midline_data(settings, data, validation_cases, launch.slice_cache(out))
    torch.manual_seed(settings.seed)
    module = kind(settings, slices, validation)
    # a run killed before its first checkpoint starts anew, from the same weights
    if settings.init and not launch.goes_on(out):
        kept = load_what_fits(module.network, settings.init, _component(settings))
        if kept:
            say(f"not in {settings.init}, left as initialised: {', '.join(kept)}")
    return train(module, out, settings, launch)


def _component(settings: PoseSettings | DeformationSettings | RefinementSettings) -> str:
    """Return which network of a model a run starts from."""
    if isinstance(settings, RefinementSettings):
        return "refinement"
    return "pose" if settings.broad else "deformation"
