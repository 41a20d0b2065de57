"""A scene that a user changes behind the panel: nodes deleted, moved or damaged, voxels replaced, work done meanwhile."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import slicer
from panel_fixture import PanelFixture
from PySide6 import QtCore

from MidlineShiftLogic.scene import PARTS, is_visible


@pytest.fixture(params=[8.0, -8.0], ids=["left", "right"])
def panel(host, request):
    """Measured, to either side."""
    panel = PanelFixture(host, shift_mm=request.param)
    panel.measure()
    return panel


def outward(panel, millimetres: float) -> None:
    panel.drag("shifted", -millimetres if panel.shift_mm > 0 else millimetres)


def test_a_deleted_scan_takes_its_number_along(panel):
    slicer.mrmlScene.RemoveNode(panel.volume)
    panel.host.process()
    assert panel.ui.shiftLabel.text == "–" and panel.session.ct is None and panel.editor.nodes is None
    panel.session.showReviewLayout()
    assert "no longer in the scene" in panel.ui.editMessageLabel.text


@pytest.mark.parametrize("replaces", [True, False])
def test_work_done_while_the_child_measures_is_not_replaced_unasked(panel, replaces):
    model = panel.ui.shiftLabel.text
    panel.click(panel.ui.measureButton)
    assert panel.state.value == "running" and not panel.dialogs.asked
    outward(panel, 5.0)
    edited = panel.ui.shiftLabel.text
    assert edited != model
    panel.dialogs.yes = replaces
    panel.runner.finish(panel.measurement, panel.dense)
    panel.settle()
    assert len(panel.dialogs.asked) == 1 and panel.state.value == "idle"
    assert panel.ui.shiftLabel.text == (model if replaces else edited)
    assert ("Your work was kept" in panel.ui.statusLabel.text) == (not replaces)


def test_voxels_changed_after_measuring_are_not_exported_as_measured(panel, tmp_path):
    """A mirrored scan under the landmarks of the scan before would show the shift at the wrong side."""
    panel.dialogs.folder = str(tmp_path)
    before = slicer.util.arrayFromVolume(panel.volume).copy()
    slicer.util.updateVolumeFromArray(panel.volume, before[:, :, ::-1].copy())
    panel.export()
    assert "voxels were changed" in panel.ui.exportLabel.text and not list(tmp_path.iterdir())
    slicer.util.updateVolumeFromArray(panel.volume, before)
    panel.keep_few_slices()
    panel.export()
    assert panel.ui.exportLabel.text.startswith("Written to")


def put_under_transform(node, right_mm: float):
    """Move a node by a transform of its own; return the transform."""
    parent = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = np.eye(4)
    matrix[0, 3] = right_mm
    parent.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
    node.SetAndObserveTransformNodeID(parent.GetID())
    return parent


def test_a_scan_that_is_moved_after_it_was_measured_says_so_beside_the_number(panel):
    said, label = panel.ui.shiftLabel.text, panel.ui.warningsLabel
    assert not label.visible
    parent = put_under_transform(panel.volume, 6.0)
    assert label.visible and label.text.startswith("⚠ The scan was moved") and panel.ui.shiftLabel.text == said
    parent.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(np.eye(4)))
    assert not label.visible
    parent.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(np.diag([-1.0, 1.0, 1.0, 1.0])))
    assert label.visible, "mirrored"
    panel.volume.SetAndObserveTransformNodeID(None)
    assert not label.visible
    origin = panel.volume.GetOrigin()
    panel.volume.SetOrigin(origin[0], origin[1], origin[2] + 6.0)
    assert label.visible, "centred by the Volumes module, for example"
    panel.measure()
    assert not label.visible, "what is measured now is where the scan is now"


def test_the_picture_of_a_moved_scan_has_the_displacement_of_its_slice(panel, tmp_path):
    from MidlineShiftLogic.reporting.fields_file import read_slice_fields

    panel.dialogs.folder = str(tmp_path)
    case, found = panel.measurement.slice, []
    for right_mm in (0.0, 30.0):
        put_under_transform(panel.volume, right_mm)
        panel.click(panel.ui.exportButton)
        found.append(read_slice_fields(Path(panel.runner.option("--dense"))))
        panel.click(panel.ui.exportCancelButton)
    before, after = found
    assert np.array_equal(before.warped_hu[case], after.warped_hu[case])
    assert np.allclose(before.displacement_mm[case], after.displacement_mm[case], atol=0.01)
    known = panel.dense.displacement_mm[case].astype(float)
    assert np.abs(before.displacement_mm[case] - known).max() < 0.6 < np.abs(known).max()


DAMAGED = ("", "{}", '{"format": "midlineshift-scene/9"}')


@pytest.mark.parametrize("text", DAMAGED)
def test_a_measurement_damaged_by_hand_is_one_message_and_the_panel_works_on(panel, text):
    said, damaged = panel.ui.shiftLabel.text, panel.editor.nodes.state_node
    damaged.SetText(text)
    panel.host.process()
    message = panel.ui.statusLabel.text
    assert message.startswith("The measurement in this scene") and message.endswith("or load a result of it.")
    assert panel.ui.shiftLabel.text == "–" and not panel.ui.reviewBox.visible and panel.ui.measureButton.enabled
    panel.ui.inputSelector.setCurrentNode(panel.add_scan("Other"))
    panel.host.process()
    assert panel.ui.statusLabel.text == "" and panel.ui.shiftLabel.text == "–"
    panel.ui.inputSelector.setCurrentNode(panel.volume)
    assert panel.ui.statusLabel.text == message
    panel.measure()
    assert panel.ui.shiftLabel.text == said and panel.editor.nodes.state_node is not damaged
    outward(panel, 4.0)
    assert panel.editor.measurement.edited and panel.ui.shiftLabel.text != said


@pytest.mark.parametrize("how", ["damaged", "deleted"])
def test_without_its_measurement_no_picture_beside_the_scan_stays(panel, how):
    """Without title, colour bar and sides the image that is warped back looks like a scan without a shift."""
    manager = slicer.app.layoutManager()
    assert len(manager.sliceViewNames()) == 3
    drawn = [panel.editor.nodes.node(role) for role in ("landmarks", "landmark_labels", "ideal_midline", "distance")]
    if how == "damaged":
        panel.editor.nodes.state_node.SetText("x")
    else:
        slicer.mrmlScene.RemoveNode(panel.editor.nodes.state_node)
    panel.host.process()
    assert not any(node.GetDisplayNode().GetVisibility() for node in drawn), "no number is left over the scan"
    assert panel.ui.shiftLabel.text == "–" and manager.sliceViewNames() == ("Red",)
    assert panel.foreground("Red") == (None, 0.0) and {"R", "L", "CT"} <= set(panel.view().texts())
    panel.measure()
    assert len(manager.sliceViewNames()) == 3, "measured again it is shown as before"


def test_a_scene_with_a_damaged_measurement_opens(panel):
    panel.editor.nodes.state_node.SetText("x")
    path = panel.host.core.folder / "damaged.mrb"
    panel.host.core.save(path)
    slicer.mrmlScene.Clear()
    panel.host.process()
    panel.host.core.load(path)
    panel.host.process()
    assert "damaged" in panel.ui.statusLabel.text and panel.ui.shiftLabel.text == "–"
    panel.volume = panel.parameters.inputVolume
    panel.measure()
    assert panel.ui.shiftLabel.text.startswith("8.0 mm")


@pytest.mark.parametrize("how", ["deleted", "added", "unset"])
def test_there_are_always_four_landmarks(panel, how):
    """Slicer's own menu deletes and adds points, whatever the panel offers."""
    said, landmarks = panel.ui.shiftLabel.text, panel.editor.nodes.landmarks
    place = landmarks.GetNthControlPointPositionWorld(2)
    if how == "deleted":
        landmarks.RemoveNthControlPoint(2)
    elif how == "added":
        landmarks.AddControlPoint(0, 0, 0)
    else:
        landmarks.UnsetNthControlPointPosition(2)
    panel.host.process()
    assert landmarks.GetNumberOfControlPoints() == 4 and panel.ui.shiftLabel.text == said
    assert landmarks.GetNthControlPointPositionWorld(2) == pytest.approx(place)
    assert landmarks.GetNthControlPointDescription(2) == "shifted" and not panel.editor.measurement.edited


def test_undo_and_redo_show_the_slice_that_they_change(panel):
    outward(panel, 3.0)
    changed = panel.editor.shown
    for _ in range(3):
        panel.click(panel.ui.nextButton)
    elsewhere = panel.editor.shown
    panel.click(panel.ui.undoButton)
    assert panel.editor.shown == changed != elsewhere
    panel.click(panel.ui.previousButton)
    panel.click(panel.ui.redoButton)
    assert panel.editor.shown == changed and panel.editor.shownSlice.edited


def test_two_scans_of_one_name_keep_their_own_numbers(panel):
    first, said, marks = panel.volume, panel.ui.shiftLabel.text, panel.editor.nodes
    assert all(is_visible(marks, part) for part in PARTS if part != "grid")
    panel.volume = panel.add_scan(first.GetName())
    panel.host.process()
    assert panel.ui.inputSelector.currentNode() is panel.volume and panel.ui.shiftLabel.text == "–"
    assert not any(is_visible(marks, part) for part in PARTS), "nothing of another scan is drawn over this one"
    panel.measure()
    outward(panel, 4.0)
    assert panel.ui.shiftLabel.text != said
    panel.ui.inputSelector.setCurrentNode(first)
    panel.host.process()
    assert panel.ui.shiftLabel.text == said
    shown = [is_visible(marks, part) for part in PARTS]
    assert shown == [part != "grid" for part in PARTS]


def test_names_from_files_are_shown_as_they_are(panel):
    """A reader's name in a result that was loaded is no markup, and has no signs that turn the line around."""
    panel.ui.readerEdit.text = "<b>x</b>\u202e Ada"
    panel.click(panel.ui.acceptButton)
    assert panel.ui.reviewLabel.text.startswith("Accepted by <b>x</b> Ada, ")
    labels = [
        widget for widget in vars(panel.ui).values() if getattr(widget, "wordWrap", False) and hasattr(widget, "text")
    ]
    assert len(labels) >= 15 and all(label.textFormat == QtCore.Qt.PlainText for label in labels)
