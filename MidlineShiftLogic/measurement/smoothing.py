"""Smooth the midlines of neighbouring slices against each other."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from MidlineShiftLogic.measurement.shift_settings import ShiftSettings

NEAR = 0.05
"""Slices that weigh at least this much of the heaviest count as neighbours of a fit."""
SPARE = 2
"""Neighbours that a fit must have beyond its coefficients: with fewer it would smooth nothing."""


def smooth(
    deviation: np.ndarray, fractions: np.ndarray, z_mm: np.ndarray, weight: np.ndarray, settings: ShiftSettings
) -> np.ndarray:
    """Smooth deviations along the midline (Gaussian) and, by true distance, across slices.

    Across slices each one gets the value at its place of a polynomial fitted to its neighbours, weighted by nearness and
    confidence (local regression, Cleveland 1979): a mean would flatten a shift that peaks in a few slices.

    Args:
        deviation: (k, f) mm.
        fractions: (f,) places along the ideal midline, at equal distances.
        z_mm: (k,) positions of the slices along their normal.
        weight: (k,) confidence of the slices.
        settings: how much is smoothed.

    Returns:
        (k, f) mm.
    """
    pitch = fractions[1] - fractions[0]
    if settings.smooth_fraction > 0:
        deviation = ndimage.gaussian_filter1d(deviation, settings.smooth_fraction / pitch, axis=1, mode="nearest")
    if settings.smooth_mm <= 0:
        return deviation
    apart = z_mm[None, :] - z_mm[:, None]
    kernel = np.exp(-0.5 * (apart / settings.smooth_mm) ** 2) * weight[None, :]
    result = np.empty_like(deviation)
    for j, near in enumerate(kernel):
        degree = int((near > NEAR * near.max()).sum()) - SPARE
        powers = np.vander(apart[j], max(0, min(settings.smooth_order, degree)) + 1, increasing=True)
        root = np.sqrt(near)[:, None]
        result[j] = np.linalg.lstsq(powers * root, deviation * root, rcond=None)[0][0]
    return result
