"""Show the four landmarks, the two midlines and the distance of one slice as markups.

One set follows the shown slice (docs/adr/0008). The landmarks can be dragged; the lines follow from them and are locked.

Places are set and read before the transforms that a node is under, so that a user can look at the marks under one (that of
the displacement, or one of a registration) and no landmark is taken for dragged.
"""

from __future__ import annotations

import numpy as np
import vtk

from MidlineShiftLogic.measurement.results import LANDMARK_NAMES, SliceMeasurement
from MidlineShiftLogic.reporting.figures.drawing import BAR_COLOUR, FOUND_COLOUR, IDEAL_COLOUR
from MidlineShiftLogic.reporting.formatting import shift_text
from MidlineShiftLogic.scene.coordinates import lps_to_ras, ras_to_lps
from MidlineShiftLogic.scene.nodes import MeasurementNodes

LABELS = {"anterior_falx": "Anterior falx", "posterior_falx": "Posterior falx"}
"""Words for the two landmarks on bone; a landmark's description is its name. The distance's label says the rest."""

LABEL_DISTANCE_MM = 15.0
"""The labels are this far outside of the falx attachments on the ideal line: beyond bone and scalp, in air."""

EDITED_COLOUR = "#CC79A7"
"""Of Okabe & Ito too, like the colours of the pictures."""

SIDES = (" L", " R")
"""As the table and the letters of the view have them: a longer label runs out of a narrow view, or hides the brain."""

OVERLAP_MM = 2.0
"""Closer than this the glyphs of the shifted and of the ideal place cover one another, and only the shifted one is there."""

GLYPH_PERCENT = 6.0
TEXT_PERCENT = 3.0
HIDDEN_GLYPH_PERCENT = 0.01


def add_markups(scene, nodes: MeasurementNodes, prefix: str) -> None:
    """Make the nodes, without points."""
    landmarks = _add(scene, nodes, "landmarks", "vtkMRMLMarkupsFiducialNode", f"{prefix} - landmarks", FOUND_COLOUR)
    landmarks.GetDisplayNode().SetPointLabelsVisibility(False)
    labels = _add(scene, nodes, "landmark_labels", "vtkMRMLMarkupsFiducialNode", f"{prefix} - labels", IDEAL_COLOUR)
    labels.SetLocked(True)
    labels.GetDisplayNode().SetGlyphScale(HIDDEN_GLYPH_PERCENT)
    for role, kind, name, colour in (
        ("ideal_midline", "vtkMRMLMarkupsLineNode", "ideal midline", IDEAL_COLOUR),
        ("deformed_midline", "vtkMRMLMarkupsCurveNode", "deformed midline", FOUND_COLOUR),
        ("distance", "vtkMRMLMarkupsLineNode", "distance", BAR_COLOUR),
    ):
        node = _add(scene, nodes, role, kind, f"{prefix} - {name}", colour)
        node.SetLocked(True)
        display = node.GetDisplayNode()
        display.SetPointLabelsVisibility(role == "distance")
        display.SetGlyphScale(HIDDEN_GLYPH_PERCENT)
    nodes.deformed_midline.SetCurveTypeToLinear()


def show_markups(nodes: MeasurementNodes, one: SliceMeasurement | None, ideal_in_hand: bool = False) -> None:
    """Put the markups on a slice; ``None`` leaves them without points, so that nothing is drawn.

    Where the shifted and the ideal place lie on one another, a hand means the shifted one: taken by the ideal one, the
    whole ideal line would follow, and the number would go against the hand. There the ideal place cannot be taken.

    Args:
        nodes: of the measurement.
        one: the slice.
        ideal_in_hand: a reader drags the ideal place at this moment; it stays.
    """
    places = {} if one is None else one.landmarks_lps_mm

    def points(*names: str) -> np.ndarray:
        return np.array([places[name] for name in names]) if places else np.empty((0, 3))

    names = [LABELS.get(name, "") for name in LANDMARK_NAMES]
    _set_points(nodes.landmarks, points(*LANDMARK_NAMES), names, LANDMARK_NAMES)
    _set_points(nodes.node("landmark_labels"), _beside(points(*LABELS)), list(LABELS.values()))
    _set_points(nodes.ideal_midline, points("anterior_falx", "posterior_falx"))
    text = "" if one is None else shift_text(one.signed_shift_mm, SIDES) + (" (edited)" if one.edited else "")
    # a label runs to the right of its point: at the patient's left end it does not hide the distance
    to_right = one is not None and one.signed_shift_mm < 0
    _set_points(nodes.distance, points("ideal", "shifted"), [text, ""] if to_right else ["", text])
    _set_points(nodes.deformed_midline, np.empty((0, 3)) if one is None else _midline_lps(nodes.geometry, one))
    if one is not None and nodes.landmarks is not None:
        _colour(nodes.landmarks.GetDisplayNode(), EDITED_COLOUR if one.edited else FOUND_COLOUR)
        apart = abs(one.signed_shift_mm) >= OVERLAP_MM or ideal_in_hand
        nodes.landmarks.SetNthControlPointVisibility(LANDMARK_NAMES.index("ideal"), apart)


def _beside(ends: np.ndarray) -> np.ndarray:
    """(2, 3) or (0, 3) LPS mm of the labels of the two falx attachments: outward on the line through both."""
    if not len(ends):
        return ends
    outward = ends[0] - ends[1]
    outward = LABEL_DISTANCE_MM * outward / np.linalg.norm(outward)
    return ends + np.stack([outward, -outward])


def landmarks_in_scene(nodes: MeasurementNodes) -> dict[str, np.ndarray]:
    """Return name -> LPS mm of the landmarks in the scene, without their transforms; only those that are there and placed."""
    node = nodes.landmarks
    found = {}
    for index in range(0 if node is None else node.GetNumberOfControlPoints()):
        name = node.GetNthControlPointDescription(index)
        if name in LANDMARK_NAMES and node.GetNthControlPointPositionStatus(index) == node.PositionDefined:
            found[name] = ras_to_lps(node.GetNthControlPointPosition(index))
    return found


def _midline_lps(ct, one: SliceMeasurement) -> np.ndarray:
    return ct.to_lps(one.index, one.midline_px)


def _add(scene, nodes: MeasurementNodes, role: str, kind: str, name: str, colour: str):
    node = scene.AddNewNodeByClass(kind, name)
    nodes.put(role, node)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    _colour(display, colour)
    display.SetGlyphTypeFromString("CrossDot2D")
    display.SetUseGlyphScale(True)
    display.SetGlyphScale(GLYPH_PERCENT)
    display.SetTextScale(TEXT_PERCENT)
    display.SetPropertiesLabelVisibility(False)
    display.SetCurveLineSizeMode(display.UseLineDiameter)
    display.SetOccludedVisibility(True)
    return node


def _colour(display, colour: str) -> None:
    """Set ``colour`` (#RRGGBB) for points and lines, selected or not, so that a click does not change their meaning."""
    rgb = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    display.SetColor(rgb)
    display.SetSelectedColor(rgb)
    display.SetActiveColor(rgb)


def _set_points(node, points_lps: np.ndarray, labels=(), descriptions=()) -> None:
    """Give a markups node these control points, notifying observers once, when all are in place."""
    if node is None:
        return
    modifying = node.StartModify()
    try:
        if node.GetNumberOfControlPoints() != len(points_lps):
            node.RemoveAllControlPoints()
            for point in lps_to_ras(points_lps):
                node.AddControlPoint(vtk.vtkVector3d(*point))
        else:
            for index, point in enumerate(lps_to_ras(points_lps)):
                node.SetNthControlPointPosition(index, *point)
        for index in range(len(points_lps)):
            node.SetNthControlPointLabel(index, labels[index] if labels else "")
            if descriptions:
                node.SetNthControlPointDescription(index, descriptions[index])
    finally:
        node.EndModify(modifying)
