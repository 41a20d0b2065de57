"""How far the midline deviates from the ideal one at places along it: by the displacement field, and by distance maps.

All points are frame pixels (x, y) from the frame's middle. ``start`` is the anterior falx attachment, ``along`` the vector
from it to the posterior one, ``left`` the unit normal of this line toward the patient's left.
"""

from __future__ import annotations

import numpy as np

from MidlineShiftLogic.geometry.resampling import sample_half_grid

FRACTIONS = np.linspace(0.10, 0.90, 41)
"""Fractions of the ideal midline, from its anterior end, at which the deviation is found. Nearer the attachments the falx
does not give way, and the maps end at the bone."""

FIELD_POINTS = 81
"""Points of the ideal midline that the field moves, twice as many as ``FRACTIONS``: moved points are unevenly spaced."""

TRANSVERSAL_STEP_PX = 0.15
"""Sampling across the line: 0.27 mm at 1.8 mm a frame pixel; between samples the crossing is interpolated."""
TRANSVERSAL_REACH_PX = 14.0
"""How far to either side a crossing is looked for: 25 mm of a head of template size, more than shifts that are survived."""
RAMP_HALF_WIDTH = 12
"""Samples on either side of a crossing that are compared with a ramp of slope one: 1.8 px, a node of the half grid."""
CENTRE_PREFERENCE = 0.01
"""Cost of a crossing a pixel away from the ideal line: of two equally good ones the nearer is taken."""


def deviation_by_field(
    inverse: np.ndarray, start: np.ndarray, along: np.ndarray, left: np.ndarray, size: int
) -> np.ndarray:
    """Carry the ideal midline with the inverse field and measure where it ends, along the normal.

    Args:
        inverse: (2, h, w) rows, columns, frame pixels, on the half grid.
        start, along, left: (2,) the ideal line.
        size: the frame's size in pixels.

    Returns:
        (len(FRACTIONS),) pixels, positive toward the patient's left.
    """
    fractions = np.linspace(0.0, 1.0, FIELD_POINTS)
    points = start + fractions[:, None] * along
    moved = np.stack([sample_half_grid(component, points, size) for component in inverse[::-1]], -1)
    arrived = fractions + moved @ along / (along @ along)
    order = np.argsort(arrived)
    return np.interp(FRACTIONS, arrived[order], (moved @ left)[order])


def deviation_by_maps(
    deformed: np.ndarray, ideal: np.ndarray, start: np.ndarray, along: np.ndarray, left: np.ndarray, size: int
) -> np.ndarray:
    """Find where the map of distances to the deformed midline crosses zero, and average with the two maps' difference.

    The crossing is the transversal position whose neighbourhood looks most like a distance (a ramp of slope one), which
    is steadier than a sign change.

    Args:
        deformed, ideal: (h, w) signed distances, frame pixels, on the half grid.
        start, along, left: (2,) the ideal line.
        size: the frame's size in pixels.

    Returns:
        (len(FRACTIONS),) pixels, positive toward the patient's left.
    """
    across = np.arange(-TRANSVERSAL_REACH_PX, TRANSVERSAL_REACH_PX + TRANSVERSAL_STEP_PX / 2, TRANSVERSAL_STEP_PX)
    ramp = np.arange(-RAMP_HALF_WIDTH, RAMP_HALF_WIDTH + 1)
    points = start + FRACTIONS[:, None, None] * along + across[:, None] * left
    value = sample_half_grid(deformed, points, size)
    windows = np.lib.stride_tricks.sliding_window_view(value, len(ramp), axis=1)
    cost = np.abs(windows - ramp * TRANSVERSAL_STEP_PX).mean(-1)
    centre = across[RAMP_HALF_WIDTH:-RAMP_HALF_WIDTH]
    cost = cost + CENTRE_PREFERENCE * np.abs(centre)
    best = cost.argmin(1)
    # between the sampled positions: a ramp of slope one that is off by d is off by d everywhere
    residual = windows[np.arange(len(best)), best] - ramp * TRANSVERSAL_STEP_PX
    crossing = centre[best] - np.median(residual, axis=1)
    at = start + FRACTIONS[:, None] * along + crossing[:, None] * left
    return (crossing + sample_half_grid(ideal - deformed, at, size)) / 2
