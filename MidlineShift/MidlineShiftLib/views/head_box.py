"""Where the head is in a scan, so that views are zoomed to the skull and not to the headrest."""

from dataclasses import dataclass

import numpy as np

from MidlineShiftLogic.scene.coordinates import lps_to_ras

BONE_HU = 300.0
"""Above it a voxel is bone; foam and plastic of a headrest are below."""
COARSE_MM = 2.0
"""The skull is looked for on pixels of about this size."""
SIDE_MM, ENDS_MM = 8.0, 22.0
"""Margin to the left and right, and before and behind the head, where the landmarks' labels are."""


@dataclass(frozen=True)
class HeadBox:
    """A rectangle around the head in the plane of the slices.

    Attributes:
        centre_lps: (3,) LPS mm. width_mm: from right to left. height_mm: from front to back.
    """

    centre_lps: np.ndarray
    width_mm: float
    height_mm: float


def headBox(ct) -> HeadBox | None:
    """Find the skull in a ``HeadCT``; None where no slice shows one.

    In each slice of the middle half of the stack it is the largest connected piece of bone. A few slices that show
    something else do not change the box.
    """
    from MidlineShiftLogic.masks import largest_component

    row_mm, column_mm = ct.pixel_spacing
    steps = max(1, round(COARSE_MM / row_mm)), max(1, round(COARSE_MM / column_mm))
    count = ct.n_slices
    bounds = []
    for index in range(count // 4, max(count // 4 + 1, count - count // 5)):
        rows, columns = np.nonzero(largest_component(ct.hu[index, :: steps[0], :: steps[1]] > BONE_HU, corners=True))
        if len(rows):
            bounds.append((rows.min(), rows.max(), columns.min(), columns.max()))
    if not bounds:
        return None
    low, high = np.percentile(bounds, 10, axis=0), np.percentile(bounds, 90, axis=0)
    top, bottom, right, left = low[0] * steps[0], high[1] * steps[0], low[2] * steps[1], high[3] * steps[1]
    centre = ct.to_lps(count // 2, np.array([(right + left) / 2, (top + bottom) / 2]))
    return HeadBox(centre, (left - right) * column_mm + 2 * SIDE_MM, (bottom - top) * row_mm + 2 * ENDS_MM)


def zoomTo(sliceNode, box: HeadBox) -> None:
    """Let a box fill a view; the plane of the view stays."""
    width, height = sliceNode.GetDimensions()[:2]
    if not width or not height:
        return
    mm = max(box.width_mm / width, box.height_mm / height)
    place = sliceNode.GetSliceToRAS()
    middle = np.array([place.GetElement(axis, 3) for axis in range(3)])
    normal = np.array([place.GetElement(axis, 2) for axis in range(3)])
    wanted = lps_to_ras(box.centre_lps)
    wanted = wanted - ((wanted - middle) @ normal) * normal
    modifying = sliceNode.StartModify()
    for axis in range(3):
        place.SetElement(axis, 3, wanted[axis])
    sliceNode.SetXYZOrigin(0, 0, 0)
    sliceNode.SetFieldOfView(mm * width, mm * height, sliceNode.GetFieldOfView()[2])
    sliceNode.UpdateMatrices()
    sliceNode.EndModify(modifying)
