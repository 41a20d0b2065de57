"""Take a reader's changes of landmarks from the scene, and bring the scene up to date with a changed measurement."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from MidlineShiftLogic.measurement.edit import move_landmarks, slice_of
from MidlineShiftLogic.measurement.results import Measurement
from MidlineShiftLogic.scene.markups import landmarks_in_scene, show_markups
from MidlineShiftLogic.scene.nodes import MeasurementNodes
from MidlineShiftLogic.scene.shift_table import fill_table

MOVED_MM = 1e-3
"""Below this a landmark has not been moved; the state keeps 0.0001 mm."""


def read_edits(nodes: MeasurementNodes) -> dict[int, dict[str, np.ndarray]]:
    """Return the landmarks that are elsewhere in the scene than in the measurement.

    Returns:
        Slice index -> name -> LPS mm. Only the shown slice has landmarks in the scene; empty if none was moved.
    """
    state = nodes.state
    one = slice_of(state.measurement, state.shown)
    if one is None:
        return {}
    moved = {
        name: point
        for name, point in landmarks_in_scene(nodes).items()
        if np.linalg.norm(point - one.landmarks_lps_mm[name]) > MOVED_MM
    }
    return {state.shown: moved} if moved else {}


def apply_edits(nodes: MeasurementNodes) -> Measurement | None:
    """Take what was dragged into the measurement and update everything that follows from it.

    To be called when ``nodes.landmarks`` says ``PointModifiedEvent``. The landmarks settle while it runs (the ideal one
    on the foot of the perpendicular, all in the slice's plane), which says that event again; the second call finds
    nothing moved and does nothing.

    Returns:
        The new measurement, None if no landmark was moved.

    Raises:
        InputError: the falx attachments were laid on one another; the scene is put back to the measurement before.
    """
    edits = read_edits(nodes)
    if not edits:
        return None
    state = nodes.state
    measurement = state.measurement
    try:
        for index, landmarks in edits.items():
            measurement = move_landmarks(measurement, state.geometry, index, landmarks, state.original)
    except Exception:
        show_markups(nodes, slice_of(state.measurement, state.shown))
        raise
    update(nodes, measurement, ideal_in_hand=any("ideal" in landmarks for landmarks in edits.values()))
    return measurement


def update(nodes: MeasurementNodes, measurement: Measurement, ideal_in_hand: bool = False) -> None:
    """Make ``measurement`` (edited, restored or reviewed) the one in the scene: state, markups of the shown slice, table.

    The displacement, its transform and the warped scan are what the model saw; edits do not change them.
    ``ideal_in_hand``: as for ``show_markups``.
    """
    state = replace(nodes.state, measurement=measurement)
    nodes.state = state
    show_markups(nodes, slice_of(nodes.measurement, state.shown), ideal_in_hand)
    fill_table(nodes)
