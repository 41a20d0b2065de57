"""Check whether a case is fit to learn from; list what is wrong with it, in sentences."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from midlineshift_training.datasets.annotated.case import shift_mm
from midlineshift_training.datasets.annotated.problems import ERROR, WARNING, Problem
from MidlineShiftLogic.headct import check
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.measurement.distance import ideal_point
from MidlineShiftLogic.text import counted

FALX_MM = (70.0, 210.0)
"""Falx end to falx end in a labelled slice, from a newborn's to a long adult head."""
LARGEST_SHIFT_MM = 40.0
OFF_LINE_MM = 8.0
"""How far the ideal point may be from the line between the falx ends: they are placed by hand."""
OUTSIDE_HEAD_HU = -300.0
NON_MLS_MM = 3.0


def check_case(
    where: str, ct: HeadCT, landmarks: Mapping[int, np.ndarray], shifted: bool | None, case_mm: float | None
) -> list[Problem]:
    """Check one case.

    Args:
        where: case and file, for messages. ct: the scan. landmarks: slice of ``ct`` -> (4, 2) px.
        shifted, case_mm: what is known of the case.
    """
    flags = [*ct.quality, *check(ct)]
    found = [Problem(where, flag.message) for flag in dict.fromkeys(flags) if flag.severity == "fatal"]
    for index, points in landmarks.items():
        found += [Problem(where, f"slice {index}: {what}", severity) for what, severity in _slice(ct, index, points)]
    found += [Problem(where, what, WARNING) for what in _labels(ct, landmarks, shifted, case_mm)]
    return found


def _slice(ct: HeadCT, index: int, points: np.ndarray) -> list[tuple[str, str]]:
    """Return what is wrong with one slice's landmarks, and how badly."""
    _, rows, columns = ct.hu.shape
    if not 0 <= index < ct.n_slices:
        return [(f"the scan has only {counted(ct.n_slices, 'slice')}.", ERROR)]
    if not np.isfinite(points).all():
        return [("a landmark is not a finite number.", ERROR)]
    if (points < -0.5).any() or (points > (columns - 0.5, rows - 0.5)).any():
        return [(f"a landmark is outside the picture of {columns} columns and {rows} rows.", ERROR)]
    row_mm, column_mm = ct.pixel_spacing
    mm = points * (column_mm, row_mm)
    falx = float(np.linalg.norm(mm[1] - mm[0]))
    if not FALX_MM[0] <= falx <= FALX_MM[1]:
        return [
            (
                f"its falx would be {falx:.0f} mm long; landmarks are (column, row) px in the order anterior falx, "
                "posterior falx, shifted, ideal, and the voxel size must be right.",
                ERROR,
            )
        ]
    found = []
    if mm[0, 1] >= mm[1, 1]:
        found.append(("the anterior falx is behind the posterior one; rows must run from front to back.", ERROR))
    shift = shift_mm(points, ct.pixel_spacing)
    if shift > LARGEST_SHIFT_MM:
        found.append((f"it would be shifted by {shift:.0f} mm.", ERROR))
    off = float(np.linalg.norm(ideal_point(mm[0], mm[1], mm[3]) - mm[3]))
    if off > OFF_LINE_MM:
        found.append((f"its ideal point is {off:.0f} mm off the line between the falx ends.", WARNING))
    column, row = np.rint(points[2]).astype(int).clip(0, (columns - 1, rows - 1))
    if ct.hu[index, row, column] < OUTSIDE_HEAD_HU:
        found.append(("its shifted landmark is in air.", WARNING))
    return found


def _labels(ct: HeadCT, landmarks: Mapping[int, np.ndarray], shifted: bool | None, case_mm: float | None) -> list[str]:
    """Return what the case's labels contradict."""
    if shifted is False and case_mm:
        return [f"its label says unshifted, its shift is {case_mm:.1f} mm; taken as unshifted."]
    sizes = [shift_mm(points, ct.pixel_spacing) for points in landmarks.values() if np.isfinite(points).all()]
    if not sizes:
        return []
    largest = max(sizes)
    if shifted is False and largest > NON_MLS_MM:
        return [f"its label says unshifted, its landmarks {largest:.1f} mm."]
    if case_mm is not None and largest > case_mm + max(1.0, 0.1 * case_mm):
        return [f"its landmarks say {largest:.1f} mm, more than the whole case's {case_mm:.1f} mm."]
    return []
