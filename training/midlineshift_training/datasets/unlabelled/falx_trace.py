"""Where the falx shows in an unshifted scan: the midline of every slice from the picture itself.

A network that learnt from phantoms leans on the skull's symmetry. Real falces do not: behind and below they turn aside
toward the larger transverse sinus, by 3-4 mm in one head of four. Trained on its own straight planes, a network goes
only part of the way (ADR 0028). In a scan without a bleed nothing bright is beside the falx, so that it can be followed
as a bright ridge: from the frontal crest backward, and from the internal occipital crest forward. Between them, where
ventricles and their walls would mislead, the network's own midline is kept.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from MidlineShiftLogic.geometry.frame import Frame
from MidlineShiftLogic.geometry.lines import direction, normal
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.measurement.deviation import FRACTIONS
from MidlineShiftLogic.measurement.midline_curves import MidlineCurves

# Along the falx, from its anterior end; half a per cent is about 0.75 mm.
ALONG = np.linspace(0.0, 1.0, 201)
# Stretches followed in the picture; the outermost 1.5 % are bone.
ANTERIOR, POSTERIOR = (0.015, 0.25), (0.60, 0.985)
# From where to where the network's midline takes over, and hands back.
HANDOVER = ((0.17, 0.27), (0.62, 0.72))
# mm to either side of the head's plane that are searched.
ASIDE_MM = np.arange(-12.0, 12.01, 0.5)
WINDOW_HU = (0.0, 90.0)
# Widths of the ridge filter: across the falx, along it, and from slice to slice.
RIDGE_MM = (1.0, 2.0, 5.0)
# A path pays for every step to the side and for leaving the plane; in units of the filter's answer (HU).
STEP_COST, MAX_STEPS = 0.3, 2
PLANE_COST, PLANE_MM = 1.5, 4.0
# The outermost stretch of a path that is carried on, straight, to the bone.
CARRIED_ON_MM = 12.0


def follow_ridge(ridge: np.ndarray, plane_cost: np.ndarray) -> np.ndarray:
    """Return the path from the first row to the last along which the ridge is strongest (Viterbi's algorithm).

    Args:
        ridge: (rows, columns) answer of the ridge filter. plane_cost: (columns,) cost of each column.

    Returns:
        (rows,) column of the path in each row.
    """
    rows, columns = ridge.shape
    gain = ridge - plane_cost
    best, came = gain[0], np.zeros((rows, columns), int)
    steps = np.arange(-MAX_STEPS, MAX_STEPS + 1)
    source = np.arange(columns)[:, None] + steps
    reachable = (source >= 0) & (source < columns)
    source = source.clip(0, columns - 1)
    for row in range(1, rows):
        offer = np.where(reachable, best[source] - STEP_COST * np.abs(steps), -np.inf)
        choice = offer.argmax(1)
        came[row] = source[np.arange(columns), choice]
        best = offer[np.arange(columns), choice] + gain[row]
    path = [int(best.argmax())]
    for row in range(rows - 1, 0, -1):
        path.append(int(came[row, path[-1]]))
    return np.array(path[::-1])


def _strips(ct: HeadCT, slices: np.ndarray, start: np.ndarray, length: np.ndarray, angle: float) -> np.ndarray:
    """Return (k, len(ALONG), len(ASIDE_MM)) HU along the plane; start (k, 2) plane mm, length (k,) mm."""
    row_mm, column_mm = ct.pixel_spacing
    n, u = normal(angle), direction(angle)
    result = []
    for j, index in enumerate(slices):
        points = start[j] + ALONG[:, None, None] * length[j] * u + ASIDE_MM[:, None] * n
        where = [points[..., 1] / row_mm, points[..., 0] / column_mm]
        result.append(ndimage.map_coordinates(np.clip(ct.hu[index], *WINDOW_HU).astype(float), where, order=1))
    return np.array(result)


def trace_falx(
    ct: HeadCT, slices: np.ndarray, start: np.ndarray, length: np.ndarray, angle: float, midline: np.ndarray
) -> np.ndarray:
    """Return the midline of every slice of an unshifted scan, relative to the head's plane.

    Args:
        ct: the scan, free of bleeds. slices: (k,) indices, upward. start: (k, 2) plane mm (column, row) of the falx's
            anterior end on the plane. length: (k,) mm from there to its posterior end. angle: radians, the plane's normal.
        midline: (k, len(ALONG)) mm by which the network's midline is to the left of the plane.

    Returns:
        (k, len(ALONG)) mm by which the midline is to the left of the plane; its first and last values are the
        attachments.
    """
    across, along, between = RIDGE_MM
    step_mm = (ALONG[1] - ALONG[0]) * float(np.mean(length))
    apart = float(np.median(np.abs(np.diff(ct.heights[slices])))) if len(slices) > 1 else np.inf
    pitch = ASIDE_MM[1] - ASIDE_MM[0]
    sigma = (between / apart, along / step_mm, across / pitch)
    ridge = -ndimage.gaussian_filter(_strips(ct, slices, start, length, angle), sigma, order=(0, 0, 2))
    ridge *= sigma[2] ** 2
    cost = PLANE_COST * (ASIDE_MM / PLANE_MM) ** 2
    result = np.array(midline, float)
    outermost = max(2, round(CARRIED_ON_MM / step_mm))
    front, back = (np.flatnonzero((low <= ALONG) & (high >= ALONG)) for low, high in (ANTERIOR, POSTERIOR))
    for j in range(len(slices)):
        for rows, (inner, outer) in ((front[::-1], HANDOVER[0][::-1]), (back, HANDOVER[1])):
            path = ndimage.gaussian_filter1d(ASIDE_MM[follow_ridge(ridge[j][rows], cost)], 2.0, mode="nearest")
            slope, level = np.polyfit(ALONG[rows[-outermost:]], path[-outermost:], 1)
            found = (level + slope * ALONG).clip(ASIDE_MM[0], ASIDE_MM[-1])
            found[rows] = path
            share = np.clip((ALONG - inner) / (outer - inner), 0, 1)
            result[j] = (1 - share) * result[j] + share * found
    return ndimage.gaussian_filter1d(result, 3.0, axis=1, mode="nearest")


def network_midline(
    frame: Frame, index: np.ndarray, curves: MidlineCurves, start: np.ndarray, length: np.ndarray, angle: float
) -> np.ndarray:
    """Return (k, len(ALONG)) mm by which the network's midline is to the left of the plane, see ``trace_falx``."""
    n, u = normal(angle), direction(angle)
    middle = (frame.size - 1) / 2
    result = np.empty((len(index), len(ALONG)))
    for j, k in enumerate(index):
        line = curves.falx_attachments[j, 0] + FRACTIONS[:, None] * (
            curves.falx_attachments[j, 1] - curves.falx_attachments[j, 0]
        )
        own = line + curves.deviation[j][:, None] / frame.step_mm * normal(curves.angle[j])
        points = (
            frame.to_plane(
                k, np.concatenate([curves.falx_attachments[j, :1], own, curves.falx_attachments[j, 1:]]) + middle
            )
            - start[j]
        )
        result[j] = np.interp(ALONG, points @ u / length[j], points @ n)
    return result
