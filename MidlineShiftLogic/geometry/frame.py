"""The aligned frame: the square grid, upright on the head's midsagittal plane, in which the networks see every slice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F

from MidlineShiftLogic.geometry.resampling import sample
from MidlineShiftLogic.headct.headct import HeadCT

OUTSIDE_HU = -1000.0


@dataclass(frozen=True)
class Frame:
    """A similarity transform between frame pixels and each slice's plane millimetres.

    plane = centre[slice] + scale * pixel_mm * (x' * n + y' * u), with (x', y') the frame pixel measured from the grid's
    middle, n = (cos angle, sin angle) the in-plane direction toward the patient's left and u = (-sin angle, cos angle)
    toward posterior; plane millimetres are (column, row) distances from the centre of the slice's pixel (0, 0).

    Attributes:
        size: grid points along each side.
        pixel_mm: frame millimetres a grid step.
        angle: radians.
        scale: scan millimetres a frame millimetre.
        centre: (slice, 2) plane mm (column, row) of the grid's middle.
    """

    size: int
    pixel_mm: float
    angle: float
    scale: float
    centre: np.ndarray

    @property
    def step_mm(self) -> float:
        """Return the length of a grid step in scan millimetres."""
        return self.scale * self.pixel_mm

    @property
    def axes(self) -> np.ndarray:
        """Return (2, 2): rows are n (toward the patient's left) and u (toward posterior) in plane (column, row)."""
        c, s = np.cos(self.angle), np.sin(self.angle)
        return np.array([[c, s], [-s, c]])

    def upsampled(self, times: int) -> Frame:
        """Return the same square with ``times`` as many grid points a side: a block of them covers a point of this frame."""
        return replace(self, size=self.size * times, pixel_mm=self.pixel_mm / times)

    def to_plane(self, index: int, points: np.ndarray) -> np.ndarray:
        """Convert frame pixels (..., 2) as (x, y) of one slice to plane mm (..., 2) as (column, row)."""
        middle = (self.size - 1) / 2
        return self.centre[index] + self.step_mm * ((np.asarray(points, float) - middle) @ self.axes)

    def from_plane(self, index: int, points: np.ndarray) -> np.ndarray:
        """Convert plane mm (..., 2) as (column, row) of one slice to frame pixels (..., 2) as (x, y)."""
        middle = (self.size - 1) / 2
        return (np.asarray(points, float) - self.centre[index]) @ self.axes.T / self.step_mm + middle


def plane_to_pixels(ct: HeadCT, points: np.ndarray) -> np.ndarray:
    """Convert plane mm (..., 2) as (column, row) to pixels of the scan (..., 2) as (column, row)."""
    row_mm, column_mm = ct.pixel_spacing
    return np.asarray(points, float) / (column_mm, row_mm)


def align(
    ct: HeadCT,
    frame: Frame,
    indices: Sequence[int] | np.ndarray | None = None,
    device: torch.device | str = "cpu",
) -> torch.Tensor:
    """Cut slices of a scan into the aligned frame.

    The scan is sampled at twice or more the frame's density and averaged, so that fine pixels are not skipped.

    Args:
        ct: the scan.
        frame: target grid; ``frame.centre`` has one row for every slice of ``ct``.
        indices: slices to cut; all by default.
        device: where to cut them, and where the result is.

    Returns:
        (len(indices), size, size) float32 HU; -1000 outside the scan.
    """
    indices = range(ct.n_slices) if indices is None else indices
    row_mm, column_mm = ct.pixel_spacing
    rows, columns = ct.hu.shape[1:]
    over = max(2, int(np.ceil(frame.step_mm / min(row_mm, column_mm))))
    fine = (np.arange(frame.size * over) + 0.5) / over - 0.5
    x, y = np.meshgrid(fine, fine)
    # unit coordinates count -1..1 from the middle of the first pixel to that of the last
    unit = 2 / (np.array([column_mm, row_mm]) * (columns - 1, rows - 1))
    offsets = (frame.to_plane(0, np.stack([x, y], -1)) - frame.centre[0]) * unit
    offsets = torch.from_numpy(offsets.astype(np.float32)).to(device)
    middles = torch.from_numpy((frame.centre * unit - 1).astype(np.float32)).to(device)
    result = torch.empty(len(indices), frame.size, frame.size, device=device)
    for k, index in enumerate(indices):
        image = torch.from_numpy(np.ascontiguousarray(ct.hu[index], dtype=np.float32)).to(device)
        # shifting by OUTSIDE_HU makes the zeros outside mean air
        cut = sample((image - OUTSIDE_HU)[None, None], (offsets + middles[index])[None])
        result[k] = F.avg_pool2d(cut, over)[0, 0] + OUTSIDE_HU
    return result
