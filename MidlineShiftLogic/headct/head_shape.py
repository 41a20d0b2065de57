"""Find head and brain coarsely and quickly: enough to check a scan, not to measure it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.masks import close_slices, dilate_slices, erode_slices, largest_component, open_slices

WORK_MM = 2.0
"""Pixels are averaged to about this size: 30 slices are judged in a fraction of a second."""

HEAD_HU = -250.0
"""Skin and everything inside is above it; head rests and cushions, averaged to 2 mm, mostly below."""

BONE_HU = 150.0
"""At 2 mm even an infant's thin skull averages above it; brain and blood stay below 100."""

SOFT_HU = (-30.0, 110.0)
"""Brain, liquor and blood."""

SUTURE_MM, FONTANELLE_MM = 6.0, 12.0
"""Half widths of skull gaps that are bridged: sutures and burr holes; fontanelles, where the first does not do."""

REST_MM = 3.0
"""Half width of what is taken off the head: cushions, blankets, tubes."""

THREAD_MM = 4.0
"""Half width of soft tissue that is not brain: vessels, muscles and nerves in the holes of the skull's base."""

SCALP_MM = 9.0
"""Scalp and skull together, roughly: what is taken off the head where no skull encloses the brain."""

BRAIN_DENSITY = 0.75
"""Without a skull around it, soft tissue is taken as brain where it fills this share of the head below the scalp: brain
does, infants included; the face and the neck with their air, bone and fat do not."""

MIN_BRAIN_MM2 = 2500.0
"""A slice with less enclosed soft tissue shows the vertex or the base only (the largest have 12 000 to 18 000)."""

OUTSIDE_MM = 6.0
"""Brain nearer than this to the edge of the picture has lost its skull and scalp there."""

IN_PLANE = np.array([[[0, 0, 0], [0, 0, 0], [0, 0, 0]], [[0, 1, 0], [1, 1, 1], [0, 1, 0]], [[0, 0, 0]] * 3], dtype=bool)
"""Neighbours within the slice only."""


@dataclass(frozen=True)
class HeadShape:
    """Coarse masks of a head.

    Attributes:
        hu: (slice, row, column) Hounsfield units averaged to about 2 mm; undefined values as air.
        pixel: (row spacing, column spacing) mm of the coarse grid.
        head: bool, everything inside the skin.
        brain: bool, soft tissue inside the skull.
        skull_closed: whether the skull encloses the brain but for sutures.
        edge: (row, column) bool, the outermost pixels of what was scanned.
    """

    hu: np.ndarray
    pixel: tuple[float, float]
    head: np.ndarray
    brain: np.ndarray
    skull_closed: bool
    edge: np.ndarray

    @property
    def pixel_area(self) -> float:
        """Return the area in mm2."""
        return self.pixel[0] * self.pixel[1]

    @property
    def brain_area(self) -> np.ndarray:
        """Return the areas (slice,) in mm2."""
        return self.brain.sum(axis=(1, 2)) * self.pixel_area

    @property
    def brain_slices(self) -> np.ndarray:
        """Return indices of the slices that show more than the tip of the brain."""
        return np.flatnonzero(self.brain_area >= MIN_BRAIN_MM2)

    def edge_contact(self, mask: np.ndarray, within_mm: float = 0.0) -> np.ndarray:
        """Return (slice,) mm of the picture's edge that are within ``within_mm`` of ``mask``."""
        if within_mm > 0:
            mask = dilate_slices(mask, within_mm, self.pixel)
        return (mask & self.edge).sum(axis=(1, 2)) * float(np.mean(self.pixel))


def head_shape(ct: HeadCT) -> HeadShape:
    """Return coarse head and brain masks of a scan."""
    hu, pixel = _coarse(ct)
    edge, scanned = field_of_view(hu, ct.hu)
    head = _head(hu, pixel)
    brain, closed = _brain(hu, head, edge, scanned, pixel)
    return HeadShape(hu, pixel, head, brain, closed, edge)


def _coarse(ct: HeadCT) -> tuple[np.ndarray, tuple[float, float]]:
    """Return block means; the last rows and columns that fill no block are left out."""
    strides = [max(1, int(WORK_MM / step + 0.25)) for step in ct.pixel_spacing]
    n, rows, columns = ct.hu.shape
    blocks = [max(rows // strides[0], 1), max(columns // strides[1], 1)]
    strides = [min(strides[0], rows), min(strides[1], columns)]
    cut = ct.hu[:, : blocks[0] * strides[0], : blocks[1] * strides[1]]
    coarse = np.zeros((n, *blocks), dtype=np.float32)
    for row in range(strides[0]):
        for column in range(strides[1]):
            coarse += cut[:, row :: strides[0], column :: strides[1]]
    coarse /= strides[0] * strides[1]
    coarse = np.clip(np.nan_to_num(coarse, nan=-1000.0, posinf=3000.0, neginf=-1000.0), -1024, 3071)
    return coarse, (ct.pixel_spacing[0] * strides[0], ct.pixel_spacing[1] * strides[1])


def field_of_view(hu: np.ndarray, full: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Edge and inside of what was scanned, (row, column) bool: the inscribed circle if nothing was written outside it.

    Args:
        hu: (slice, row, column) on the grid of the masks. full: the scan, in its own pixels.
    """
    rows, columns = hu.shape[1:]
    y, x = np.ogrid[:rows, :columns]
    radius = np.hypot((y - (rows - 1) / 2) / (rows / 2), (x - (columns - 1) / 2) / (columns / 2))
    corners = full[:, :: max(full.shape[1] - 1, 1), :: max(full.shape[2] - 1, 1)]
    blank = hu[:, radius > 1.02]
    round_picture = blank.size > 0 and rows == columns and np.ptp(blank) == 0 and np.ptp(corners) == 0
    inside = radius <= 1.0 if round_picture else np.ones((rows, columns), dtype=bool)
    return inside & ~ndimage.binary_erosion(inside), inside


def _head(hu: np.ndarray, pixel: tuple[float, float]) -> np.ndarray:
    return _fill(largest_component(open_slices(hu > HEAD_HU, REST_MM, pixel)))


def _brain(hu, head, edge, scanned, pixel) -> tuple[np.ndarray, bool]:
    """Return the enclosed soft tissue, and whether bridging sutures was enough to find it on most slices.

    Where the picture cuts the head off, its edge counts as skull, so that the brain is still found.
    """
    wall = ((hu > BONE_HU) & head) | (head & edge)
    brain = _enclosed(hu, wall, SUTURE_MM, pixel)
    closed = _shows_brain(brain, pixel).sum() >= _expected_slices(head, pixel)
    # Thin orbital roofs, fontanelles and removed flaps are bridged only on slices where nothing was found without.
    wide = _enclosed(hu, wall, FONTANELLE_MM, pixel)
    brain = np.where(_shows_brain(brain, pixel)[:, None, None], brain, wide)
    inner = erode_slices(head, SCALP_MM, pixel) & scanned
    bare = _soft(hu, inner, pixel)
    dense = bare.sum(axis=(1, 2)) >= BRAIN_DENSITY * inner.sum(axis=(1, 2))
    unfound = dense & ~_shows_brain(brain, pixel)
    return largest_component(np.where(unfound[:, None, None], bare, brain)), bool(closed)


def _shows_brain(brain: np.ndarray, pixel: tuple[float, float]) -> np.ndarray:
    """Return a (slice,) mask."""
    return brain.sum(axis=(1, 2)) * pixel[0] * pixel[1] >= MIN_BRAIN_MM2


def _expected_slices(head: np.ndarray, pixel: tuple[float, float]) -> float:
    """Return a quarter of the slices with a sizeable head; ordinary scans, neck included, show brain on more."""
    return max(1.0, (head.sum(axis=(1, 2)) * pixel[0] * pixel[1] >= 2 * MIN_BRAIN_MM2).sum() / 4)


def _enclosed(hu: np.ndarray, wall: np.ndarray, gap_mm: float, pixel: tuple[float, float]) -> np.ndarray:
    closed = close_slices(wall, gap_mm, pixel)
    return largest_component(_soft(hu, _fill(closed) & ~wall, pixel))


def _soft(hu: np.ndarray, inside: np.ndarray, pixel: tuple[float, float]) -> np.ndarray:
    soft = ndimage.uniform_filter(hu, (0, 3, 3))
    soft = inside & (soft > SOFT_HU[0]) & (soft < SOFT_HU[1] + 60) & (hu > SOFT_HU[0]) & (hu < BONE_HU)
    return open_slices(soft, THREAD_MM, pixel)


def _fill(mask: np.ndarray) -> np.ndarray:
    """Fill the holes within each slice."""
    return ndimage.binary_fill_holes(mask, IN_PLANE)
