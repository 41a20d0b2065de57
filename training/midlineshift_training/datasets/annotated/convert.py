"""Convert cases of any layout into a data set, which appears under its name only when it is whole."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from midlineshift_training.datasets.annotated.convert_case import Converted, Given, convert_case
from midlineshift_training.datasets.annotated.manifest import CASES, FILE, FORMAT, entry_of
from midlineshift_training.datasets.annotated.patients import named
from midlineshift_training.datasets.annotated.pose import open_pose_model
from midlineshift_training.datasets.annotated.problems import Problem, errors, refuse
from midlineshift_training.datasets.annotated.split import split_by_patient
from midlineshift_training.datasets.show_progress import show_progress
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.parallel import map_parallel
from MidlineShiftLogic.software import software
from MidlineShiftLogic.unfinished import unfinished_folder

NON_MLS_BELOW_MM = 1.5
"""A case without a label counts as MLS from this size of its shift on, when the splits are drawn."""


@dataclass(frozen=True)
class Split:
    """Shares of the patients that are held out, and the seed they are drawn with."""

    validation: float = 0.15
    test: float = 0.15
    seed: int = 0


def convert_set(
    given: Sequence[Given],
    problems: list[Problem],
    out: Path,
    made_from: str,
    split: Split,
    *,
    pose_model: str | None = "",
    skip_bad: bool = False,
    workers: int = 1,
    source: tuple[str, str] = ("", ""),
) -> tuple[dict[str, Any], list[Problem]]:
    """Load, check and write every case.

    Args:
        given: the cases. problems: those found already while their tables were read.
        out: folder of the data set; must not exist yet, or be empty.
        made_from: ``authors``, ``scans`` or ``phantoms``. split: shares that are held out.
        pose_model: model that finds every head's midsagittal plane ("": the default one); None: heads stay as scanned.
        skip_bad: leave cases that cannot be used out instead of refusing the data set.
        workers: processes. source: name and licence of the collection, for the record of what is trained on it.

    Returns:
        The manifest, and all problems.

    Raises:
        InputError: lists every case that cannot be used; the folder exists or cannot be written. Nothing is left then.
    """
    provenance = None if pose_model is None else open_pose_model(pose_model).provenance
    with _new_folder(out) as partial_folder:
        work = partial(convert_case, partial_folder / CASES, pose_model)
        numbered = list(enumerate(given))
        found = map_parallel(work, numbered, workers)
        done = list(show_progress(found, len(numbered), "cases"))
        problems = problems + [problem for one in done for problem in one.problems]
        if not skip_bad:
            refuse(problems, "correct them, or give --skip-bad to leave those cases out. Nothing was written.")
        usable = [one for one in done if one.case is not None]
        if not usable:
            refuse(problems, "no case is left. Nothing was written.")
            raise InputError("There is no case to convert.", "no-data")
        manifest = {
            "format": FORMAT,
            "research_use_only": True,
            "made_from": made_from,
            **({"source": {"name": source[0], "licence": source[1]}} if any(source) else {}),
            "software": software(),
            "aligned_by": provenance,
            "split": {"seed": split.seed, "validation": split.validation, "test": split.test},
            "cases": _entries(usable, split),
            "left_out": [str(problem) for problem in errors(problems)],
        }
        text = json.dumps(manifest, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        (partial_folder / FILE).write_text(text, encoding="utf-8")
        partial_folder.chmod(0o755)  # it was private
        if out.exists():
            out.rmdir()
        partial_folder.rename(out)
    return manifest, problems


def _entries(usable: Sequence[Converted], split: Split) -> list[dict[str, Any]]:
    """Return the manifest's entries, each case in the split that its patient was drawn into."""
    cases = [(one, one.case) for one in usable if one.case is not None]
    patients = named(case.patient for _, case in cases)
    shifted = ((patients[case.patient], case.is_shifted(NON_MLS_BELOW_MM)) for _, case in cases)
    split_of = split_by_patient(shifted, split.validation, split.test, split.seed)
    entries = []
    for one, case in cases:
        patient = patients[case.patient]
        converted = replace(case, patient=patient, split=split_of[patient])
        entries.append(entry_of(converted, one.shape, one.slice_mm, one.digest))
    return entries


@contextlib.contextmanager
def _new_folder(out: Path) -> Iterator[Path]:
    """Yield a hidden folder beside ``out``, removed at the end; InputError if ``out`` is taken or cannot be written."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} already exists; choose another folder for the data set.", "exists")
    try:
        with unfinished_folder(out) as folder:
            (folder / CASES).mkdir()
            yield folder
    except OSError as error:
        raise InputError(f"The data set {out} cannot be written ({error.strerror}).", "out") from None
