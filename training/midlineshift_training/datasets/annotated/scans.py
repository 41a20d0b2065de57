"""List the scans of a folder, with landmarks from a table or from Slicer's point lists, before they are loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from midlineshift_training.datasets.annotated.authors import Spacing
from midlineshift_training.datasets.annotated.landmark_table import CaseRow, read_case_table, read_landmark_table
from midlineshift_training.datasets.annotated.markups import read_markups
from midlineshift_training.datasets.annotated.points import GivenPoints
from midlineshift_training.datasets.annotated.problems import Problem
from midlineshift_training.datasets.scan_files import ENDINGS
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.reporting.case_name import case_name


@dataclass(frozen=True)
class GivenScan:
    """A scan file or DICOM folder and what is known of it.

    Attributes:
        name: case name, from the file's or folder's. path: the scan. row: what the table of cases says.
        slices: landmarks of labelled slices. spacing: for ``.npy``.
    """

    name: str
    path: Path
    row: CaseRow
    slices: tuple[GivenPoints, ...] = ()
    spacing: Spacing | None = None


def read_scan_folder(
    folder: Path,
    table: Path | None,
    markups: Path | None,
    cases: Path | None,
    coordinates: str,
    spacing: Spacing | None,
) -> tuple[list[GivenScan], list[Problem]]:
    """List all scans of a folder (files, and sub-folders of DICOM), and what is wrong with the tables.

    Raises:
        InputError: no such folder, no scan in it, a table that is none.
    """
    paths = _scan_files(folder, spacing)
    names = {case_name(path): path for path in paths}
    problems = []
    for path in paths:
        if names[case_name(path)] != path:
            problems.append(Problem(str(path), f"it has the same case name as {names[case_name(path)]}; rename one."))
    given: dict[str, list[GivenPoints]] = {}
    rows: dict[str, CaseRow] = {}
    if table is not None:
        found, bad = read_landmark_table(table, coordinates)
        problems += bad + _unknown(table, found, names)
        _add(given, found)
    if markups is not None:
        found, bad = read_markups(markups, set(names))
        problems += bad
        _add(given, found)
    if cases is not None:
        rows, bad = read_case_table(cases)
        problems += bad + _unknown(cases, rows, names)
    scans = [
        GivenScan(name, path, rows.get(name, CaseRow()), tuple(given.get(name, ())), spacing)
        for name, path in names.items()
    ]
    return scans, problems


def _scan_files(folder: Path, spacing: Spacing | None) -> list[Path]:
    """Scan files and sub-folders; ``.npy`` arrays too where a spacing is given."""
    if not folder.is_dir():
        raise InputError(f"There is no folder of scans {folder}.", "no-scans")
    endings = (*ENDINGS, ".npy") if spacing else ENDINGS
    visible = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    paths = [path for path in visible if path.is_dir() or path.name.lower().endswith(endings)]
    if not paths:
        arrays = any(path.name.lower().endswith(".npy") for path in visible)
        hint = " Its .npy arrays say nowhere how large a voxel is: give --spacing Z,Y,X in mm." if arrays else ""
        raise InputError(f"No scans ({', '.join(ENDINGS)}, DICOM folders) in {folder}.{hint}", "no-scans")
    return paths


def _unknown(table: Path, found: dict, names: dict) -> list[Problem]:
    return [Problem(str(table), f"its case {name!r} is not among the scans.") for name in found if name not in names]


def _add(given: dict, found: dict) -> None:
    for name, slices in found.items():
        given.setdefault(name, []).extend(slices)
