"""Note where a scan was when it was measured, and find out whether it has been moved since."""

from __future__ import annotations

from itertools import product

import numpy as np
import vtk

from MidlineShiftLogic.scene.nodes import MeasurementNodes

PLACE = "MidlineShift.place"
"""Attribute of a measurement's text node: RAS mm of eight corners of the volume in the world, x y z one after the other."""

MOVED_MM = 0.5
"""A scan that is nearer than this to its place was not moved: half a pixel of a head CT."""


def note_place(nodes: MeasurementNodes) -> None:
    """Note where the volume of a measurement is now."""
    nodes.state_node.SetAttribute(PLACE, " ".join(f"{mm:.3f}" for mm in _corners(nodes.volume).ravel()))


def was_moved(nodes: MeasurementNodes) -> bool:
    """Return whether the volume is elsewhere than where it was measured: under another transform, turned or scaled.

    False where that is not known: the volume is gone, or an older version made the measurement.
    """
    try:
        measured = np.array((nodes.state_node.GetAttribute(PLACE) or "").split(), float)
    except ValueError:
        return False
    volume = nodes.volume
    if volume is None or volume.GetImageData() is None or len(measured) != 24:
        return False
    corners = _corners(volume)
    # a left-handed volume comes back from a file with its slices in the opposite order
    off = [np.abs(order.ravel() - measured).max() for order in (corners, corners[::-1])]
    return bool(min(off) > MOVED_MM)


def _corners(volume_node) -> np.ndarray:
    """Return (2, 4, 3) RAS mm in the world of the corners of the first and the last slice, under whatever transforms."""
    last = np.array(volume_node.GetImageData().GetDimensions()) - 1.0
    indices = [last * corner[::-1] for corner in product((0, 1), repeat=3)]
    to_ras, to_world = vtk.vtkMatrix4x4(), vtk.vtkGeneralTransform()
    volume_node.GetIJKToRASMatrix(to_ras)
    parent = volume_node.GetParentTransformNode()
    if parent is not None:
        parent.GetTransformToWorld(to_world)
    places = [to_world.TransformPoint(to_ras.MultiplyPoint((*index, 1.0))[:3]) for index in indices]
    return np.array(places).reshape(2, 4, 3)
