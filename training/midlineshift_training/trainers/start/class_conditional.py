"""Runs of a class-conditional denoiser, on phantoms with twins mixed with sets of real scans."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from midlineshift_training.datasets.annotated.load import is_annotated, train_and_validation
from midlineshift_training.datasets.denoiser_pairs import DenoiserSlices, cut_twins, join, of_annotated
from midlineshift_training.trainers.class_conditional_trainer import ClassConditionalTrainer
from midlineshift_training.trainers.initial_weights import load_exactly
from midlineshift_training.trainers.processes import Launch, say
from midlineshift_training.trainers.settings.class_conditional import ClassConditionalSettings
from midlineshift_training.trainers.start.annotated_data import cut_cases
from midlineshift_training.trainers.start.epochs import steps_of_epochs
from midlineshift_training.trainers.start.phantom_data import split_training_phantoms
from midlineshift_training.trainers.start.report import report_cases
from midlineshift_training.trainers.training_run import train
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.text import counted

FINER = 2
"""Slices are kept on a grid so many times finer than the denoiser's, so that turning them blurs little."""


def train_class_conditional(
    settings: ClassConditionalSettings, data: Sequence[Path], out: Path, validation_cases: int, launch: Launch
) -> Path:
    """Train one denoiser that stands for both diffusion models.

    Args:
        settings: of the run. data: folders of phantoms made with twins, and sets of scans.
        out: run folder. validation_cases: last phantoms, held out, beside the sets' validation cases.
        launch: where and how the run is carried out.

    Returns:
        Path of the best averaged weights.

    Raises:
        InputError: no phantoms, none with a twin, or a set that cannot be read.
    """
    launch.set_threads()
    settings |= {"data": [str(folder) for folder in data]}
    sets = [path for path in data if is_annotated(path)]
    folders = [path for path in data if path not in sets]
    if not folders:
        raise InputError(
            "Give --data a folder of phantoms made with --twins, too: real scans have no unshifted twins.", "data"
        )
    settings, files, held_out = split_training_phantoms(settings, folders, validation_cases)
    cache = launch.slice_cache(out)
    parts, checked = [_cut(files, settings, cache)], [_cut(held_out, settings, cache)]
    if sets:
        spacing = settings.spacing
        for cases, into in zip(train_and_validation(sets, [], spacing, settings.seed), (parts, checked), strict=True):
            size = FINER * settings.grid
            cut = cut_cases(cases, settings, size, settings.frame_width_mm / size, cache=cache)
            into.append(of_annotated(cut))
            if into is checked:
                names = [case.name for case in cases]
                numbers = {"validation_cases": len(held_out) + len(names), "held_out": [*settings.held_out, *names]}
                settings |= numbers
            else:
                settings |= {"cases": len(files) + len(cases)}
    report_cases(settings, "phantoms and scans")
    slices, validation = join(parts), join(checked)
    settings |= steps_of_epochs(settings, len(slices))
    say(
        f"{counted(len(slices), 'slice')} to train on, {int(slices.unshifted.sum())} of them unshifted; "
        f"{len(validation)} to check with"
    )
    torch.manual_seed(settings.seed)
    module = ClassConditionalTrainer(settings, slices, validation)
    if settings.init and not launch.goes_on(out):
        load_exactly(module.network, Path(settings.init))
    return train(module, out, settings, launch)


def _cut(files: Sequence[Path], settings: ClassConditionalSettings, cache: Path | None) -> DenoiserSlices:
    s, size = settings, FINER * settings.grid
    return cut_twins(files, size, s.frame_width_mm / size, s.frame_mm, s.heights_mm, cache, s.twin)
