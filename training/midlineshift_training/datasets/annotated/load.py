"""A set as training and evaluation take it: a converted folder, or the authors' ``.pkl`` as it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from midlineshift_training.datasets.annotated.authors import Spacing, read_authors_set
from midlineshift_training.datasets.annotated.case import AnnotatedCase
from midlineshift_training.datasets.annotated.convert import NON_MLS_BELOW_MM, Split
from midlineshift_training.datasets.annotated.manifest import is_set, read_cases
from midlineshift_training.datasets.annotated.problems import refuse
from midlineshift_training.datasets.annotated.split import split_by_patient
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.text import counted

PICKLES = (".pkl", ".pickle")
"""Endings of tables in the authors' layout."""


def is_table(path: Path) -> bool:
    """Return whether a path is a table of the authors' layout (``.pkl``)."""
    return path.suffix.lower() in PICKLES


def is_annotated(path: Path) -> bool:
    """Return whether a path is an annotated data set, not a folder of phantoms."""
    return is_table(path) or is_set(path)


def load_dataset(path: Path, spacing: Spacing | None = None) -> list[AnnotatedCase]:
    """Return all cases of a set.

    Args:
        path: folder with a ``set.json``, or ``.pkl``. spacing: (slice, row, column) mm for a ``.pkl``.

    Raises:
        InputError: no such set, no spacing for a ``.pkl``, or a list of everything that is wrong with it.
    """
    if not is_table(path):
        return read_cases(path)
    cases, problems = read_authors_set(path, spacing)
    refuse(problems, "mend them, or leave those cases out with 'midlineshift-train convert --skip-bad'.")
    return cases


def train_and_validation(
    data: list[Path], validation: list[Path], spacing: Spacing | None, seed: int
) -> tuple[list[AnnotatedCase], list[AnnotatedCase]]:
    """Return cases to train on and to check with.

    Args:
        data: sets to train on. Of a converted one its ``train`` split is used, and its ``validation`` split to check with.
        validation: sets to check with; then nothing of ``data`` is held out but what its splits say.
        seed: of the draw by patient where a set has no split (``.pkl``).

    Raises:
        InputError: as ``load_dataset``; or one of the two would be empty.
    """
    cases = [case for path in data for case in load_dataset(path, spacing)]
    if validation:
        checked = [case for path in validation for case in load_dataset(path, spacing)]
        split = {case.split for case in checked}
        if "validation" in split:
            checked = [case for case in checked if case.split in ("validation", None)]
        cases = [case for case in cases if case.split in ("train", None)]
        shared = {case.patient for case in cases} & {case.patient for case in checked}
        if shared:
            raise InputError(
                f"Patients are both in --data and in --validation-data: {len(shared)}, first {min(shared)}.", "split"
            )
    else:
        default = Split()
        shifted = ((case.patient, case.is_shifted(NON_MLS_BELOW_MM)) for case in cases if case.split is None)
        drawn = split_by_patient(shifted, default.validation, 0.0, seed)
        cases = [replace(case, split=case.split or drawn[case.patient]) for case in cases]
        checked = [case for case in cases if case.split == "validation"]
        cases = [case for case in cases if case.split == "train"]
    if not cases or not checked:
        raise InputError(
            f"The set leaves {counted(len(cases), 'case')} to train on and {len(checked)} to check with; give more cases, or "
            "--validation-data.",
            "no-data",
        )
    return cases, checked
