"""Choose which thin slices are averaged into one slab of about 5 mm."""

from __future__ import annotations

import numpy as np

SLAB_MM = 5.0
"""The slice thickness of routine head CT, which the models were trained on; thinner slices are too noisy for them."""

CONTIGUOUS_GAP = 1.6
"""Slices further apart than this many thicknesses leave out tissue between them and are not averaged."""


def group_slices(heights: np.ndarray, thickness: np.ndarray) -> list[range]:
    """Group adjacent slices whose common extent comes closest to ``SLAB_MM``; thick slices stay alone.

    Slices of 3.3 mm and more are never joined: two of them would miss 5 mm by more than one does.

    Args:
        heights: (slice,) mm along the plane normal, rising.
        thickness: (slice,) mm of tissue each slice averages.

    Returns:
        Slice indices of each slab; every slice belongs to exactly one.
    """
    groups, start = [], 0
    for index in range(1, len(heights) + 1):
        if index < len(heights) and _joins(heights, thickness, start, index):
            continue
        groups.append(range(start, index))
        start = index
    return groups


def _joins(heights: np.ndarray, thickness: np.ndarray, start: int, index: int) -> bool:
    """Return whether slice ``index`` brings the slab of slices ``start .. index - 1`` closer to its wanted extent."""
    step = heights[index] - heights[index - 1]
    if step > CONTIGUOUS_GAP * min(thickness[index], thickness[index - 1]):
        return False
    before = heights[index - 1] - heights[start] + thickness[start:index].mean()
    after = heights[index] - heights[start] + thickness[start : index + 1].mean()
    return abs(after - SLAB_MM) < abs(before - SLAB_MM)
