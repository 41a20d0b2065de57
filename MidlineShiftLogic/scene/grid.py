"""Draw the displacement of the shown slice as a grid: squares in the unshifted head, bent as tissue was pushed.

A model, since the grid lines that Slicer draws of a transform are in every slice view or in none (docs/adr/0012). Like the
landmarks it follows the shown slice.
"""

from __future__ import annotations

import numpy as np
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from MidlineShiftLogic.scene.coordinates import lps_to_ras
from MidlineShiftLogic.scene.nodes import MeasurementNodes
from MidlineShiftLogic.scene.planar_field import INVERSE_ROUNDS

LINE_DISTANCE_MM = 10.0
STEP_MM = 2.0
"""Distance of a line's nodes; the networks' fields have theirs 3.6 mm apart."""

DRAWN_FROM_MM = 0.1
"""Where tissue was pushed by less, nothing is drawn: bone and air have no displacement to be seen."""

COLOUR = (0.55, 0.95, 1.0)


def add_grid(scene, nodes: MeasurementNodes, name: str) -> None:
    """Make the model, switched off and empty; ``show_grid`` fills it."""
    node = scene.AddNewNodeByClass("vtkMRMLModelNode", name)
    node.SetAndObservePolyData(vtk.vtkPolyData())
    nodes.put("grid", node)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetColor(COLOUR)
    display.SetSliceDisplayModeToProjection()
    display.SetSliceIntersectionThickness(1)
    display.SetVisibility(True)
    display.SetVisibility2D(False)
    display.SetVisibility3D(False)


def show_grid(nodes: MeasurementNodes) -> None:
    """Bring the grid to the shown slice. A grid that is switched off is left alone: bending it takes a while."""
    node = nodes.node("grid")
    if node is not None and node.GetDisplayNode() is not None and node.GetDisplayNode().GetVisibility2D():
        node.SetAndObservePolyData(_bent_grid(nodes))


def _bent_grid(nodes: MeasurementNodes) -> vtk.vtkPolyData:
    ct, index, transform = nodes.geometry, nodes.shown, nodes.transform
    picture = vtk.vtkPolyData()
    if transform is None:
        return picture
    size = np.array(ct.hu.shape[1:]) * ct.pixel_spacing
    fine, coarse = ([np.arange(0, length, step) for length in size] for step in (STEP_MM, LINE_DISTANCE_MM))
    # (line, node, 2) plane mm along rows and columns of the lines that run along the rows, then of the others
    families = [
        np.stack(np.meshgrid(coarse[0], fine[1], indexing="ij"), -1),
        np.stack(np.meshgrid(coarse[1], fine[0], indexing="ij")[::-1], -1),
    ]
    places: list[np.ndarray] = []
    lines = vtk.vtkCellArray()
    for family in families:
        pixels = (family / ct.pixel_spacing)[..., ::-1]
        straight = lps_to_ras(ct.to_lps(index, pixels))
        bent = _pushed(transform.GetTransformToParent(), straight.reshape(-1, 3)).reshape(straight.shape)
        pushed = np.linalg.norm(bent - straight, axis=-1) >= DRAWN_FROM_MM
        for line, shown in zip(bent, pushed, strict=True):
            for start, stop in _runs(shown):
                first = sum(len(one) for one in places)
                places.append(line[start:stop])
                lines.InsertNextCell(stop - start)
                for point in range(first, first + stop - start):
                    lines.InsertCellPoint(point)
    if places:
        points = vtk.vtkPoints()
        points.SetData(numpy_to_vtk(np.concatenate(places), deep=True))
        picture.SetPoints(points)
        picture.SetLines(lines)
    return picture


def _pushed(to_normal, normal_ras: np.ndarray) -> np.ndarray:
    """Return (n, 3) where the tissue that belongs at ``normal_ras`` is in the scan, by fixed-point iteration.

    VTK's own inverse complains of every point where a field folds; this one stays near it.
    """
    here = normal_ras
    for _ in range(INVERSE_ROUNDS):
        here = normal_ras - (_transformed(to_normal, here) - here)
    return here


def _transformed(transform, points_ras: np.ndarray) -> np.ndarray:
    before, after = vtk.vtkPoints(), vtk.vtkPoints()
    before.SetData(numpy_to_vtk(np.ascontiguousarray(points_ras), deep=True))
    after.SetDataTypeToDouble()
    transform.TransformPoints(before, after)
    return vtk_to_numpy(after.GetData()).copy()


def _runs(shown: np.ndarray) -> list[tuple[int, int]]:
    """Return (start, stop) of each run of at least two nodes that are drawn."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], shown, [False]]).astype(int)))
    return [(start, stop) for start, stop in edges.reshape(-1, 2) if stop - start > 1]
