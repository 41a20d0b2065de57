"""Judge from the anatomy which end of a scan is the front and which the top.

A linear template weighs the density of the head on a coarse grid: forehead and face against the back of the head, skull
base against vertex. It was fitted by Resources/make_orientation_template.py so that an intact head scores higher than the
same head turned. The scores change their sign when the scan is turned, so what is missed and what is falsely reported
is limited by the same number. Left and right are averaged: a mirrored head looks like an intact one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from scipy import ndimage

from MidlineShiftLogic.headct.head_shape import MIN_BRAIN_MM2, HeadShape

TEMPLATE = Path(__file__).with_name("orientation_template.npy")

LEVELS_MM = np.arange(10.0, 125.0, 12.0)
"""Below the highest slice that shows brain: from the vertex to below the orbits of an adult."""

CELLS = 16
"""Cells along the length and the width of the head."""

SAMPLES = 2
"""Points along each edge of a cell, which are averaged."""

DENSITY_HU, SCALE_HU = (-150.0, 300.0), 50.0
"""Air and fat differ from brain, and brain from bone, but no single value weighs more than a few others."""

LARGEST = 7
"""Slices with most brain, whose head frames the grid."""

MIN_ROW_MM = 15.0
"""Rows and columns that show less of the head are nose, ears and tubes."""


@dataclass(frozen=True)
class OrientationEvidence:
    """How much better a scan fits a head as it is than turned: about 1 for intact scans, about -1 for turned ones.

    Attributes:
        front_back: against the scan with front and back exchanged.
        upside_down: against the scan with its slices in reverse order.
        both: against the scan with both exchanged, as turned about the axis through the ears.
    """

    front_back: float
    upside_down: float
    both: float


def orientation_evidence(heights: np.ndarray, shape: HeadShape) -> OrientationEvidence | None:
    """Compare a head with the same head turned.

    Args:
        heights: (slice,) mm, rising. shape: the scan's coarse masks.

    Returns:
        The evidence, or None where no brain was found.
    """
    densities = density_grids(heights, shape)
    if densities is None:
        return None
    scores = densities.reshape(4, -1) @ _template().ravel()
    return OrientationEvidence(*(float(scores[0] - other) for other in scores[1:]))


def density_grids(heights: np.ndarray, shape: HeadShape) -> np.ndarray | None:
    """Mean densities of a head as it is, with front and back exchanged, upside down, and both.

    Args:
        heights: (slice,) mm, rising. shape: the scan's coarse masks.

    Returns:
        (4, level, row, half of the columns), left and right averaged; None where no brain was found.
    """
    frame = _frame(shape)
    if frame is None:
        return None
    hu = np.clip(shape.hu, *DENSITY_HU) / SCALE_HU
    slices = np.flatnonzero(shape.brain_area >= MIN_BRAIN_MM2)
    upright = _density(hu, heights, heights[slices[-1]], frame)
    reversed_ = _density(hu[::-1], -heights[::-1], -heights[slices[0]], frame)
    return np.stack([upright, upright[:, ::-1], reversed_, reversed_[:, ::-1]])


@cache
def _template() -> np.ndarray:
    return np.load(TEMPLATE).astype(float)


def _frame(shape: HeadShape) -> tuple[np.ndarray, np.ndarray] | None:
    """Return ((first, last) row, (first, last) column) of the head on the slices with most brain."""
    area = shape.brain_area
    if not (area >= MIN_BRAIN_MM2).any():
        return None
    rows, columns = [], []
    for index in np.argsort(area)[-LARGEST:]:
        row = np.flatnonzero(shape.head[index].sum(axis=1) * shape.pixel[1] > MIN_ROW_MM)
        column = np.flatnonzero(shape.head[index].sum(axis=0) * shape.pixel[0] > MIN_ROW_MM)
        if len(row) and len(column):
            rows.append((row[0], row[-1]))
            columns.append((column[0], column[-1]))
    return (np.median(rows, axis=0), np.median(columns, axis=0)) if rows else None


def _density(hu: np.ndarray, heights: np.ndarray, top: float, frame) -> np.ndarray:
    """Return (level, row, half of the columns); levels outside the scan hold zeros."""
    points = [np.linspace(first, last, SAMPLES * CELLS + 1) for first, last in frame]
    rows, columns = ((line[1:] + line[:-1]) / 2 for line in points)
    places = np.interp(top - LEVELS_MM, heights, np.arange(len(heights)), left=np.nan, right=np.nan)
    scanned = np.isfinite(places)
    grid = np.zeros((len(LEVELS_MM), CELLS, CELLS))
    if scanned.any():
        values = ndimage.map_coordinates(hu, np.meshgrid(places[scanned], rows, columns, indexing="ij"), order=1)
        grid[scanned] = values.reshape(-1, CELLS, SAMPLES, CELLS, SAMPLES).mean(axis=(2, 4))
    return ((grid + grid[:, :, ::-1]) / 2)[:, :, : CELLS // 2]
