"""Show a slice of a measurement: its markups, and the slice views on its plane."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.measurement.edit import slice_of
from MidlineShiftLogic.scene.coordinates import as_array, as_matrix, lps_to_ras, ras_to_lps
from MidlineShiftLogic.scene.edits import apply_edits
from MidlineShiftLogic.scene.grid import show_grid
from MidlineShiftLogic.scene.markups import show_markups
from MidlineShiftLogic.scene.nodes import MeasurementNodes

ALONG = np.cos(np.radians(45.0))
"""A view whose normal is nearer to the slices' than 45 degrees shows slices; another shows a cut through them."""


def show_slice(nodes: MeasurementNodes, index: int, slice_nodes: Iterable | None = None) -> None:
    """Show a slice's landmarks and lines and bring views there. What was dragged before is taken into the measurement.

    Views of slices are turned into the plane that was measured (that of a tilted gantry too) and step slice by slice;
    views that cut through the slices go to its shifted landmark.

    Args:
        index: slice of the canonical stack; one without landmarks is shown without markups.
        slice_nodes: ``vtkMRMLSliceNode`` to bring there; all of the scene if None, none if empty.

    Raises:
        IndexError: no such slice. InputError: from ``apply_edits``.
    """
    ct = nodes.geometry
    if not 0 <= index < ct.n_slices:
        raise IndexError(f"slice {index} of {ct.n_slices}")
    apply_edits(nodes)
    state = replace(nodes.state, shown=index)
    if state.shown != nodes.shown:
        nodes.state = state
    one = slice_of(state.measurement, index)
    show_markups(nodes, one)
    show_grid(nodes)
    rows, columns = ct.hu.shape[1:]
    target = ct.to_lps(index, ((columns - 1) / 2, (rows - 1) / 2)) if one is None else one.landmarks_lps_mm["shifted"]
    for slice_node in _all_slice_nodes(nodes) if slice_nodes is None else slice_nodes:
        _bring(slice_node, ct, index, target)


def slice_at(nodes: MeasurementNodes, slice_node) -> int:
    """Return the slice of the stack that is nearest to the plane of a view (where the view's middle is)."""
    ct = nodes.geometry
    middle = ras_to_lps(as_array(slice_node.GetSliceToRAS())[:3, 3])
    return int(np.argmin(np.abs(ct.heights - middle @ ct.normal)))


def _all_slice_nodes(nodes: MeasurementNodes) -> list:
    found = nodes.state_node.GetScene().GetNodesByClass("vtkMRMLSliceNode")
    return [found.GetItemAsObject(index) for index in range(found.GetNumberOfItems())]


def _bring(slice_node, ct: HeadCT, index: int, target: np.ndarray) -> None:
    place = as_array(slice_node.GetSliceToRAS())
    normal = ras_to_lps(place[:3, 2])
    if abs(normal @ ct.normal) < ALONG:
        slice_node.JumpSliceByOffsetting(*lps_to_ras(target))
        return
    middle = ras_to_lps(place[:3, 3])
    # the view keeps its in-plane place, so that paging does not lose the zoomed region
    middle = middle + (ct.heights[index] - middle @ ct.normal) * ct.normal
    modifying = slice_node.StartModify()
    place[:3] = lps_to_ras(np.stack([ct.column_axis, -ct.row_axis, ct.normal, middle])).T
    slice_node.GetSliceToRAS().DeepCopy(as_matrix(place))
    slice_node.UpdateMatrices()
    around = np.diff(ct.heights)[max(index - 1, 0) : index + 1]
    slice_node.SetSliceSpacingModeToPrescribed()
    slice_node.SetPrescribedSliceSpacing(*slice_node.GetPrescribedSliceSpacing()[:2], float(around.min()))
    slice_node.EndModify(modifying)
