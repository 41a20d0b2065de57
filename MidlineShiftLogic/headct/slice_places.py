"""Compare the slices' places in their plane, as the header states them, with where the head is in each picture."""

from __future__ import annotations

import numpy as np

from MidlineShiftLogic.headct.head_shape import HeadShape
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.quality import Quality

JUMP_MM = 1.5
"""A slice that is further beside the line between its neighbours has a place of its own: positions are rounded to 0.1 mm,
and half of a jump between two slices shows on either side of it."""

SHARE_FOLLOWED = 0.5
"""A jump of the field of view moves the head in the picture the other way; if less than this share of the jump is made up
for so, the header is wrong."""

MIN_SLICES = 4


def place_flags(ct: HeadCT, shape: HeadShape) -> list[Quality]:
    """Return a fatal flag where the header moves slices sideways and the head in the pictures stays where it was.

    A tilted gantry moves slices evenly and is no jump. Each slice's midline would be measured beside the line of all.

    Args:
        ct: a scan. shape: its coarse masks.
    """
    slices = shape.brain_slices
    if len(slices) < MIN_SLICES:
        return []
    moved = ct.origins - ct.origins[0]
    header = np.stack([moved @ ct.row_axis, moved @ ct.column_axis], axis=1)[slices]
    picture = np.array([np.mean(np.nonzero(shape.head[index]), axis=1) * shape.pixel for index in slices])
    jumps, drift = _beside_neighbours(ct.heights[slices], header), _beside_neighbours(ct.heights[slices], picture)
    large = np.linalg.norm(jumps, axis=1) > JUMP_MM
    if not large.any():
        return []
    followed = -(jumps[large] * drift[large]).sum() / (jumps[large] ** 2).sum()
    if followed >= SHARE_FOLLOWED:
        return []
    most = 2 * np.linalg.norm(jumps, axis=1).max()
    return [
        Quality(
            "slice-places",
            "fatal",
            f"The header moves slices sideways by up to {most:.0f} mm against their neighbours, but the head in their pictures "
            "does not move: the positions are wrong, or images of several scans are mixed; export the scan again.",
        )
    ]


def _beside_neighbours(heights: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return (slice - 2, 2) mm by which each inner slice is beside the line between the slices below and above."""
    share = ((heights[1:-1] - heights[:-2]) / (heights[2:] - heights[:-2]))[:, None]
    return places[1:-1] - places[:-2] * (1 - share) - places[2:] * share
