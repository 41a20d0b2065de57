"""Any layout -> a converted set, which appears under its name only when it is whole."""

from __future__ import annotations

import json
import multiprocessing
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from midlineshift_training.datasets.annotated.case import AnnotatedCase, is_slab, one_a_slice
from midlineshift_training.datasets.annotated.checks import check_case
from midlineshift_training.datasets.annotated.manifest import CASES, FILE, FORMAT, entry_of
from midlineshift_training.datasets.annotated.patients import dicom_patient, named
from midlineshift_training.datasets.annotated.points import Misplaced
from midlineshift_training.datasets.annotated.pose import estimated_pose, open_pose_model
from midlineshift_training.datasets.annotated.problems import WARNING, Problem, errors, refuse
from midlineshift_training.datasets.annotated.scans import GivenScan
from midlineshift_training.datasets.annotated.split import split_by_patient
from midlineshift_training.datasets.phantoms.files import phantom_scan
from MidlineShiftLogic.errors import InputError, MidlineShiftError
from MidlineShiftLogic.headct import read
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.headct.npz import write_npz
from MidlineShiftLogic.models.weights import sha256
from MidlineShiftLogic.software import software

NON_MLS_BELOW_MM = 1.5
Given = AnnotatedCase | GivenScan | Path
"""A case of the authors' layout, a scan with what was told of it, or a phantom file."""


@dataclass(frozen=True)
class Split:
    """Shares of the patients, and the seed they are drawn with."""

    validation: float = 0.15
    test: float = 0.15
    seed: int = 0


@dataclass(frozen=True)
class Converted:
    """What came of one case: what the manifest needs of it, or None where it cannot be used."""

    case: AnnotatedCase | None
    problems: list[Problem]
    shape: tuple[int, ...] = ()
    slice_mm: float = 0.0
    digest: str = ""


def convert_set(
    given: list[Given],
    problems: list[Problem],
    out: Path,
    made_from: str,
    split: Split,
    pose_model: str | None = "",
    skip_bad: bool = False,
    workers: int = 1,
) -> tuple[dict[str, Any], list[Problem]]:
    """Read, check and write every case.

    Args:
        given: the cases. problems: those found already while their tables were read.
        out: folder of the set; must not exist yet, or be empty.
        made_from: ``authors``, ``scans`` or ``phantoms``.
        pose_model: model that finds every head's mid-plane ("": the default one); None: heads stay as scanned.
        skip_bad: leave cases that cannot be used out instead of refusing the set.
        workers: processes.

    Returns:
        The manifest, and all problems.

    Raises:
        InputError: lists every case that cannot be used; the folder exists or cannot be written. Nothing is left then.
    """
    provenance = None if pose_model is None else open_pose_model(pose_model).provenance
    partial_folder = _new_folder(out)
    try:
        work = partial(_convert, partial_folder / CASES, pose_model)
        numbered = list(enumerate(given))
        done = list(tqdm(_all(work, numbered, workers), total=len(given), desc="cases", unit="case", disable=None))
        problems = problems + [problem for one in done for problem in one.problems]
        if not skip_bad:
            refuse(problems, "mend them, or give --skip-bad to leave those cases out. Nothing was written.")
        usable = [one for one in done if one.case is not None]
        if not usable:
            refuse(problems, "no case is left. Nothing was written.")
            raise InputError("There is no case to convert.", "no-data")
        patients = named(one.case.patient for one in usable)
        split_of = split_by_patient(
            ((patients[one.case.patient], one.case.is_shifted(NON_MLS_BELOW_MM)) for one in usable),
            split.validation,
            split.test,
            split.seed,
        )
        manifest = {
            "format": FORMAT,
            "research_use_only": True,
            "made_from": made_from,
            "software": software(),
            "aligned_by": provenance,
            "split": {"seed": split.seed, "validation": split.validation, "test": split.test},
            "cases": [
                entry_of(
                    replace(one.case, patient=patient, split=split_of[patient]), one.shape, one.slice_mm, one.digest
                )
                for one in usable
                for patient in [patients[one.case.patient]]
            ],
            "left_out": [str(problem) for problem in errors(problems)],
        }
        text = json.dumps(manifest, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        (partial_folder / FILE).write_text(text, encoding="utf-8")
        partial_folder.chmod(0o755)  # mkdtemp's are private
        if out.exists():
            out.rmdir()
        partial_folder.rename(out)
    except OSError as error:
        raise InputError(f"The set {out} cannot be written ({error.strerror}).", "out") from None
    finally:
        shutil.rmtree(partial_folder, ignore_errors=True)
    return manifest, problems


def _new_folder(out: Path) -> Path:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} already exists; choose another folder for the set.", "exists")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
        (folder / CASES).mkdir()
    except OSError as error:
        raise InputError(f"The set {out} cannot be written ({error.strerror}).", "out") from None
    return folder


def _all(work, numbered: list, workers: int) -> Iterator[Converted]:
    if workers == 1:
        yield from map(work, numbered)
        return
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=_one_thread) as pool:
        yield from pool.map(work, numbered)


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def _convert(folder: Path, pose_model: str | None, numbered: tuple[int, Given]) -> Converted:
    """One case, read, checked and written as ``folder/NUMBER.npz``."""
    number, given = numbered
    path = given if isinstance(given, Path) else given.path
    name = path.stem if isinstance(given, Path) else given.name
    where = f"{name} ({path})"
    try:
        case, ct = _opened(given)
    except (MidlineShiftError, Misplaced) as error:
        return Converted(None, [Problem(where, what) for what in error.args])
    problems = check_case(where, ct, case.landmarks, case.shifted, case.case_mm)
    if errors(problems):
        return Converted(None, problems)
    if case.shifted is False:
        case = replace(case, case_mm=0.0)
    if pose_model is not None:
        pose, why = estimated_pose(ct, pose_model)
        if pose is None:
            problems.append(Problem(where, f"{why} It can only be trained on as scanned.", WARNING))
        case = replace(case, pose=pose)
    file = folder / f"{number:05d}.npz"
    write_npz(file, replace(ct, hu=np.rint(ct.hu).astype(np.int16)), compressed=True)
    heights = ct.heights
    slice_mm = float(np.ptp(heights)) / (len(heights) - 1) if len(heights) > 1 else float(ct.thickness[0])
    case = replace(case, path=file, pixel_spacing=ct.pixel_spacing, spacing=None, of_file=False)
    return Converted(case, problems, ct.hu.shape, slice_mm, sha256(file))


def _opened(given: Given) -> tuple[AnnotatedCase, HeadCT]:
    """The case with its landmarks by slice of the scan as read, and the scan."""
    if isinstance(given, Path):
        return _phantom(given)
    if isinstance(given, AnnotatedCase):
        ct, landmarks = given.read()
        return replace(given, landmarks=landmarks), ct
    ct = read(given.path, given.spacing)
    slices, bad = [], []
    for points in given.slices:
        try:
            index, placed = points.place(ct)
        except Misplaced as error:
            bad += error.args
            continue
        if any(index == other for other, _ in slices) and not is_slab(ct, index):
            bad.append(f"{points.where}: its slice is labelled twice.")
        slices.append((index, placed))
    if bad:
        raise Misplaced(*bad)
    landmarks = one_a_slice(slices)
    row = given.row
    patient = row.patient or dicom_patient(given.path) or given.name
    return AnnotatedCase(
        given.name, patient, given.path, ct.pixel_spacing, None, None, row.shifted, row.case_mm, landmarks
    ), ct


def _phantom(path: Path) -> tuple[AnnotatedCase, HeadCT]:
    """A phantom with as little truth as a real set: the landmarks of every slice that shows its midline."""
    ct, entries = phantom_scan(path)
    found = {
        int(k): points.astype(float)
        for k, points in enumerate(entries["landmarks"])
        if entries["has_midline"][k] and np.isfinite(points).all()
    }
    return AnnotatedCase(path.stem, path.stem, path, ct.pixel_spacing, landmarks=found), ct
