"""Convert between a volume node (any storage order, handedness, transforms) and the canonical ``HeadCT``."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import slicer
import vtk

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.assemble import assemble
from MidlineShiftLogic.headct.canonical import axial_flags, from_volume, storage_order
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.headct.stack import AxialStack
from MidlineShiftLogic.progress import Progress
from MidlineShiftLogic.scene.coordinates import lps_to_ras, matrix_to_lps, ras_to_lps
from MidlineShiftLogic.scene.instances import describe_slices, known_instances

MADE_FOR = "MidlineShift.madeFor"
"""Attribute of the volumes that are made for a measurement; no scan has it."""

FLAT_MM = 0.1
"""A transform that moves the middle of a slice by more than this off where its corners say bends the slice."""


def head_ct_from_volume(volume_node, progress: Progress | None = None) -> HeadCT:
    """Return the scan of a scalar volume node as it is in the world, that is with its parent transforms.

    Nothing is resampled. Linear parents become part of the geometry. A non-linear one (as Slicer's DICOM reader adds for
    tilted gantries and uneven distances) may move whole slices: each gets its own origin. The thickness of the slices is
    asked of Slicer's DICOM database, else follows from their distances. Thin slices are averaged into slabs, just as when
    a file is read (``headct.read``).

    Args:
        volume_node: ``vtkMRMLScalarVolumeNode`` with Hounsfield units.
        progress: called for each slice.

    Returns:
        The scan; flags of ``headct.check`` are not in it yet.

    Raises:
        InputError: no voxels, several values a voxel, no usable geometry, or a transform that bends the slices.
    """
    stack = thin_stack(volume_node)
    stack.source.update(format="MRML volume", stored_shape=list(volume_node.GetImageData().GetDimensions()))
    return assemble(stack, progress)


def thin_stack(volume_node) -> AxialStack:
    """Return the volume's own slices in canonical order, not averaged into slabs; errors of ``head_ct_from_volume``."""
    uids = _instance_uids(volume_node)
    stack = from_volume(_voxels(volume_node), volume_affine(volume_node), sop_instance_uids=uids)
    parent = volume_node.GetParentTransformNode()
    if parent is not None and not parent.IsTransformToWorldLinear():
        stack = _carried(stack, parent)
    describe_slices(stack, known_instances(volume_node))
    return stack


def volume_affine(volume_node) -> np.ndarray:
    """Return (4, 4) stored index (i, j, k) -> LPS mm, in the world if the parents are linear, else before them."""
    to_ras = vtk.vtkMatrix4x4()
    volume_node.GetIJKToRASMatrix(to_ras)
    parent = volume_node.GetParentTransformNode()
    if parent is not None and parent.IsTransformToWorldLinear():
        to_world = vtk.vtkMatrix4x4()
        parent.GetMatrixTransformToWorld(to_world)
        vtk.vtkMatrix4x4.Multiply4x4(to_world, to_ras, to_ras)
    return matrix_to_lps(to_ras)


def stored_array(volume_node, canonical: np.ndarray) -> np.ndarray:
    """Convert (slice, row, column) values of the volume's own slices in canonical order to (k, j, i) as stored."""
    (left, back, up), (turn_left, turn_back, turn_up) = storage_order(volume_affine(volume_node))
    flips = tuple(slice(None, None, -1 if turned else 1) for turned in (turn_up, turn_back, turn_left))
    ijk = canonical[flips].transpose(np.argsort((up, back, left)))
    return np.ascontiguousarray(ijk.transpose(2, 1, 0))


def add_volume_like(volume_node, canonical: np.ndarray, name: str):
    """Add a scalar volume node on exactly the grid of ``volume_node``, under the same parent transform.

    Args:
        canonical: (slice, row, column) values of the volume's own slices in canonical order.
    """
    node = slicer.vtkMRMLScalarVolumeNode()
    node.SetName(volume_node.GetScene().GenerateUniqueName(name))
    node.SetAttribute(MADE_FOR, volume_node.GetID())  # before it is added, so that nobody takes it for a scan
    node = volume_node.GetScene().AddNode(node)
    slicer.util.updateVolumeFromArray(node, stored_array(volume_node, canonical))
    to_ras = vtk.vtkMatrix4x4()
    volume_node.GetIJKToRASMatrix(to_ras)
    node.SetIJKToRASMatrix(to_ras)
    node.SetAndObserveTransformNodeID(volume_node.GetTransformNodeID())
    node.CreateDefaultDisplayNodes()
    return node


def _voxels(volume_node) -> np.ndarray:
    """Return (i, j, k) view of the stored values."""
    image = volume_node.GetImageData()
    if image is None or 0 in image.GetDimensions():
        raise InputError(f"The volume {volume_node.GetName()!r} has no voxels; load the scan again.", "not-a-volume")
    if image.GetNumberOfScalarComponents() > 1:
        raise InputError(
            f"The volume {volume_node.GetName()!r} has several values a voxel (a colour picture or a field); "
            "choose the original CT.",
            "not-ct",
        )
    return slicer.util.arrayFromVolume(volume_node).T


def _instance_uids(volume_node) -> tuple[str, ...]:
    # Which slice is which image only the DICOM database knows (``describe_slices``): until then, each comes from all.
    return tuple((volume_node.GetAttribute("DICOM.instanceUIDs") or "").split())


def _carried(stack: AxialStack, parent) -> AxialStack:
    """Return the stack where a non-linear transform puts its slices, each of which must stay a flat rectangle."""
    to_world = vtk.vtkGeneralTransform()
    parent.GetTransformToWorld(to_world)
    rows, columns = stack.shape
    row_mm, column_mm = stack.pixel_spacing
    width, height = stack.column_axis * column_mm * (columns - 1), stack.row_axis * row_mm * (rows - 1)

    def moved(points: np.ndarray) -> np.ndarray:
        return ras_to_lps([to_world.TransformPoint(point) for point in lps_to_ras(points)])

    first = moved(stack.origins)
    across = moved(stack.origins + width) - first
    down = moved(stack.origins + height) - first
    middle = moved(stack.origins + (width + height) / 2)
    mean_across, mean_down = across.mean(0), down.mean(0)
    bent = np.abs(first + (mean_across + mean_down) / 2 - middle).max()
    bent = max(bent, np.abs(across - mean_across).max(), np.abs(down - mean_down).max())
    square = abs(mean_across @ mean_down) <= FLAT_MM * min(np.linalg.norm(mean_across), np.linalg.norm(mean_down))
    if bent > FLAT_MM or not square:
        raise InputError(
            f"The transform {parent.GetName()!r} bends the slices of this scan; take the scan out of it and measure "
            "the original.",
            "bent-slices",
        )
    long, tall = np.linalg.norm(mean_across), np.linalg.norm(mean_down)
    column_axis = mean_across / long
    row_axis = mean_down / tall
    row_axis = row_axis - (row_axis @ column_axis) * column_axis
    result = replace(
        stack,
        origins=first,
        column_axis=column_axis,
        row_axis=row_axis / np.linalg.norm(row_axis),
        pixel_spacing=(float(tall) / (rows - 1), float(long) / (columns - 1)),
    )
    result.quality = [flag for flag in stack.quality if flag.code != "not-axial"] + axial_flags(result.normal)
    return result
