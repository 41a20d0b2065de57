"""Runs of stage 1, on phantoms or on sets of scans."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from midlineshift_training.datasets.aligned_slices import AlignedSlices, load_aligned
from midlineshift_training.datasets.annotated_slices import to_aligned_slices
from midlineshift_training.trainers.diffusion_trainer import DiffusionTrainer
from midlineshift_training.trainers.initial_weights import load_exactly
from midlineshift_training.trainers.processes import Launch, say
from midlineshift_training.trainers.settings.diffusion import DiffusionSettings
from midlineshift_training.trainers.start.annotated_data import annotated_cases, cut_cases
from midlineshift_training.trainers.start.epochs import steps_of_epochs
from midlineshift_training.trainers.start.phantom_data import split_training_phantoms
from midlineshift_training.trainers.start.report import report_cases
from midlineshift_training.trainers.training_run import train
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.text import counted

LARGEST_CUT = 256
"""Points that slices are cut on at most; twice the denoiser's grid otherwise, so that turning them blurs little."""


def train_diffusion(
    settings: DiffusionSettings,
    data: Sequence[Path],
    from_scans: bool,
    out: Path,
    validation_cases: int,
    launch: Launch,
) -> Path:
    """Train a denoiser.

    Args:
        settings: of the run. data: folders of phantoms, or sets of scans. from_scans: whether they are sets of scans.
        out: run folder. validation_cases: last phantoms, held out.
        launch: where and how the run is carried out.

    Returns:
        Path of the best averaged weights.

    Raises:
        InputError: no cohort is chosen, or settings do not fit the data.
    """
    cohort_of(settings)
    launch.set_threads()
    settings |= {"data": [str(folder) for folder in data]}
    if from_scans:
        settings, slices, validation = _of_scans(settings, launch.slice_cache(out))
    else:
        settings, slices, validation = _of_phantoms(settings, data, validation_cases, launch.slice_cache(out))
    settings |= steps_of_epochs(settings, len(slices))
    say(f"{counted(len(slices), 'slice')} to train on, {len(validation)} to check with")
    torch.manual_seed(settings.seed)
    module = DiffusionTrainer(settings, slices, validation)
    if settings.init and not launch.goes_on(out):
        load_exactly(module.network, Path(settings.init))
    return train(module, out, settings, launch)


def _of_phantoms(settings: DiffusionSettings, data: Sequence[Path], validation_cases: int, cache: Path | None):
    settings, files, held_out = split_training_phantoms(settings, data, validation_cases)
    settings |= {"frame": "aligned", "slices": "brain"}
    report_cases(settings, "phantoms")
    return settings, *(cut_phantoms(part, settings, cache) for part in (files, held_out))


def _of_scans(settings: DiffusionSettings, cache: Path | None):
    if settings.degraded_share > 0:
        raise InputError("Degradations are made for phantoms; set degraded_share to 0 for a set.", "settings")
    settings, cases, held_out = annotated_cases(settings)
    report_cases(settings, "cases")
    size, pixel_mm = _cut_size(settings)
    cut_parts = (cut_cases(part, settings, size, pixel_mm, cohort_of(settings), cache) for part in (cases, held_out))
    return settings, *(to_aligned_slices(part, settings.non_mls_below_mm) for part in cut_parts)


def cut_phantoms(files: list[Path], settings: DiffusionSettings, cache: Path | None = None) -> AlignedSlices:
    """Cut the slices of the cohort from phantoms."""
    s = settings
    size, pixel_mm = _cut_size(s)
    return load_aligned(files, cohort_of(s), size, pixel_mm, s.frame_mm, s.non_mls_below_mm, s.heights_mm, cache)


def cohort_of(settings: DiffusionSettings) -> str:
    """Return the cohort to train on. InputError if none is chosen."""
    if settings.cohort is None:
        raise InputError("Give --cohort non-mls or --cohort all.", "usage")
    return settings.cohort


def _cut_size(settings: DiffusionSettings) -> tuple[int, float]:
    """Return the points of a side that slices are cut on, and the frame millimetres between two of them."""
    size = max(settings.grid, min(2 * settings.grid, LARGEST_CUT))
    return size, settings.frame_width_mm / size
