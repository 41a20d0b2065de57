"""Show the pseudo-healthy image of a measurement as a volume on the grid of the scan."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.headct.stack import AxialStack
from MidlineShiftLogic.measurement.pseudo_healthy import PseudoHealthy
from MidlineShiftLogic.scene.build import remove_node
from MidlineShiftLogic.scene.folder import add_node_to_folder, remove_from_folder
from MidlineShiftLogic.scene.nodes import MeasurementNodes
from MidlineShiftLogic.scene.volume import add_volume_like, thin_stack

MADE_BY = "MidlineShift.madeBy"
"""Attribute of the volume: name and version of the model that generated it."""


def add_healthy(nodes: MeasurementNodes, healthy: PseudoHealthy):
    """Put the pseudo-healthy image into the measurement's folder; an older one of the measurement is replaced.

    Slices that were not made, and everything outside the brain, are as scanned. Where the measurement has slabs of thin
    slices, each thin slice gets the picture of its slab.

    Args:
        healthy: of the measured scan.

    Returns:
        The scalar volume node, in the window of the scan.

    Raises:
        InputError: the scan is gone, or the image is not of it.
    """
    volume_node, ct = nodes.volume, nodes.geometry
    if volume_node is None:
        raise InputError("The scan of this measurement is no longer in the scene; load it again.", "scene")
    if healthy.hu.shape[1:] != ct.hu.shape[1:] or not set(healthy.slices) <= set(range(ct.n_slices)):
        raise InputError("The pseudo-healthy image is not of this scan; measure it again.", "scene")
    stack = thin_stack(volume_node)
    if stack.shape != ct.hu.shape[1:]:
        raise InputError("The scan was changed after it was measured; measure it again.", "scene")
    values = np.stack([_shown(stack, index, ct, healthy) for index in range(stack.n_slices)])
    node = add_volume_like(volume_node, values, f"{volume_node.GetName()} midline shift - pseudo-healthy (generated)")
    node.SetAttribute(MADE_BY, f"{healthy.model.get('name', '')} {healthy.model.get('version', '')}".strip())
    display, original = node.GetDisplayNode(), volume_node.GetDisplayNode()
    if original is not None:
        display.AutoWindowLevelOff()
        display.SetWindowLevel(original.GetWindow(), original.GetLevel())
    remove_healthy(nodes)
    nodes.put("healthy", node)
    add_node_to_folder(nodes, node)
    return node


def remove_healthy(nodes: MeasurementNodes) -> None:
    """Take the pseudo-healthy image of a measurement out of the scene, if there is one."""
    if nodes.healthy is not None:
        remove_from_folder(nodes.healthy.GetScene(), [nodes.healthy])
        remove_node(nodes.healthy)


def _shown(stack: AxialStack, index: int, ct: HeadCT, healthy: PseudoHealthy) -> np.ndarray:
    """Return (row, column) HU of one of the volume's own slices, with the pseudo-healthy image where its slab was made."""
    scan = np.asarray(stack.plane(index), np.float32)
    slab = int(np.argmin(np.abs(ct.heights - stack.heights[index])))
    found = np.flatnonzero(healthy.slices == slab)
    if not len(found):
        return scan
    number = int(found[0])
    off = stack.origins[index] - ct.origins[slab]
    row_mm, column_mm = stack.pixel_spacing
    # within the slab of a tilted scan the slices are moved against one another
    moved = np.array([off @ stack.row_axis / row_mm, off @ stack.column_axis / column_mm])
    if np.abs(moved).max() < 0.01:
        return healthy.over(number, scan)
    picture, brain = (
        ndimage.shift(one[number], -moved, order=1, mode="nearest") for one in (healthy.hu, healthy.brain)
    )
    return scan + brain * (picture - scan)
