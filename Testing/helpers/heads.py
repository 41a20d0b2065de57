"""Perfect network outputs for a head of known pose and shift: what the read-out must turn into the right millimetres."""

from __future__ import annotations

import numpy as np

from MidlineShiftLogic.geometry.frame import Frame
from MidlineShiftLogic.geometry.lines import half_grid
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.networks.outputs import PredictedMaps

SIZE = 128


def scan(slices: int = 16, pixel_spacing=(0.6, 0.5), step: float = 5.0) -> HeadCT:
    """Empty scan with unequal pixel spacing; plane origin at LPS (-110, -120, 0)."""
    rows, columns = 400, 440
    heights = step * np.arange(slices)
    return HeadCT(
        hu=np.zeros((slices, rows, columns), np.float32),
        origins=np.stack([np.full(slices, -110.0), np.full(slices, -120.0), heights], -1),
        column_axis=np.array([1.0, 0, 0]),
        row_axis=np.array([0, 1.0, 0]),
        pixel_spacing=pixel_spacing,
        thickness=np.full(slices, step),
    )


def frame(ct: HeadCT, angle_deg: float = 12.0, scale: float = 0.9) -> Frame:
    centre = np.array([108.0, 118.0]) + np.arange(ct.n_slices)[:, None] * np.array([0.3, -0.2])
    return Frame(SIZE, 1.8, np.radians(angle_deg), scale, centre)


def hump(fraction: np.ndarray, peak: float = 0.38) -> np.ndarray:
    """Shape of a shifted midline along the falx: 0 at both ends, 1 at ``peak``."""
    return np.sin(np.pi * np.clip(fraction, 0, 1) ** (np.log(0.5) / np.log(peak))) ** 1.2


def perfect_maps(slices: int, shift_px: np.ndarray, tilt_deg: float = 0.0, side_px: float = 0.0) -> PredictedMaps:
    """Maps whose ideal midline is a line turned by ``tilt_deg`` and moved by ``side_px`` from the frame's middle.

    Args:
        shift_px: (slices,) frame pixels by which the midline is pushed to the left (+x) at its peak.
    """
    axis = half_grid(SIZE)
    x, y = np.meshgrid(axis, axis)
    a = np.radians(tilt_deg)
    n, u = np.array([np.cos(a), np.sin(a)]), np.array([-np.sin(a), np.cos(a)])
    start, length = side_px * n - 55 * u, 110.0
    ideal = (x - start[0]) * n[0] + (y - start[1]) * n[1]
    along = ((x - start[0]) * u[0] + (y - start[1]) * u[1]) / length
    across = np.exp(-((ideal / 30.0) ** 2))
    ends = np.stack([start, start + length * u])
    heat = [-((x - e[0]) ** 2 + (y - e[1]) ** 2) / (2 * 2.0**2) for e in ends]
    deviation = shift_px[:, None, None] * hump(along)
    push = deviation * across
    inverse = np.stack([push * n[1], push * n[0]], 1)
    inside = (np.hypot(x / 45, y / 60) < 1).astype(float)
    return PredictedMaps(
        attachments=np.tile(np.stack(heat), (slices, 1, 1, 1)),
        ideal=np.tile(ideal, (slices, 1, 1)),
        deformed=ideal - deviation,
        inside=np.tile(inside, (slices, 1, 1)),
        measurable=np.full(slices, 0.95),
        height=np.linspace(-5, 40, slices),
        displacement=-inverse,
        inverse=inverse,
    )
