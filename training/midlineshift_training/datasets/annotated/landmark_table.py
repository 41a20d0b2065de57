"""CSV tables: landmarks, one labelled slice a row; and what is known of each case.

Landmarks, ``case`` and either columns of pixels, ``slice`` (0 = the lowest of the file), ``anterior_falx_col``,
``anterior_falx_row``, and so on for ``posterior_falx``, ``shifted`` and (may be left out) ``ideal``; or columns of
millimetres, ``anterior_falx_x``, ``_y``, ``_z`` and so on. Pixels are those of the axial picture as radiologists see it:
column 0 at the patient's right, row 0 in front.

Cases: ``case``, and any of ``patient``, ``mls`` (0 or 1), ``shift_mm``.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from midlineshift_training.datasets.annotated.points import NEEDED, GivenPoints
from midlineshift_training.datasets.annotated.problems import Problem
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.measurement.results import LANDMARK_NAMES

COORDINATES = ("LPS", "RAS")
_PIXELS, _MILLIMETRES = ("col", "row"), ("x", "y", "z")


@dataclass(frozen=True)
class CaseRow:
    """What a table tells of a case; None where it does not."""

    patient: str | None = None
    shifted: bool | None = None
    case_mm: float | None = None


def to_lps(point: np.ndarray, coordinates: str) -> np.ndarray:
    """(3,) mm in LPS or RAS -> LPS."""
    return point * (-1.0, -1.0, 1.0) if coordinates == "RAS" else point


def read_landmark_table(path: Path, coordinates: str = "LPS") -> tuple[dict[str, list[GivenPoints]], list[Problem]]:
    """Case -> labelled slices, and the rows that could not be used. InputError if the file is no such table."""
    rows, columns = _rows(path)
    in_pixels = "slice" in columns and all(f"{name}_{axis}" in columns for name in NEEDED for axis in _PIXELS)
    in_mm = all(f"{name}_{axis}" in columns for name in NEEDED for axis in _MILLIMETRES)
    if not in_pixels and not in_mm:
        raise InputError(
            f"{path} is no table of landmarks: it needs the columns case, slice, {NEEDED[0]}_col, {NEEDED[0]}_row (and so "
            f"on for {', '.join(NEEDED[1:])}), or case, {NEEDED[0]}_x, {NEEDED[0]}_y, {NEEDED[0]}_z and so on in mm.",
            "landmarks",
        )
    axes = _PIXELS if in_pixels else _MILLIMETRES
    found: dict[str, list[GivenPoints]] = {}
    problems = []
    for line, row in rows:
        where = f"{path}, line {line}"
        try:
            points = {}
            for name in LANDMARK_NAMES:
                texts = [(row.get(f"{name}_{axis}") or "").strip() for axis in axes]
                if not any(texts) and name not in NEEDED:
                    continue
                point = np.array([_finite(text) for text in texts])
                points[name] = point if in_pixels else to_lps(point, coordinates)
            index = _whole(row["slice"]) if in_pixels else None
        except ValueError as error:
            problems.append(Problem(where, f"{error}."))
            continue
        found.setdefault(row["case"].strip(), []).append(GivenPoints(where, points, index))
    return found, problems


def read_case_table(path: Path) -> tuple[dict[str, CaseRow], list[Problem]]:
    """Case -> what is known of it, and the rows that could not be used. InputError if the file is no such table."""
    rows, _columns = _rows(path)
    found: dict[str, CaseRow] = {}
    problems = []
    for line, row in rows:
        try:
            case = row["case"].strip()
            if case in found:
                raise ValueError(f"the case {case} has a second row")
            found[case] = CaseRow(
                patient=(row.get("patient") or "").strip() or None,
                shifted=_given(row.get("mls"), _yes_or_no),
                case_mm=_given(row.get("shift_mm"), _size),
            )
        except ValueError as error:
            problems.append(Problem(f"{path}, line {line}", f"{error}."))
    return found, problems


def _rows(path: Path) -> tuple[list[tuple[int, dict[str, str]]], set[str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            rows = [(reader.line_num, row) for row in reader]
            columns = set(reader.fieldnames or ())
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}).", "no-file") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is not a CSV table ({error}).", "table") from None
    if "case" not in columns:
        raise InputError(f"{path} has no column 'case'.", "table")
    return [(line, row) for line, row in rows if any(row.values())], columns


def _given(text: str | None, convert: Callable):
    return convert(text) if text and text.strip() else None


def _finite(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number") from None
    if not np.isfinite(value):
        raise ValueError(f"{text!r} is not a finite number")
    return value


def _whole(text: str) -> int:
    value = _finite(text)
    if value != int(value):
        raise ValueError(f"{text!r} is not the number of a slice")
    return int(value)


def _yes_or_no(text: str) -> bool:
    if text.strip() not in ("0", "1"):
        raise ValueError(f"mls is {text!r}, not 0 or 1")
    return text.strip() == "1"


def _size(text: str) -> float:
    value = _finite(text)
    if value < 0:
        raise ValueError(f"shift_mm is {text!r}, not 0 or more (it has no side)")
    return value
