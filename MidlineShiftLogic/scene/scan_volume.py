"""Put a scan that was read from a file into a scene as a volume node, for programs without Slicer's own readers."""

from __future__ import annotations

import numpy as np
import slicer

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.scene.coordinates import as_matrix, lps_to_ras

EVEN_MM = 0.05
"""Slices whose places differ by less from even steps are even."""
LARGEST_OFF_MM = 0.5
"""A slice of an uneven scan may be drawn so far from its place within its plane."""
PLANES_A_STEP = 3
"""Even slices in the smallest step: the two that a view interpolates between are then copies of one slice."""
MOST_SLICES = 600
"""More even slices than this for an uneven scan would take too much memory."""
WINDOW_HU, LEVEL_HU = 80.0, 40.0


def add_scan_volume(scene, ct: HeadCT, name: str):
    """Add the scan as a scalar volume node in the brain window.

    A volume node has one step between its slices. A scan with uneven steps gets finer even slices, each a copy of the
    nearest slice of the scan, so that nothing is interpolated.

    Args:
        scene: ``vtkMRMLScene``.
        ct: The scan; its geometry may be sheared (gantry tilt).
        name: Name of the node.

    Returns:
        ``vtkMRMLScalarVolumeNode``; ``head_ct_from_volume`` of it is ``ct`` where the steps are even.

    Raises:
        InputError: The slices are not on one line (``scene``): the scan cannot be drawn as one volume.
    """
    values, origin, step = _even_slices(ct)
    affine = np.eye(4)
    affine[:3, 0] = lps_to_ras(ct.column_axis * ct.pixel_spacing[1])
    affine[:3, 1] = lps_to_ras(ct.row_axis * ct.pixel_spacing[0])
    affine[:3, 2] = lps_to_ras(step)
    affine[:3, 3] = lps_to_ras(origin)
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    slicer.util.updateVolumeFromArray(node, np.ascontiguousarray(values))
    node.SetIJKToRASMatrix(as_matrix(affine))
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.AutoWindowLevelOff()
    display.SetWindowLevel(WINDOW_HU, LEVEL_HU)
    return node


def _even_slices(ct: HeadCT) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (slice, row, column) values, the LPS origin of the first slice and the LPS step between slices, mm."""
    if ct.n_slices == 1:
        return ct.hu, ct.origins[0], ct.normal * float(ct.thickness[0])
    count = ct.n_slices - 1
    step = (ct.origins[-1] - ct.origins[0]) / count
    line = ct.origins[0] + np.arange(ct.n_slices)[:, None] * step
    if np.abs(ct.origins - line).max() <= EVEN_MM:
        return ct.hu, ct.origins[0], step
    heights = ct.heights
    total = float(heights[-1] - heights[0])
    along = (ct.origins[-1] - ct.origins[0]) / total
    off = np.abs(ct.origins - (ct.origins[0] + (heights - heights[0])[:, None] * along)).max()
    if off > LARGEST_OFF_MM:
        raise InputError(
            f"The slices of this scan are up to {off:.1f} mm off one line, so it cannot be drawn.", "scene"
        )
    fine = min(int(np.ceil(total / (np.diff(heights).min() / PLANES_A_STEP))), MOST_SLICES)
    places = heights[0] + np.arange(fine + 1) * (total / fine)
    nearest = np.abs(places[:, None] - heights[None]).argmin(1)
    return np.rint(ct.hu).astype(np.int16)[nearest], ct.origins[0], along * (total / fine)
