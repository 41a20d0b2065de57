"""The layout of Gong et al. (2023): one ``.npy`` of Hounsfield units a case, one ``.pkl`` of labels a set.

``{patient: [path, 0 or 1, {slice: array (4, 2)}, shift]}``; a record may end after any of its fields. Points are (column,
row) px of the array: anterior falx, posterior falx, shifted, ideal. A pixel size is recorded nowhere, and the shift is the
largest distance of the slices in pixels.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from midlineshift_training.datasets.annotated.case import AnnotatedCase, shift_mm
from midlineshift_training.datasets.annotated.problems import WARNING, Problem
from midlineshift_training.datasets.annotated.safe_pickle import load_plain
from MidlineShiftLogic.errors import InputError

Spacing = tuple[float, float, float]
_SAME = 0.02
"""Relative difference up to which two numbers count as the same label."""


def read_authors_set(
    path: Path, spacing: Spacing | None, unit: str = "px", root: Path | None = None
) -> tuple[list[AnnotatedCase], list[Problem]]:
    """Load the cases of their ``.pkl``; scans are not opened.

    Args:
        spacing: (slice, row, column) mm of all its arrays.
        unit: of the case-level shift: "px" as theirs, or "mm".
        root: folder that the paths are relative to; by default the pickle's, the one above it, or the current one.

    Raises:
        InputError: no spacing; the file cannot be read, is no such table, or asks to run something.
    """
    if spacing is None:
        raise InputError(
            f"{path} says nowhere how large a pixel is: give --spacing Z,Y,X, the mm between slices, rows and columns of "
            "its arrays.",
            "no-spacing",
        )
    content = load_plain(path)
    if not isinstance(content, dict) or not content:
        raise InputError(f"{path} is no table of cases: a dict of patients is needed.", "pickle")
    roots = [root] if root else [path.parent, path.parent.parent, Path()]
    cases: dict[Path, AnnotatedCase] = {}
    problems = []
    names = Counter(str(name) for name in content)
    for name, record in content.items():
        where = f"{name}"
        if names[where] > 1:
            problems.append(Problem(where, f"two patients are called {where}, as a number and as a text; rename one."))
            continue
        try:
            case, found = _case(str(name), record, spacing, unit, roots)
        except _Bad as bad:
            problems.append(Problem(where, str(bad)))
            continue
        problems += [Problem(f"{where} ({case.path})", what, WARNING) for what in found]
        first = cases.get(case.path)
        if first is None:
            cases[case.path] = case
        elif _same_labels(first, case):
            cases[case.path] = replace(first, weight=first.weight + 1)
        else:
            problems.append(Problem(where, f"{case.path} is also the scan of {first.name}, with other labels."))
    return list(cases.values()), problems


def load_authors_table(path: Path) -> list[AnnotatedCase]:
    """Return the cases whose scans a ``.pkl`` names and that are there; InputError if it is no such table."""
    return read_authors_set(path, (1.0, 1.0, 1.0))[0]


class _Bad(Exception):
    """A record that cannot be used, and why."""


def _case(name: str, record: Any, spacing: Spacing, unit: str, roots: list[Path]) -> tuple[AnnotatedCase, list[str]]:
    if not isinstance(record, list | tuple) or not 1 <= len(record) <= 4 or not isinstance(record[0], str):
        raise _Bad("its record must be [path, 0 or 1, {slice: landmarks}, shift]; only the path is needed.")
    fields: list[Any] = [*record, None, None, None]
    given, label, slices, shift = fields[:4]
    path = next((root / given for root in roots if (root / given).is_file()), None)
    if path is None:
        raise _Bad(f"its scan {given} was found in none of {', '.join(map(str, roots))}; give --root.")
    if label not in (None, 0, 1):
        raise _Bad(f"its case label must be 0 or 1, not {label!r}.")
    shifted = None if label is None else bool(label)
    landmarks = _landmarks({} if slices is None else slices)
    case_mm, warnings = _case_mm(shift, shifted, landmarks.values(), spacing[1:], unit)
    case = AnnotatedCase(
        name, name, path, spacing[1:], spacing, shifted=shifted, case_mm=case_mm, landmarks=landmarks, of_file=True
    )
    return case, warnings


def _landmarks(slices: Any) -> dict[int, np.ndarray]:
    if not isinstance(slices, dict):
        raise _Bad("its landmarks must be a dict {slice: array of 4 points}.")
    found = {}
    for key, points in slices.items():
        try:
            points = np.asarray(points, float)
            index = int(key)
        except (TypeError, ValueError):
            raise _Bad(f"the landmarks of slice {key!r} are not numbers.") from None
        if index != key:
            raise _Bad(f"{key!r} is not the number of a slice.")
        if points.shape != (4, 2):
            raise _Bad(f"slice {index} has landmarks of shape {points.shape}, not (4, 2).")
        found[index] = points
    return found


def _case_mm(
    shift: Any, shifted: bool | None, slices: Iterable[np.ndarray], pixel_spacing: tuple[float, float], unit: str
) -> tuple[float | None, list[str]]:
    """Return the case's shift in mm, and what is odd about it."""
    if shift is None or (isinstance(shift, float) and math.isnan(shift)):
        return None, []
    if isinstance(shift, bool) or not isinstance(shift, int | float) or not 0 <= shift < math.inf:
        raise _Bad(f"its shift must be a number of 0 or more, not {shift!r}.")
    if shifted is False:
        odd = [f"its label says unshifted, its shift is {shift:g}; taken as unshifted."] if shift else []
        return 0.0, odd
    if shifted and not shift:
        return None, ["its label says shifted, its shift is 0; the shift is taken as unknown."]
    largest = max(slices, key=lambda points: shift_mm(points, pixel_spacing), default=None)
    mean_pixel = math.sqrt(pixel_spacing[0] * pixel_spacing[1])
    case_mm = float(shift) * (mean_pixel if unit == "px" else 1)
    if largest is None:
        return case_mm, []
    of_landmarks = {"px": shift_mm(largest, (1.0, 1.0)), "mm": shift_mm(largest, pixel_spacing)}
    if _close(shift, of_landmarks[unit]):
        return of_landmarks["mm"], []
    other = "mm" if unit == "px" else "px"
    hint = f"; it would be right in {other} (--shift-unit {other})" if _close(shift, of_landmarks[other]) else ""
    return case_mm, [f"its shift is {shift:.4g} {unit}, its landmarks say {of_landmarks[unit]:.4g}{hint}."]


def _close(a: float, b: float) -> bool:
    return abs(a - b) <= max(0.05, _SAME * b)


def _same_labels(a: AnnotatedCase, b: AnnotatedCase) -> bool:
    same = (a.shifted, a.case_mm, a.landmarks.keys()) == (b.shifted, b.case_mm, b.landmarks.keys())
    return same and all(np.array_equal(points, b.landmarks[k]) for k, points in a.landmarks.items())
