"""Make the displacement in MRML: a grid transform that warps tissue back, its magnitude, and the warped scan.

Direction: the transform's *ToParent* is p -> p + u(p), from where tissue is to where it would be in the unshifted head.
So a landmark or a volume put under it appears where it would normally be; a volume's voxels are looked up through the
inverse, which VTK finds itself.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk

from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.headct.stack import AxialStack
from MidlineShiftLogic.scene.coordinates import as_matrix, lps_to_ras
from MidlineShiftLogic.scene.planar_field import PlanarField
from MidlineShiftLogic.scene.volume import add_volume_like, thin_stack

Steps = Generator[None, None, Any]
"""Work that is done bit by bit, so that a program with a window can draw it in between; it returns what was made."""

GRID_MM = 2.0
"""In-plane step of the transform's grid; the networks' fields have nodes 3.6 mm apart."""

EVEN = 0.02
"""Slices whose distances differ by less than this part get one grid plane each."""

MOST_PLANES = 400

SHOWN_FROM_MM = 1.0
"""Smaller displacements are not coloured: they are within what readers differ by."""

FULL_COLOUR_MM = 10.0
"""Where the colours end, in every scan: a picture of 2 mm must not look like one of 12."""

VIRIDIS = (
    "440154", "481567", "482677", "453781", "404788", "39568c", "33638d", "2d708e", "287d8e", "238a8d", "1f968b",
    "20a387", "29af7f", "3cbb75", "55c667", "73d055", "95d840", "b8de29", "dce319", "fde725",
)  # fmt: skip
"""The colours of overlay.png, at even distances; between them the table is linear."""


def add_transform(scene, field: PlanarField, name: str) -> Steps:
    """Make the ``vtkMRMLGridTransformNode`` of the displacement, in RAS: yields after each plane, returns the node."""
    transform = yield from _grid_transform(field)
    node = scene.AddNewNodeByClass("vtkMRMLGridTransformNode", name)
    node.SetAndObserveTransformToParent(transform)
    return node


def add_magnitude(volume_node, ct: HeadCT, field: PlanarField, colours, name: str) -> Steps:
    """Make the scalar volume of |u| in mm on the grid of ``volume_node``: yields after each slice, returns the node.

    It is coloured from ``SHOWN_FROM_MM`` up by the table ``colours``.
    """
    stack = thin_stack(volume_node)
    magnitude = np.zeros((stack.n_slices, *stack.shape), np.float32)
    for index, (height, x, y) in enumerate(_lattices(stack)):
        if _has_slabs(stack, ct):
            magnitude[index] = np.linalg.norm(field.at(height, x, y), axis=0)
        elif field.moves[index]:
            magnitude[index] = np.linalg.norm(field.displacement_mm[index].astype(np.float32), axis=0)
        yield
    node = add_volume_like(volume_node, magnitude, name)
    display = node.GetDisplayNode()
    display.SetAndObserveColorNodeID(colours.GetID())
    display.AutoWindowLevelOff()
    display.SetWindowLevelMinMax(0.0, FULL_COLOUR_MM)
    display.SetThreshold(SHOWN_FROM_MM, max(float(magnitude.max()), FULL_COLOUR_MM) + 1.0)
    display.ApplyThresholdOn()
    display.InterpolateOn()
    return node


def add_colours(scene, name: str):
    """Make the colour table of ``VIRIDIS``; Slicer has one only where its own files are installed."""
    node = scene.AddNewNodeByClass("vtkMRMLColorTableNode", name)
    node.SetHideFromEditors(True)
    node.SetTypeToUser()
    node.SetNumberOfColors(256)
    stops = np.array([[int(one[start : start + 2], 16) / 255 for start in (0, 2, 4)] for one in VIRIDIS])
    for index, place in enumerate(np.linspace(0, len(stops) - 1, 256)):
        rgb = [float(np.interp(place, np.arange(len(stops)), stops[:, channel])) for channel in range(3)]
        node.SetColor(index, *rgb, 1.0)
    return node


def add_warped(volume_node, ct: HeadCT, field: PlanarField, warped_hu: np.ndarray, name: str) -> Steps:
    """Make the scan warped back to normal, on the grid of ``volume_node`` and in its window.

    Yields after each slice that is warped, returns the node.

    Args:
        warped_hu: (slice, row, column) on the grid of ``ct``. Where ``ct`` has slabs of thin slices, the thin slices are
            warped themselves instead, by the displacement interpolated between the slabs.
    """
    stack = thin_stack(volume_node)
    warped = warped_hu if not _has_slabs(stack, ct) else (yield from _warp_thin_slices(stack, field))
    node = add_volume_like(volume_node, warped.astype(np.float32), name)
    display, original = node.GetDisplayNode(), volume_node.GetDisplayNode()
    if original is not None:
        display.AutoWindowLevelOff()
        display.SetWindowLevel(original.GetWindow(), original.GetLevel())
    return node


def _warp_thin_slices(stack: AxialStack, field: PlanarField) -> Steps:
    from scipy import ndimage

    warped = np.empty((stack.n_slices, *stack.shape), np.float32)
    row_mm, column_mm = stack.pixel_spacing
    for index, (height, x, y) in enumerate(_lattices(stack)):
        picture = np.asarray(stack.plane(index), np.float32)
        back = field.inverse_at(height, x, y)
        if back.any():
            rows, columns = np.indices(stack.shape, dtype=np.float32)
            place = [rows + back[0] / row_mm, columns + back[1] / column_mm]
            picture = ndimage.map_coordinates(picture, place, order=1, mode="nearest")
        warped[index] = picture
        yield
    return warped


def _has_slabs(stack: AxialStack, ct: HeadCT) -> bool:
    return stack.n_slices != ct.n_slices


def _lattices(stack: AxialStack) -> list[tuple[float, np.ndarray, np.ndarray]]:
    """Return height, x and y of the pixels of every slice in stack coordinates."""
    rows, columns = stack.shape
    row_mm, column_mm = stack.pixel_spacing
    return [
        (
            float(origin @ stack.normal),
            origin @ stack.column_axis + np.arange(columns) * column_mm,
            origin @ stack.row_axis + np.arange(rows) * row_mm,
        )
        for origin in stack.origins
    ]


def _grid_transform(field: PlanarField) -> Steps:
    """Make the ``vtkOrientedGridTransform`` of u: yields after each plane, returns the transform.

    Its outermost nodes are zero, since VTK carries the last node on outward.
    """
    ct = field.ct
    rows, columns = ct.hu.shape[1:]
    row_mm, column_mm = ct.pixel_spacing
    corner_x, corner_y = ct.origins @ ct.column_axis, ct.origins @ ct.row_axis
    x = np.arange(corner_x.min() - GRID_MM, corner_x.max() + columns * column_mm + 2 * GRID_MM, GRID_MM)
    y = np.arange(corner_y.min() - GRID_MM, corner_y.max() + rows * row_mm + 2 * GRID_MM, GRID_MM)
    z, step = _planes(ct.heights)
    vectors = np.zeros((len(z), len(y), len(x), 3), np.float32)
    axes = np.stack([lps_to_ras(ct.row_axis), lps_to_ras(ct.column_axis)])
    for plane in range(1, len(z) - 1):
        u = field.at(z[plane], x, y)
        u[:, [0, -1]] = 0
        u[:, :, [0, -1]] = 0
        vectors[plane] = np.einsum("arc,ad->rcd", u, axes)
        yield
    image = vtk.vtkImageData()
    image.SetDimensions(len(x), len(y), len(z))
    image.SetSpacing(GRID_MM, GRID_MM, step)
    frame = np.stack([ct.column_axis, ct.row_axis, ct.normal], -1)
    image.SetOrigin(lps_to_ras(frame @ (x[0], y[0], z[0])))
    scalars = numpy_to_vtk(vectors.reshape(-1, 3), deep=True)
    scalars.SetName("displacement")
    image.GetPointData().SetScalars(scalars)
    direction = np.eye(4)
    direction[:3, :3] = lps_to_ras(frame.T).T
    transform = slicer.vtkOrientedGridTransform()
    transform.SetDisplacementGridData(image)
    transform.SetGridDirectionMatrix(as_matrix(direction))
    transform.SetInterpolationModeToLinear()
    return transform


def _planes(heights: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the heights of the planes of the grid, mm, and their distance.

    One plane a slice if the slices are even, else fine enough for the nearest two; with one more plane at either end.
    """
    gaps = np.diff(heights)
    even = np.ptp(gaps) <= EVEN * gaps.mean()
    step = float(gaps.mean()) if even else float(max(gaps.min() / 2, np.ptp(heights) / MOST_PLANES))
    count = len(heights) if even else int(np.ceil(np.ptp(heights) / step)) + 1
    return heights[0] + step * np.arange(-1, count + 1), step
