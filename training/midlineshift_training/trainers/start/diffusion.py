"""Runs of stage 1, on phantoms or on sets of scans."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from midlineshift_training.datasets.aligned_slices import load_aligned
from midlineshift_training.datasets.annotated_slices import to_aligned_slices
from midlineshift_training.datasets.phantoms.files import split_phantoms
from midlineshift_training.trainers.diffusion_trainer import DiffusionTrainer
from midlineshift_training.trainers.initial_weights import load_exactly
from midlineshift_training.trainers.processes import say
from midlineshift_training.trainers.start.epochs import steps_of_epochs
from midlineshift_training.trainers.start.set_data import cut_cases, set_cases
from midlineshift_training.trainers.training_run import train
from MidlineShiftLogic.errors import InputError


def train_diffusion(
    settings: dict[str, Any],
    data: Sequence[Path],
    from_set: bool,
    out: Path,
    validation_cases: int,
    resume: bool,
    threads: int | None,
    where: dict[str, Any],
) -> Path:
    """Train a denoiser in its run folder; ``settings`` are those of ``settings.diffusion.DEFAULTS``.

    Args:
        from_set: whether ``data`` are sets of scans instead of folders of phantoms.

    Raises:
        InputError: settings contradict one another.
    """
    check_settings(settings)
    if settings["cohort"] is None:
        raise InputError("Give --cohort non-mls or --cohort all.", "usage")
    if threads:
        torch.set_num_threads(threads)
    settings["data"] = [str(folder) for folder in data]
    slices, validation = _of_set(settings) if from_set else _of_phantoms(settings, data, validation_cases)
    settings |= steps_of_epochs(settings, len(slices))
    say(f"{len(slices)} slices to train on, {len(validation)} to check with")
    torch.manual_seed(settings["seed"])
    module = DiffusionTrainer(settings, slices, validation)
    if settings["init"] and not (resume and (out / "last.ckpt").exists()):
        load_exactly(module.network, Path(settings["init"]))
    return train(module, out, settings, resume, **where)


def _of_phantoms(settings: dict, data: tuple[Path, ...], validation_cases: int):
    files, held_out = split_phantoms(data, validation_cases)
    settings |= {"cases": len(files), "validation_cases": len(held_out), "frame": "aligned", "slices": "brain"}
    return (cut_phantoms(part, settings["cohort"], settings) for part in (files, held_out))


def _of_set(settings: dict):
    if settings["degraded_share"] > 0:
        raise InputError("Degradations are made for phantoms; set degraded_share to 0 for a set.", "settings")
    size = max(settings["grid"], min(2 * settings["grid"], 256))
    pixel_mm = settings["frame_width_mm"] / size
    parts = set_cases(settings)
    cut_parts = (cut_cases(part, settings, size, pixel_mm, settings["cohort"]) for part in parts)
    return [to_aligned_slices(part, settings["non_mls_below_mm"]) for part in cut_parts]


def check_settings(settings: dict) -> None:
    """InputError if settings contradict one another."""
    if settings["degraded_share"] > 0 and settings["grid"] not in (64, 128):
        message = f"Degradations are made for a grid of 64 or 128, not {settings['grid']}; set degraded_share to 0."
        raise InputError(message, "settings")


def cut_phantoms(files: list[Path], cohort: str, settings: dict):
    """The cohort's slices on twice the denoisers' grid (up to 256), so that turning them blurs little."""
    size = max(settings["grid"], min(2 * settings["grid"], 256))
    pixel_mm = settings["frame_width_mm"] / size
    return load_aligned(
        files, cohort, size, pixel_mm, settings["frame_mm"], settings["non_mls_below_mm"], settings["heights_mm"]
    )
