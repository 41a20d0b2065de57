"""Data of a run of the midline networks: phantoms, unlabelled real scans and sets with sparse landmarks, mixed as given."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from midlineshift_training.datasets.annotated.case import AnnotatedCase
from midlineshift_training.datasets.annotated.load import is_annotated, load_dataset, train_and_validation
from midlineshift_training.datasets.landmark_slices import load_labelled
from midlineshift_training.datasets.phantom_slices import PhantomSlices, join, load_phantoms
from midlineshift_training.datasets.phantoms.files import phantom_files
from midlineshift_training.trainers.settings.common import RunSettings
from midlineshift_training.trainers.settings.midline import DeformationSettings, PoseSettings, RefinementSettings
from midlineshift_training.trainers.start.phantom_data import split_training_phantoms
from midlineshift_training.trainers.start.report import report_cases
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.models import load_model

Settings = TypeVar("Settings", PoseSettings, DeformationSettings, RefinementSettings)


def load_midline_data(
    settings: Settings, data: Sequence[Path], validation_cases: int, cache: Path | None = None
) -> tuple[Settings, PhantomSlices, PhantomSlices]:
    """Load slices to train on and to validate with.

    Args:
        settings: of the run. data: folders of phantoms and of unlabelled scans, and sets with landmarks.
        validation_cases: last phantoms, held out. Of the sets, the fold ``settings.leave_out_fold`` or their validation
            cases are.
        cache: folder of slices prepared before (``slice_cache``); None: without.

    Returns:
        The settings with the numbers of cases, and both stores.

    Raises:
        InputError: data that cannot be read, or sets alone.
    """
    sets = [path for path in data if is_annotated(path)]
    folders = [path for path in data if path not in sets]
    if settings.leave_out_fold is not None and not sets:
        raise InputError("--leave-out-fold is for sets with landmarks; give one with --data.", "usage")
    settings, files, held_out = split_training_phantoms(settings, folders, validation_cases)
    if not sets:
        report_cases(settings, "phantoms")
        return settings, load_phantoms(files), load_phantoms(held_out)
    cases: Cases
    checked: Cases
    cases, checked = split_sets(sets, settings.leave_out_fold, settings.seed)
    # no scan is trained on unlabelled whose landmarks validate, or are kept for the test; nor the other way round
    trained_on = {case.name for case in cases}
    unseen = {case.name for path in sets for case in load_dataset(path) if case.name not in trained_on}
    files = [path for path in files if scan_name(path) not in unseen]
    held_out = [path for path in held_out if scan_name(path) not in trained_on]
    numbers = {
        "cases": len(files) + len(cases),
        "validation_cases": len(held_out) + len(checked),
        "held_out": [*settings.held_out, *(case.name for case in checked)],
    }
    settings = settings | numbers
    report_cases(settings, "phantoms and scans")
    model = load_model()
    slices = join([load_labelled(cases, model, cache), load_phantoms(files)])
    validation = load_labelled(checked, model, cache)
    return settings, slices, join([validation, load_phantoms(held_out)]) if held_out else validation


def load_training_slices(
    settings: RunSettings, data: Sequence[Path], leave_out_fold: int | None, cache: Path | None = None
) -> PhantomSlices:
    """Load what a finished run could be trained on: all phantoms, and of the sets what does not validate.

    Args:
        settings: of the run. data: folders and sets. leave_out_fold: of the run. cache: as of ``load_midline_data``.

    Raises:
        InputError: data that cannot be read.
    """
    sets = [path for path in data if is_annotated(path)]
    files = [file for folder in data if folder not in sets for file in phantom_files(folder)]
    if not sets:
        return load_phantoms(files)
    cases, _ = split_sets(sets, leave_out_fold, settings.seed)
    unseen = {case.name for path in sets for case in load_dataset(path)} - {case.name for case in cases}
    files = [path for path in files if scan_name(path) not in unseen]
    labelled = load_labelled(cases, load_model(), cache)
    return join([labelled, load_phantoms(files)]) if files else labelled


Cases = list[AnnotatedCase]


def split_sets(sets: Sequence[Path], leave_out_fold: int | None, seed: int) -> tuple[Cases, Cases]:
    """Return cases of sets to train on and to validate with: all but a fold, and that fold; else as the sets are split.

    Raises:
        InputError: a set cannot be read, or one of the two would be empty.
    """
    if leave_out_fold is None:
        return train_and_validation(list(sets), [], None, seed)
    cases = [case for path in sets for case in load_dataset(path)]
    checked = [case for case in cases if case.fold == leave_out_fold]
    patients = {case.patient for case in checked}
    rest = [case for case in cases if case.patient not in patients]
    if not checked or not rest:
        folds = ", ".join(map(str, sorted({case.fold for case in cases if case.fold is not None}))) or "none"
        raise InputError(f"There is no fold {leave_out_fold} beside others in the sets; their folds: {folds}.", "fold")
    return rest, checked


def scan_name(path: Path) -> str | None:
    """Name of the real scan that an unlabelled case was made of; None for a phantom."""
    with np.load(path, allow_pickle=False) as archive:
        meta = json.loads(str(archive["meta"])) if "meta" in archive.files else {}
    return meta.get("scan")
