"""Work on masks in millimetres: largest parts, opening, closing and eroding by true distance.

Only numpy and scipy: the panel checks a scan in Slicer's own process before anything is installed, so without scikit-image
(docs/adr/0050). The tests hold every function against its counterpart there.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage


def largest_component(mask: np.ndarray, corners: bool = False) -> np.ndarray:
    """Keep the largest connected part of a mask.

    Args:
        mask: (row, column) or (slice, row, column) bool.
        corners: neighbours share at least a corner; False: an edge (in 3D a face).

    Returns:
        bool of the same shape; all False where nothing is set. Of parts of one size the first is kept.
    """
    labels, _ = ndimage.label(mask, np.ones((3,) * mask.ndim) if corners else None)
    sizes = np.bincount(labels.ravel())
    if len(sizes) < 2:
        return np.zeros(mask.shape, bool)
    return labels == 1 + np.argmax(sizes[1:])


def longest_run(flags: np.ndarray) -> np.ndarray:
    """Return the indices of the longest run of true values (n,) of a line; the first of equally long ones."""
    return np.flatnonzero(largest_component(np.asarray(flags, bool)))


def erode_slices(mask: np.ndarray, radius_mm: float, spacing: tuple[float, float]) -> np.ndarray:
    """Erode each slice by a disc; the outside of the picture takes nothing away.

    Args:
        mask: (slice, row, column) bool.
        radius_mm: of the disc, from the border of a pixel that is not set: pixels have a size.
        spacing: (row, column) mm.
    """
    return ndimage.binary_erosion(mask, disc(radius_mm, spacing), border_value=1)


def dilate_slices(mask: np.ndarray, radius_mm: float, spacing: tuple[float, float]) -> np.ndarray:
    """Dilate each slice by a disc; arguments as of ``erode_slices``."""
    return ndimage.binary_dilation(mask, disc(radius_mm, spacing))


def open_slices(mask: np.ndarray, radius_mm: float, spacing: tuple[float, float]) -> np.ndarray:
    """Open each slice by a disc: parts thinner than twice its radius go. Arguments as of ``erode_slices``."""
    return dilate_slices(erode_slices(mask, radius_mm, spacing), radius_mm, spacing)


def close_slices(mask: np.ndarray, radius_mm: float, spacing: tuple[float, float]) -> np.ndarray:
    """Close each slice by a disc: gaps narrower than twice its radius are bridged, as if the picture went on empty.

    Arguments as of ``erode_slices``.
    """
    _, rows, columns = (size // 2 + 1 for size in disc(radius_mm, spacing).shape)
    padded = np.pad(mask, ((0, 0), (rows, rows), (columns, columns)))
    closed = erode_slices(dilate_slices(padded, radius_mm, spacing), radius_mm, spacing)
    return closed[:, rows:-rows, columns:-columns]


def disc(radius_mm: float, spacing: tuple[float, float]) -> np.ndarray:
    """Return a disc in one slice as a structuring element (1, rows, columns), odd sizes.

    Erosion and dilation by it are scikit-image's ``isotropic_erosion`` and ``isotropic_dilation`` (the tests compare them),
    without its import (0.09 s) and in half the time: the radii are a few pixels.
    """
    reach = radius_mm + float(np.mean(spacing)) / 2
    half = [int(reach / step) for step in spacing]
    row, column = np.ogrid[-half[0] : half[0] + 1, -half[1] : half[1] + 1]
    return (np.hypot(row * spacing[0], column * spacing[1]) <= reach)[None]
