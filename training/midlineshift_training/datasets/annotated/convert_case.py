"""One case of any layout, loaded, checked and written into a converted data set."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from midlineshift_training.datasets.annotated.case import AnnotatedCase
from midlineshift_training.datasets.annotated.checks import check_case
from midlineshift_training.datasets.annotated.patients import dicom_patient
from midlineshift_training.datasets.annotated.place_slices import place_slices
from midlineshift_training.datasets.annotated.points import Misplaced
from midlineshift_training.datasets.annotated.pose import estimated_pose
from midlineshift_training.datasets.annotated.problems import WARNING, Problem, errors
from midlineshift_training.datasets.annotated.scans import GivenScan
from midlineshift_training.datasets.phantoms.files import phantom_scan
from MidlineShiftLogic.errors import MidlineShiftError
from MidlineShiftLogic.headct import read
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.headct.npz import write_npz
from MidlineShiftLogic.models.weights import sha256

Given = AnnotatedCase | GivenScan | Path
"""A case of the authors' layout, a scan with what is known of it, or a phantom file."""


@dataclass(frozen=True)
class Converted:
    """One converted case: what the manifest needs of it; ``case`` is None where it cannot be used."""

    case: AnnotatedCase | None
    problems: list[Problem]
    shape: tuple[int, ...] = ()
    slice_mm: float = 0.0
    digest: str = ""


def convert_case(folder: Path, pose_model: str | None, numbered: tuple[int, Given]) -> Converted:
    """Load, check and write one case as ``folder/NUMBER.npz``."""
    number, given = numbered
    path = given if isinstance(given, Path) else given.path
    name = path.stem if isinstance(given, Path) else given.name
    where = f"{name} ({path})"
    try:
        case, ct = _load(given)
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


def _load(given: Given) -> tuple[AnnotatedCase, HeadCT]:
    """Return the case with its landmarks by slice of the scan as read, and the scan."""
    if isinstance(given, Path):
        return _phantom(given)
    if isinstance(given, AnnotatedCase):
        ct, landmarks = given.read()
        return replace(given, landmarks=landmarks), ct
    ct = read(given.path, given.spacing)
    labelled, details, bad = place_slices(ct, given.slices)
    if bad:
        raise Misplaced(*bad)
    row = given.row
    folds = {points.fold for points in given.slices if points.fold is not None}
    if len(folds) > 1:
        raise Misplaced(f"its slices are said to be of the folds {', '.join(map(str, sorted(folds)))}; a case has one.")
    case = AnnotatedCase(
        name=given.name,
        patient=row.patient or dicom_patient(given.path) or given.name,
        path=given.path,
        pixel_spacing=ct.pixel_spacing,
        shifted=row.shifted,
        case_mm=row.case_mm,
        landmarks=labelled,
        details=details,
        fold=folds.pop() if folds else None,
    )
    return case, ct


def _phantom(path: Path) -> tuple[AnnotatedCase, HeadCT]:
    """Return a phantom with as little truth as a real set: the landmarks of every slice that shows its midline."""
    ct, entries = phantom_scan(path)
    found = {
        int(k): points.astype(float)
        for k, points in enumerate(entries["landmarks"])
        if entries["has_midline"][k] and np.isfinite(points).all()
    }
    return AnnotatedCase(path.stem, path.stem, path, ct.pixel_spacing, landmarks=found), ct
