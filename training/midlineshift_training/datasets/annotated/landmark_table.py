"""CSV tables: landmarks, one labelled slice a row; and what is known of each case.

Landmarks, ``case`` and either columns of pixels, ``slice`` (0 = the lowest of the file), ``anterior_falx_col``,
``anterior_falx_row``, and so on for ``posterior_falx``, ``shifted`` (or ``midline``, the midline structure at the septum's
depth, shifted or not) and, where given, ``ideal`` and the midline points in ``front`` of and ``back`` behind it; or columns of
millimetres, ``anterior_falx_x``, ``_y``, ``_z`` and so on. Pixels are those of the axial picture as radiologists see it:
column 0 at the patient's right, row 0 in front. Optional columns: ``confidence`` (``high``, ``medium``, ``low`` or a number
from 0 to 1), ``structure`` (which one the midline point is on), ``reader`` (slices of several readers are averaged) and
``fold`` (number of the case's part in a cross-validation). A slice in which a needed point is empty is left out.

Cases: ``case``, and any of ``patient``, ``mls`` (0 or 1), ``shift_mm``.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from midlineshift_training.datasets.annotated.points import EXTRA, NEEDED, GivenPoints
from midlineshift_training.datasets.annotated.problems import WARNING, Problem
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.measurement.results import LANDMARK_NAMES

_PIXELS, _MILLIMETRES = ("col", "row"), ("x", "y", "z")
_OTHER_NAMES = {"shifted": "midline"}
CONFIDENCES = {"high": 1.0, "medium": 0.7, "low": 0.35}
"""Weights of a reader's words: about the inverse of how far slices of each confidence differ between readers."""


@dataclass(frozen=True)
class CaseRow:
    """What a table states of a case; None where it does not."""

    patient: str | None = None
    shifted: bool | None = None
    case_mm: float | None = None


def to_lps(point: np.ndarray, coordinates: str) -> np.ndarray:
    """Return (3,) mm in LPS or RAS -> LPS."""
    return point * (-1.0, -1.0, 1.0) if coordinates == "RAS" else point


def read_landmark_table(path: Path, coordinates: str = "LPS") -> tuple[dict[str, list[GivenPoints]], list[Problem]]:
    """Return the labelled slices by case, and the rows that could not be used. InputError if the file is no such table."""
    rows, columns = _rows(path)
    column_of = {name: _column(name, columns) for name in (*LANDMARK_NAMES, *EXTRA)}
    in_pixels = "slice" in columns and all(
        f"{column_of[name]}_{axis}" in columns for name in NEEDED for axis in _PIXELS
    )
    in_mm = all(f"{column_of[name]}_{axis}" in columns for name in NEEDED for axis in _MILLIMETRES)
    if not in_pixels and not in_mm:
        raise InputError(
            f"{path} is no table of landmarks: it needs the columns case, slice, {NEEDED[0]}_col, {NEEDED[0]}_row (and so "
            f"on for {', '.join(NEEDED[1:])}), or case, {NEEDED[0]}_x, {NEEDED[0]}_y, {NEEDED[0]}_z and so on in mm.",
            "landmarks",
        )
    if not rows:
        raise InputError(f"{path} has no row below its names of columns.", "landmarks")
    axes = _PIXELS if in_pixels else _MILLIMETRES
    found: dict[str, list[GivenPoints]] = {}
    problems = []
    for line, row in rows:
        where = f"{path}, line {line}"
        try:
            points = {}
            for name, column in column_of.items():
                texts = [(row.get(f"{column}_{axis}") or "").strip() for axis in axes]
                if any(texts):
                    point = np.array([_finite(text) for text in texts])
                    points[name] = point if in_pixels else to_lps(point, coordinates)
            given = GivenPoints(where, points, _whole(row["slice"]) if in_pixels else None, **_notes(row))
        except ValueError as error:
            problems.append(Problem(where, f"{error}."))
            continue
        missing = [column_of[name] for name in NEEDED if name not in points]
        if missing:
            problems.append(Problem(where, f"{', '.join(missing)} is empty; the slice is left out.", WARNING))
            continue
        found.setdefault(row["case"].strip(), []).append(given)
    return found, problems


def _column(name: str, columns: set[str]) -> str:
    """Return the name that a landmark's columns begin with."""
    other = _OTHER_NAMES.get(name)
    return other if other and not any(column.startswith(f"{name}_") for column in columns) else name


def _notes(row: Mapping[str, str | None]) -> dict[str, Any]:
    """Return what a row says beside its points; ValueError if it is no such value."""
    return {
        "confidence": _given(row.get("confidence"), _confidence),
        "structure": (row.get("structure") or "").strip(),
        "reader": (row.get("reader") or "").strip(),
        "fold": _given(row.get("fold"), _whole),
    }


def _confidence(text: str) -> float:
    word = text.strip().lower()
    if word in CONFIDENCES:
        return CONFIDENCES[word]
    try:
        value = float(word)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise ValueError(f"confidence is {text!r}, not {', '.join(CONFIDENCES)} or a number above 0 and up to 1")
    return value


def read_case_table(path: Path) -> tuple[dict[str, CaseRow], list[Problem]]:
    """Return what is known of each case, and the rows that could not be used. InputError if the file is no such table."""
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
