"""Interpolate the in-plane displacement of a measured stack, whose slices may be uneven, tilted or averaged.

*Stack coordinates*: x, y, h = a point's LPS projections on ``column_axis``, ``row_axis`` and ``normal``, mm.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from MidlineShiftLogic.geometry.inversion import invert_displacement
from MidlineShiftLogic.headct.headct import HeadCT

INVERSE_STEP_MM = 2.0
"""The networks' fields have nodes 3.6 mm apart; the inverse is found on a grid finer than that and interpolated."""

INVERSE_ROUNDS = 15


class PlanarField:
    """Interpolate the displacement u from where tissue is to where it would be, linear within and between slices.

    Beyond the lowest and the highest slice it is theirs.
    """

    def __init__(self, ct: HeadCT, displacement_mm: np.ndarray):
        """Take ``displacement_mm``: (slice, 2, row, column), along rows and columns (``inference.dense_result.DenseResult``)."""
        self.ct = ct
        self.displacement_mm = displacement_mm
        self.moves = np.array([bool(np.any(one)) for one in displacement_mm])
        self._corner = np.stack([ct.origins @ ct.column_axis, ct.origins @ ct.row_axis], -1)

    def at(self, height: float, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return u on a lattice parallel to the slices.

        Args:
            height: h of the lattice. x: (w,), y: (l,) its lines. All in stack coordinates.

        Returns:
            (2, l, w) mm along rows and columns; zero outside the slices' pictures.
        """
        result = np.zeros((2, len(y), len(x)))
        for index, weight in self._neighbours(height):
            if not self.moves[index] or weight == 0:
                continue
            row_mm, column_mm = self.ct.pixel_spacing
            place = np.meshgrid(
                (y - self._corner[index, 1]) / row_mm, (x - self._corner[index, 0]) / column_mm, indexing="ij"
            )
            for axis in (0, 1):
                picture = self.displacement_mm[index, axis].astype(np.float32)
                result[axis] += weight * ndimage.map_coordinates(picture, place, order=1)
        return result

    def inverse_at(self, height: float, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return v with v(q) = -u(q + v(q)): where to look, from q, for the tissue that belongs there. As ``at``."""
        coarse = [np.arange(line[0], line[-1] + INVERSE_STEP_MM, INVERSE_STEP_MM) for line in (x, y)]
        forward = self.at(height, *coarse)
        nodes = np.indices(forward.shape[1:], dtype=float)
        if not forward.any():
            return np.zeros((2, len(y), len(x)))

        def looked_up(inverse: np.ndarray, members: list[int]) -> np.ndarray:
            looked = nodes + inverse[0] / INVERSE_STEP_MM
            return np.stack([ndimage.map_coordinates(one, looked, order=1, mode="nearest") for one in forward])[None]

        inverse = invert_displacement(looked_up, np.zeros_like(forward)[None], iterations=INVERSE_ROUNDS)[0]
        fine = np.meshgrid((y - y[0]) / INVERSE_STEP_MM, (x - x[0]) / INVERSE_STEP_MM, indexing="ij")
        return np.stack([ndimage.map_coordinates(one, fine, order=1, mode="nearest") for one in inverse])

    def _neighbours(self, height: float) -> list[tuple[int, float]]:
        heights = self.ct.heights
        upper = int(np.searchsorted(heights, height))
        if upper == 0:
            return [(0, 1.0)]
        if upper == len(heights):
            return [(upper - 1, 1.0)]
        share = float((height - heights[upper - 1]) / (heights[upper] - heights[upper - 1]))
        return [(upper - 1, 1 - share), (upper, share)]
