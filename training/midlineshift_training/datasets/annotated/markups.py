"""Landmarks placed in 3D Slicer: point lists saved as ``CASE.mrk.json`` or ``CASE.ANYTHING.mrk.json``.

A point's name is its description or its label ("Anterior falx", "anterior_falx"). A list may hold several labelled
slices: the second point of a name begins the next one. Lists without any such name are read four by four in the order
anterior falx, posterior falx, shifted, ideal.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from midlineshift_training.datasets.annotated.landmark_table import to_lps
from midlineshift_training.datasets.annotated.points import GivenPoints
from midlineshift_training.datasets.annotated.problems import Problem
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.measurement.results import LANDMARK_NAMES
from MidlineShiftLogic.text import counted, parse_json

ENDING = ".mrk.json"
# Slicer before 4.11.20200930 wrote numbers
_SYSTEMS = {"LPS": "LPS", "RAS": "RAS", "1": "LPS", "0": "RAS"}


def read_markups(folder: Path, cases: set[str]) -> tuple[dict[str, list[GivenPoints]], list[Problem]]:
    """Return the labelled slices by case of all lists in a folder and its sub-folders.

    Args:
        cases: names of the set's cases; a list of no such case is a problem.

    Raises:
        InputError: the folder holds no such list.
    """
    found: dict[str, list[GivenPoints]] = {}
    problems = []
    paths = sorted(folder.rglob(f"*{ENDING}"))
    if not paths:
        raise InputError(f"{folder} is no folder with point lists of 3D Slicer (CASE{ENDING}).", "landmarks")
    for path in paths:
        case = _case_of(path, cases)
        try:
            if case is None:
                raise ValueError("it belongs to none of the scans: call it CASE.mrk.json or CASE.ANYTHING.mrk.json")
            found.setdefault(case, []).extend(_read(path))
        except ValueError as error:
            problems.append(Problem(str(path), f"{error}."))
    return found, problems


def _case_of(path: Path, cases: set[str]) -> str | None:
    """Return the longest case name that the file's name is or begins with."""
    name = path.name.removesuffix(ENDING)
    fitting = [case for case in cases if name == case or name.startswith(f"{case}.")]
    return max(fitting, key=len, default=None)


def _read(path: Path) -> list[GivenPoints]:
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
        lists = content["markups"]
        points = [
            (_name(point), to_lps(_position(point), _system(one)))
            for one in lists
            for point in one.get("controlPoints") or ()
            if point.get("positionStatus", "defined") == "defined"
        ]
    except OSError as error:
        raise ValueError(f"it cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError, AttributeError):
        raise ValueError("it is not a list of markups as 3D Slicer writes it") from None
    groups = _by_name(points) if any(name for name, _ in points) else _in_order([point for _, point in points])
    return [GivenPoints(f"{path}, slice {k + 1}", group) for k, group in enumerate(groups)]


def _by_name(points: list[tuple[str | None, np.ndarray]]) -> list[dict[str, np.ndarray]]:
    groups: list[dict[str, np.ndarray]] = []
    for name, point in points:
        if name is None:
            raise ValueError(f"some of its points are called {', '.join(LANDMARK_NAMES)}, others otherwise")
        if not groups or name in groups[-1]:
            groups.append({})
        groups[-1][name] = point
    return groups


def _in_order(points: list[np.ndarray]) -> list[dict[str, np.ndarray]]:
    if not points or len(points) % len(LANDMARK_NAMES):
        raise ValueError(f"it has {counted(len(points), 'point')} without names; four a slice are needed")
    step = len(LANDMARK_NAMES)
    return [dict(zip(LANDMARK_NAMES, points[k : k + step], strict=True)) for k in range(0, len(points), step)]


def _name(point: dict) -> str | None:
    for text in (point.get("description"), point.get("label")):
        name = str(text or "").strip().lower().replace(" ", "_").replace("-", "_")
        if name in LANDMARK_NAMES:
            return name
    return None


def _position(point: dict) -> np.ndarray:
    position = np.array(point["position"], float)
    if position.shape != (3,) or not np.isfinite(position).all():
        raise ValueError(f"the place of its point {point.get('label')!r} is {point['position']!r}")
    return position


def _system(markups: dict) -> str:
    given = str(markups.get("coordinateSystem", "LPS"))
    if given not in _SYSTEMS:
        raise ValueError(f"its coordinate system is {given!r}, not LPS or RAS")
    return _SYSTEMS[given]
