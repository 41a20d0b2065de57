"""Trace skull and skin around the measured slices along rays: gaps, bulges and jumps between slices show in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from MidlineShiftLogic.geometry.frame import Frame
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.masks import largest_component, longest_run

STEP_DEG = 3.0
RAYS = np.radians(np.arange(0.0, 360.0, STEP_DEG))
"""Directions of the rays in the aligned frame: 0 is the patient's left, a quarter turn is posterior."""
RADII_MM = np.arange(20.0, 140.0, 1.0)
BONE_HU = 150.0
"""Averaged over 1.5 mm, even an infant's thin skull is above it; brain, clots and scalp below."""
HEAD_HU = -250.0
COARSE_MM = 2.0
"""Grid of the head's mask, from which the skin is found."""
OPENING_STEPS = 2
"""Steps of ``COARSE_MM`` by which the mask is opened, as a diamond: takes off cushions, blankets and tubes. A disc takes off
thin scalp with the bone under it, and the skull's middle then jumps between slices by up to 0.7 mm more."""


@dataclass(frozen=True)
class Outline:
    """Skull and skin of k slices as seen from the middle of each slice's falx.

    Attributes:
        centre: (k, 2) plane mm (column, row) where the rays start.
        axes: (2, 2) plane directions of the rays at 0 and 90 degrees.
        skull: (k, rays) mm to the outermost bone inside the skin; NaN where a ray meets none.
        skin: (k, rays) mm to the skin; NaN where the ray leaves what was scanned before it leaves the head.
    """

    centre: np.ndarray
    axes: np.ndarray
    skull: np.ndarray
    skin: np.ndarray

    @property
    def gap_deg(self) -> np.ndarray:
        """Widest run of rays without bone (k,), degrees; rays that the picture's edge ends count as closed."""
        return STEP_DEG * np.array([_longest_run(~found) for found in np.isfinite(self.skull) | np.isnan(self.skin)])

    @property
    def bulge_mm(self) -> np.ndarray:
        """How much farther out the skin is over the slice's widest gap than on the other side (k,): median, mm.

        0 without a gap.
        """
        mirror = (len(RAYS) // 2 - np.arange(len(RAYS))) % len(RAYS)
        result = np.zeros(len(self.skull))
        for k, (skull, skin) in enumerate(zip(self.skull, self.skin, strict=True)):
            rays = _longest_members(np.isnan(skull) & np.isfinite(skin))
            rays = rays[np.isfinite(skull[mirror[rays]])]  # against skin that is on bone
            farther = (skin - skin[mirror])[rays]
            if np.isfinite(farther).any():
                result[k] = np.nanmedian(farther)
        return result

    @property
    def skull_centre(self) -> np.ndarray:
        """Middle of the skull's outline (k, 2), plane mm; NaN where a quarter of the rays or more met no bone."""
        result = np.full((len(self.skull), 2), np.nan)
        for k, radius in enumerate(self.skull):
            found = np.isfinite(radius)
            if found.mean() < 0.75:
                continue
            whole = np.interp(RAYS, RAYS[found], radius[found], period=2 * np.pi)
            whole = ndimage.median_filter(whole, 5, mode="wrap")
            # centroid of the star-shaped area: its sectors' centroids are at two thirds of the radius
            directions = np.stack([np.cos(RAYS), np.sin(RAYS)], -1)
            moment = (whole[:, None] ** 3 * directions).sum(0) * 2 / 3
            result[k] = self.centre[k] + moment / (whole**2).sum() @ self.axes
        return result


def trace(ct: HeadCT, frame: Frame, indices: np.ndarray, centre: np.ndarray) -> Outline:
    """Trace the outlines of some slices.

    Args:
        ct: the scan. frame: the aligned frame.
        indices: (k,) slices. centre: (k, 2) start of the rays in each, frame pixels.
    """
    row_mm, column_mm = ct.pixel_spacing
    rows, columns = ct.hu.shape[1:]
    directions = np.stack([np.cos(RAYS), np.sin(RAYS)], -1) @ frame.axes
    start = np.stack([frame.to_plane(int(i), c) for i, c in zip(indices, centre, strict=True)])
    skull = np.full((len(indices), len(RAYS)), np.nan)
    skin = np.full_like(skull, np.nan)
    average = [max(1, round(1.5 / step)) for step in (row_mm, column_mm)]
    for k, index in enumerate(indices):
        hu = np.nan_to_num(ct.hu[index], nan=-1000.0)
        place = (start[k] + RADII_MM[:, None, None] * directions) / (column_mm, row_mm)
        nodes = np.moveaxis(place[..., ::-1], -1, 0)  # (row, column) of (radius, ray)
        inside = ((nodes >= 0) & (nodes <= np.array([rows - 1, columns - 1])[:, None, None])).all(0)
        bone = ndimage.map_coordinates(ndimage.uniform_filter(hu, average), nodes, order=1, mode="nearest") > BONE_HU
        head, factor = _head(hu, ct.pixel_spacing)
        coarse = nodes / factor[:, None, None]
        head = ndimage.map_coordinates(head.astype(np.uint8), coarse, order=0, mode="nearest").astype(bool) & inside
        skull[k] = _outermost(bone & head)
        last = _outermost(head)
        reached = np.where(inside.all(0), np.inf, RADII_MM[np.argmin(inside, axis=0)])
        skin[k] = np.where(last < reached - COARSE_MM, last, np.nan)
    return Outline(start, frame.axes, skull, skin)


def _head(hu: np.ndarray, spacing: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Find a coarse mask of the head, filled, and return it with the (row, column) stride it was made with."""
    stride = np.array([max(1, int(COARSE_MM / step + 0.25)) for step in spacing])
    opened = ndimage.binary_opening(hu[:: stride[0], :: stride[1]] > HEAD_HU, iterations=OPENING_STEPS)
    return ndimage.binary_fill_holes(largest_component(opened)), stride


def _outermost(mask: np.ndarray) -> np.ndarray:
    """Return the radius (ray,) mm of the last true sample of (radius, ray) bool, NaN where there is none."""
    last = len(RADII_MM) - 1 - np.argmax(mask[::-1], axis=0)
    return np.where(mask.any(0), RADII_MM[last], np.nan)


def _longest_members(flags: np.ndarray) -> np.ndarray:
    """Return the indices of the longest run of true values on a circle, in order."""
    n = len(flags)
    if flags.all():
        return np.arange(n)
    first = int(np.argmin(flags))  # a false one to begin behind
    return (longest_run(np.roll(flags, -first)) + first) % n


def _longest_run(flags: np.ndarray) -> int:
    return len(_longest_members(flags))
