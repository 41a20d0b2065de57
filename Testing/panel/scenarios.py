"""What a person does with the panel and must then see. ``test_panel`` runs them on the panel as it is;
``test_planted_faults`` on panels with a fault, where at least one must fail."""

from __future__ import annotations

import json
import re

import numpy as np
import pydicom
from dicom_case import PATIENT
from make_scans import write_dicom
from slicer_dicom import imported

from MidlineShiftLogic.measurement.results import LANDMARK_NAMES
from MidlineShiftLogic.reporting.dicom import read_report


def measuring_shows_the_number(panel) -> None:
    panel.measure()
    assert panel.ui.shiftLabel.text == "8.0 mm  to the left →"
    assert panel.state.value == "idle"
    case = panel.measurement.slice
    assert panel.row(case)[1:] == ["8.0 mm L", "6 mm", "case"]
    assert len(panel.rows()) == len(panel.measurement.slices)
    assert panel.ui.sliceLabel.text == f"Slice {case + 1} of 14"
    assert np.isclose(panel.offset(), panel.head.heights[case])


def side_is_the_patients(panel) -> None:
    """The landmark of a shift to the left is at the patient's left (-R in RAS), and on the right of the screen."""
    panel.measure()
    nodes = panel.editor.nodes
    place = dict(
        zip(LANDMARK_NAMES, (nodes.landmarks.GetNthControlPointPositionWorld(i) for i in range(4)), strict=True)
    )
    assert place["shifted"][0] < place["ideal"][0] - 5
    assert panel.view().place(place["shifted"])[0] > panel.view().place(place["ideal"])[0]
    assert panel.ui.shiftLabel.text.endswith("to the left →")


def tissue_is_put_back(panel) -> None:
    """The transform carries the shifted landmark to the ideal one, and the warped volume has there what was shifted."""
    import slicer

    panel.measure()
    nodes = panel.editor.nodes
    one = nodes.shown_slice
    flip = np.array([-1, -1, 1])
    shifted, ideal = (one.landmarks_lps_mm[name] * flip for name in ("shifted", "ideal"))
    moved = nodes.transform.GetTransformToParent().TransformPoint(shifted)
    assert np.linalg.norm(np.array(moved) - ideal) < 0.6
    warped = slicer.util.arrayFromVolume(nodes.warped)[one.index]
    assert np.abs(warped - panel.dense.warped_hu[one.index]).max() <= 1
    assert np.abs(warped - panel.head.hu[one.index]).max() > 20


def the_child_gets_the_scan(panel) -> None:
    """The file of the command holds the volume's voxels where they are in the patient."""
    from MidlineShiftLogic.headct import read

    panel.choose_scan()
    panel.parameters.device = "cpu"
    panel.click(panel.ui.measureButton)
    command = panel.runner.started[-1]
    assert command[1:4] == ["-m", "MidlineShiftLogic", "measure"] and "--json-lines" in command
    assert panel.runner.option("--device") == "cpu"
    sent = read(command[4])
    assert np.array_equal(sent.hu, panel.head.hu) and sent.source_slices[3] == (3,)
    for index, row, column in ((0, 0, 0), (5, 20, 70)):
        point = np.array([column, row])
        assert np.allclose(sent.to_lps(index, point), panel.head.to_lps(index, point))


def a_moved_scan_is_measured_where_it_is(panel) -> None:
    import slicer

    from MidlineShiftLogic.headct import read

    panel.choose_scan()
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(np.diag([1, 1, 1, 1]) + np.eye(4, k=3) * 7))
    panel.volume.SetAndObserveTransformNodeID(transform.GetID())
    panel.click(panel.ui.measureButton)
    sent = read(panel.runner.started[-1][4])
    assert np.allclose(sent.origins - panel.head.origins, (-7, 0, 0))


def dragging_changes_everything(panel) -> None:
    panel.measure()
    case = panel.measurement.slice
    before = panel.measurement.signed_shift_mm
    panel.drag("shifted", -6.0)
    measurement = panel.editor.measurement
    one = next(one for one in measurement.slices if one.index == case)
    assert one.edited and 3.0 < one.signed_shift_mm - before < 9.0
    assert measurement.signed_shift_mm == one.signed_shift_mm
    assert panel.ui.shiftLabel.text == f"{one.signed_shift_mm:.1f} mm  to the left →"
    assert panel.row(case)[1] == f"{one.signed_shift_mm:.1f} mm L" and "edited" in panel.row(case)[3]
    assert panel.ui.acceptButton.text == "Accept with edits"
    nodes = panel.editor.nodes
    points = nodes.table.GetTable().GetColumnByName("Shift to the left (mm)")
    row = [s.index for s in measurement.slices].index(case)
    assert abs(points.GetValue(row) - one.signed_shift_mm) < 0.01
    assert nodes.distance.GetNthControlPointLabel(1).startswith(f"{one.signed_shift_mm:.1f} mm")


def edits_are_taken_back(panel) -> None:
    panel.measure()
    panel.drag("shifted", -6.0)
    assert panel.ui.restoreSliceButton.enabled and panel.ui.restoreAllButton.enabled
    panel.click(panel.ui.restoreSliceButton)
    assert panel.ui.shiftLabel.text == "8.0 mm  to the left →" and panel.ui.acceptButton.text == "Accept"
    assert not panel.ui.restoreSliceButton.enabled
    panel.drag("shifted", -6.0)
    panel.click(panel.ui.previousButton)
    panel.drag("shifted", 4.0)
    assert sum("edited" in row[3] for row in panel.rows()) == 2
    panel.click(panel.ui.restoreAllButton)
    assert not any("edited" in row[3] for row in panel.rows())
    assert panel.ui.shiftLabel.text == "8.0 mm  to the left →"


def pages_and_jumps(panel) -> None:
    """Buttons, table and plot bring landmarks and all views to a slice; a view's own scrolling does so too."""
    from PySide6 import QtCore
    from PySide6.QtTest import QTest

    panel.measure()
    indices = [one.index for one in panel.measurement.slices]
    case, heights = panel.measurement.slice, panel.head.heights
    panel.click(panel.ui.nextButton)
    assert panel.editor.shown == case + 1 and np.isclose(panel.offset(), heights[case + 1])
    panel.click(panel.ui.previousButton)
    panel.click(panel.ui.previousButton)
    assert panel.editor.shown == case - 1
    table = panel.ui.sliceTable
    panel.host.show(table)
    place = table.visualItemRect(table.item(0, 0)).center()
    QTest.mouseClick(table.viewport(), QtCore.Qt.LeftButton, QtCore.Qt.NoModifier, place)
    panel.host.process()
    assert panel.editor.shown == indices[-1]
    for name in ("Red", "MidlineShiftNormal", "MidlineShiftMoved"):
        assert np.isclose(panel.offset(name), heights[indices[-1]])
    panel.host.show(panel.ui.plotLabel)
    label, plot = panel.ui.plotLabel, panel.plot
    x = plot.x(indices[2]) + (label.width - 380) // 2
    QTest.mouseClick(label, QtCore.Qt.LeftButton, QtCore.Qt.NoModifier, QtCore.QPoint(x + 1, 40))
    panel.host.process()
    assert panel.editor.shown == indices[2]
    assert np.isclose(panel.offset("MidlineShiftMoved"), heights[indices[2]])
    panel.view().sliceLogic().SetSliceOffset(heights[indices[4]])
    panel.host.process()
    assert panel.editor.shown == indices[4] and np.isclose(panel.offset("MidlineShiftNormal"), heights[indices[4]])
    landmarks = panel.editor.nodes.landmarks
    for number, name in enumerate(LANDMARK_NAMES):
        lps = panel.measurement.slices[4].landmarks_lps_mm[name]
        place = landmarks.GetNthControlPointPositionWorld(number)
        assert np.allclose(place, lps * (-1, -1, 1), atol=0.01), name
    assert not panel.editor.measurement.edited  # looking changes nothing


def landmarks_are_added(panel) -> None:
    panel.measure()
    top = panel.measurement.slices[-1].index
    panel.view().sliceLogic().SetSliceOffset(panel.head.heights[top + 1])
    panel.host.process()
    assert panel.ui.sliceLabel.text == f"Slice {top + 2} of 14" and panel.ui.addSliceButton.enabled
    panel.click(panel.ui.addSliceButton)
    assert "edited" in panel.row(top + 1)[3] and not panel.ui.addSliceButton.enabled
    assert panel.editor.nodes.landmarks.GetNumberOfControlPoints() == 4


def signing_off(panel) -> None:
    panel.measure()
    panel.click(panel.ui.acceptButton)
    assert "name" in panel.ui.decisionLabel.text and panel.ui.reviewLabel.text == "Not reviewed yet."
    panel.ui.readerEdit.text = "Dr. R. Eader"
    panel.click(panel.ui.acceptButton)
    assert panel.ui.reviewLabel.text.startswith("Accepted by Dr. R. Eader, 2")
    panel.click(panel.ui.rejectButton)
    assert "why" in panel.ui.decisionLabel.text and panel.ui.reviewLabel.text.startswith("Accepted")
    panel.ui.reasonEdit.text = "motion"
    panel.click(panel.ui.rejectButton)
    assert panel.ui.reviewLabel.text.startswith("Rejected by Dr. R. Eader") and "motion" in panel.ui.reviewLabel.text
    panel.drag("shifted", -6.0)
    assert panel.ui.reviewLabel.text == "Not reviewed yet."
    panel.click(panel.ui.acceptButton)
    assert panel.ui.reviewLabel.text.startswith("Accepted with edits")


def cancel_leaves_the_scene(panel) -> None:
    """Cancel kills the child; what it still says is void."""
    panel.choose_scan()
    before = panel.host.core.node_ids()
    panel.click(panel.ui.measureButton)
    assert panel.ui.cancelButton.enabled and not panel.ui.measureButton.enabled and panel.ui.progressBar.visible
    panel.runner.progress(3, 12)
    assert panel.ui.progressBar.value == 3 and "3 of 12" in panel.ui.statusLabel.text
    panel.click(panel.ui.cancelButton)
    assert panel.runner.stops and panel.state.value == "idle" and panel.ui.measureButton.enabled
    panel.runner.finish(panel.measurement, panel.dense)
    assert panel.ui.shiftLabel.text == "–" and panel.host.core.node_ids() == before
    assert panel.ui.statusLabel.text.startswith("Cancelled")


def second_run_voids_the_first(panel) -> None:
    panel.choose_scan()
    panel.click(panel.ui.measureButton)
    first = panel.runner.line, panel.runner.end, panel.runner.started[-1], panel.runner._onEnd
    panel.click(panel.ui.cancelButton)
    panel.click(panel.ui.measureButton)
    first[0]('{"type": "progress", "done": 11, "total": 12, "what": "reading slices"}')
    assert "11 of 12" not in panel.ui.statusLabel.text
    first[3](0)
    assert panel.state.value == "running"
    panel.runner.finish(panel.measurement, panel.dense)
    panel.settle()
    assert panel.ui.shiftLabel.text == "8.0 mm  to the left →"


def scene_close_voids_the_run(panel) -> None:
    import slicer

    panel.choose_scan()
    panel.click(panel.ui.measureButton)
    slicer.mrmlScene.Clear()
    panel.host.process()
    assert panel.runner.stops and panel.state.value == "idle" and not panel.ui.measureButton.enabled
    panel.runner.finish(panel.measurement, panel.dense)
    assert panel.ui.shiftLabel.text == "–" and slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLTextNode") == 0


def overlays_are_switched(panel) -> None:
    panel.measure()
    nodes = panel.editor.nodes
    for box, node in (
        (panel.ui.landmarksCheckBox, nodes.landmarks),
        (panel.ui.idealCheckBox, nodes.ideal_midline),
        (panel.ui.deformedCheckBox, nodes.deformed_midline),
        (panel.ui.distanceCheckBox, nodes.distance),
    ):
        assert node.GetDisplayNode().GetVisibility()
        panel.click(box)
        assert not node.GetDisplayNode().GetVisibility(), box.name
        panel.click(box)
        assert node.GetDisplayNode().GetVisibility(), box.name
    panel.click(panel.ui.gridCheckBox)
    grid = nodes.node("grid").GetDisplayNode()
    assert nodes.node("grid").GetPolyData().GetNumberOfLines() > 10
    assert grid.GetViewNodeIDs() == ("vtkMRMLSliceNodeMidlineShiftMoved",)
    panel.click(panel.ui.gridEverywhereCheckBox)
    assert len(grid.GetViewNodeIDs()) == 3
    panel.click(panel.ui.gridEverywhereCheckBox)
    assert grid.GetViewNodeIDs() == ("vtkMRMLSliceNodeMidlineShiftMoved",)
    assert nodes.node("grid").GetDisplayNode().GetVisibility2D()
    moved = panel.view("MidlineShiftMoved").sliceLogic().GetSliceCompositeNode()
    assert moved.GetForegroundVolumeID() == nodes.magnitude.GetID()
    panel.click(panel.ui.displacementCheckBox)
    assert moved.GetForegroundVolumeID() is None
    normal = panel.view("MidlineShiftNormal").sliceLogic().GetSliceCompositeNode()
    assert normal.GetBackgroundVolumeID() == nodes.warped.GetID()


def saved_and_loaded(panel) -> None:
    """Through .mrb: parameters, result, edits and review are back, and still live."""
    import slicer

    panel.measure()
    panel.ui.moderateSpinBox.value = 6.5
    panel.click(panel.ui.idealCheckBox)
    panel.drag("shifted", -6.0)
    panel.ui.readerEdit.text = "Dr. R. Eader"
    panel.click(panel.ui.acceptButton)
    said = panel.ui.shiftLabel.text, panel.ui.reviewLabel.text, panel.rows()
    path = panel.host.core.folder / "case.mrb"
    panel.host.core.save(path)
    slicer.mrmlScene.Clear()
    panel.host.process()
    assert panel.ui.shiftLabel.text == "–" and panel.ui.moderateSpinBox.value == 5.0
    panel.host.core.load(path)
    panel.host.process()
    assert (panel.ui.shiftLabel.text, panel.ui.reviewLabel.text, panel.rows()) == said
    assert panel.ui.moderateSpinBox.value == 6.5 and panel.ui.readerEdit.text == "Dr. R. Eader"
    assert not panel.ui.idealCheckBox.checked
    panel.volume = panel.parameters.inputVolume
    panel.click(panel.ui.reviewLayoutButton)
    panel.drag("shifted", 6.0)
    assert panel.ui.shiftLabel.text != said[0] and panel.ui.reviewLabel.text == "Not reviewed yet."
    panel.click(panel.ui.restoreAllButton)
    assert panel.ui.shiftLabel.text == "8.0 mm  to the left →"


def exports_what_is_shown(panel) -> None:
    panel.measure()
    panel.drag("shifted", -6.0)
    panel.dialogs.folder = str(panel.host.core.folder / "out ü")
    panel.export()
    folder = panel.host.core.folder / "out ü" / "CT"
    files = {path.name for path in folder.iterdir()}
    assert files == {"measurement.json", "shifts.csv", "overlay.png", "slices.png", "report.html"}
    assert panel.ui.exportLabel.text == f"Written to {folder}. No DICOM objects: the scan was not loaded from DICOM."
    written = json.loads((folder / "measurement.json").read_text(encoding="utf-8"))
    assert f"{written['case']['shift_mm']:.1f} mm  to the left →" == panel.ui.shiftLabel.text
    lines = (folder / "shifts.csv").read_text(encoding="utf-8").splitlines()
    edited = [line for line in lines[1:] if line.split(",")[6] == "1"]
    assert len(lines) == 1 + len(panel.rows()) and len(edited) == 1
    assert abs(float(edited[0].split(",")[3]) - written["case"]["signed_shift_mm"]) < 0.001


def exports_dicom_with_the_edits(panel) -> None:
    """Of a DICOM scan: a structured report with the reader's edits and name, captures, and a page that says the same."""
    panel.keep_few_slices()
    panel.choose_scan()
    images = write_dicom(panel.head, panel.host.core.folder / "images", **PATIENT)
    with imported(panel.head, images) as uids:
        panel.volume.SetAttribute("DICOM.instanceUIDs", uids)
        panel.measure()
        panel.drag("shifted", -6.0)
        panel.ui.readerEdit.text = "Ada Lovelace"
        panel.click(panel.ui.acceptButton)
        panel.dialogs.folder = str(panel.host.core.folder / "out")
        panel.export()
    folder = panel.host.core.folder / "out" / "CT"
    assert panel.ui.exportLabel.text == f"Written to {folder}"
    now = panel.editor.measurement
    found = read_report(folder / "sr.dcm")
    assert found.edited and found.review == now.review and found.review.reader == "Ada Lovelace"
    assert abs(found.signed_shift_mm - now.signed_shift_mm) < 0.001 < abs(now.signed_shift_mm - panel.shift_mm)
    for one, other in zip(found.slices, now.slices, strict=True):
        assert one.edited == other.edited
        for name, place in other.landmarks_lps_mm.items():
            assert np.allclose(one.landmarks_lps_mm[name], place, atol=0.01), (one.index, name)
    report = pydicom.dcmread(folder / "sr.dcm")
    assert (report.PatientName, report.StudyID) == (PATIENT["PatientName"], PATIENT["StudyID"])
    assert len(list((folder / "capture").iterdir())) == 1 + len(now.slices)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert f"{now.shift_mm:.1f} mm" in page and "Ada Lovelace" in page and "1 slice (" in page
    assert PATIENT["PatientName"].partition("^")[0] not in re.sub(r"base64,[^\"]*", "", page)


def loads_a_structured_report(panel) -> None:
    """Instead of measuring: number, landmarks, edits and review of the file; what it does not hold is not shown."""
    panel.keep_few_slices()
    panel.choose_scan()
    images = write_dicom(panel.head, panel.host.core.folder / "images", **PATIENT)
    with imported(panel.head, images) as uids:
        panel.volume.SetAttribute("DICOM.instanceUIDs", uids)
        panel.measure()
        panel.drag("shifted", -6.0)
        panel.ui.readerEdit.text = "Ada Lovelace"
        panel.click(panel.ui.acceptButton)
        said = panel.ui.shiftLabel.text, panel.ui.reviewLabel.text, panel.rows()
        panel.dialogs.folder = str(panel.host.core.folder / "out")
        panel.export()
        panel.click(panel.ui.removeButton)
        assert panel.ui.shiftLabel.text == "–" and panel.ui.loadResultButton.enabled
        folder = panel.host.core.folder / "out" / "CT"
        panel.dialogs.result = str(folder / "sr.dcm")
        panel.click(panel.ui.loadResultButton)
        assert (panel.ui.shiftLabel.text, panel.ui.reviewLabel.text, panel.rows()) == said
        assert "no displacement" in panel.ui.statusLabel.text
        panel.click(panel.ui.reviewLayoutButton)
        assert (
            "Scan" in panel.view("MidlineShiftNormal").texts() and panel.view("MidlineShiftMoved").colour_bar() is None
        )
        panel.click(panel.ui.gridCheckBox)
        panel.export()
        assert {path.name for path in folder.iterdir()} == {
            "measurement.json", "shifts.csv", "slices.png", "report.html", "sr.dcm",
        }  # fmt: skip
        assert "No overlay.png" in panel.ui.exportLabel.text and "No DICOM" not in panel.ui.exportLabel.text
        panel.drag("shifted", 3.0)
        assert panel.ui.shiftLabel.text != said[0] and panel.ui.reviewLabel.text == "Not reviewed yet."
        panel.click(panel.ui.restoreAllButton)
        assert panel.ui.shiftLabel.text == said[0]
        now = panel.ui.shiftLabel.text
        panel.volume.SetAttribute("DICOM.instanceUIDs", uids.rpartition(".")[0] + ".99")
        panel.click(panel.ui.loadResultButton)
        assert "is not of this scan" in panel.ui.statusLabel.text and panel.ui.shiftLabel.text == now


def removing_takes_exactly_what_was_made(panel) -> None:
    panel.choose_scan()
    before = panel.host.core.node_ids()
    panel.measure()
    made = panel.host.core.node_ids() - before
    assert made
    panel.click(panel.ui.removeButton)
    views = ("vtkMRMLSlice", "vtkMRMLModel", "vtkMRMLLinearTransform")  # what new slice views bring
    left = {node for node in panel.host.core.node_ids() - before if not node.startswith(views)}
    assert not left, left
    assert not panel.ui.removeButton.enabled
    assert panel.ui.shiftLabel.text == "–"


def colours_follow_the_limits(panel) -> None:
    from MidlineShiftLib.views.texts import MODERATE, SEVERE

    panel.measure()
    assert MODERATE in panel.ui.shiftLabel.styleSheet
    panel.host.show(panel.ui.severeSpinBox)
    panel.ui.severeSpinBox.value = 8.0
    assert SEVERE in panel.ui.shiftLabel.styleSheet


def healthy_image_on_request(panel) -> None:
    """The switch works with a model that has denoisers, makes the image once, and lays it over the middle view only."""
    import slicer

    panel.measure()
    nodes, box = panel.editor.nodes, panel.ui.healthyCheckBox
    assert not box.enabled and "midlineshift-diffusion" in panel.ui.healthyLabel.text
    panel.choose_diffusion_model()
    assert box.enabled and "slice" in panel.ui.healthyLabel.text
    panel.click(box)
    assert panel.state.value == "generating pseudo-healthy" and not panel.ui.measureButton.enabled
    command = panel.runner.started[-1]
    assert command[1:4] == ["-m", "MidlineShiftLogic", "pseudo-healthy"] and "--json-lines" in command
    assert panel.runner.option("--slices") == ",".join(str(one.index) for one in panel.measurement.slices)
    assert panel.runner.option("--model") == "midlineshift-diffusion" and panel.runner.option("--device") == "auto"
    panel.runner.progress(3, 12)
    assert panel.ui.healthyProgressBar.visible and panel.ui.healthyProgressBar.value == 3
    assert "3 of 12" in panel.ui.healthyLabel.text and not panel.ui.progressBar.visible
    panel.runner.finish_healthy(panel.generated())
    panel.host.process()
    assert panel.state.value == "idle" and box.checked and not panel.ui.healthyProgressBar.visible
    assert panel.foreground("MidlineShiftNormal") == (nodes.healthy, 1.0)
    assert panel.foreground("Red")[0] is None and panel.foreground("MidlineShiftMoved")[0] is nodes.magnitude
    assert "generated by generator 3" in panel.ui.healthyLabel.text and "Not a scan" in panel.ui.healthyLabel.text
    assert "Pseudo-healthy image (experimental)" in panel.view("MidlineShiftNormal").texts()
    case = panel.measurement.slice
    shown, scan = (slicer.util.arrayFromVolume(node)[case] for node in (nodes.healthy, panel.volume))
    assert np.allclose(shown[40:60, 30:50], 12) and np.array_equal(shown[:40], scan[:40])
    lowest = panel.measurement.slices[0].index
    arrays = [slicer.util.arrayFromVolume(node) for node in (nodes.healthy, panel.volume)]
    assert np.array_equal(arrays[0][lowest - 1], arrays[1][lowest - 1]) and np.allclose(arrays[0][lowest, 50, 40], 12)
    runs = len(panel.runner.started)
    panel.click(box)
    assert panel.foreground("MidlineShiftNormal")[0] is None and nodes.healthy is not None
    assert "Warped back to normal" in panel.view("MidlineShiftNormal").texts()
    panel.click(panel.ui.scanLayoutButton)
    panel.click(box)
    assert panel.foreground("MidlineShiftNormal") == (nodes.healthy, 1.0) and len(panel.runner.started) == runs
    assert panel.foreground("Red")[0] is None and len(slicer.app.layoutManager().sliceViewNames()) == 3


def healthy_image_is_cancelled(panel) -> None:
    """By its button, its switch, the end of its measurement and a closed scene; what the child still says is void."""
    import slicer

    panel.measure()
    panel.choose_diffusion_model()

    def remove():
        panel.click(panel.ui.removeButton)

    for stop in (
        lambda: panel.click(panel.ui.healthyCancelButton),
        lambda: panel.click(panel.ui.healthyCheckBox),
        remove,
        slicer.mrmlScene.Clear,
    ):
        if panel.editor.nodes is None:
            panel.measure()
        stops = panel.runner.stops
        panel.click(panel.ui.healthyCheckBox)
        assert panel.state.value == "generating pseudo-healthy"
        image = panel.generated()
        stop()
        panel.host.process()
        assert panel.runner.stops > stops and panel.state.value == "idle"
        assert not panel.ui.healthyCheckBox.checked
        panel.runner.finish_healthy(image)
        panel.host.process()
        assert panel.editor.nodes is None or panel.editor.nodes.healthy is None


def healthy_image_fails(panel) -> None:
    """One sentence where the reader looks, and the switch is off again."""
    panel.measure()
    panel.choose_diffusion_model()
    before = panel.host.core.node_ids()
    panel.click(panel.ui.healthyCheckBox)
    panel.runner.line('{"type": "error", "message": "The GPU has too little free memory.", "code": "memory"}')
    panel.runner.end(1)
    panel.host.process()
    assert panel.ui.healthyLabel.text == "The GPU has too little free memory." and panel.ui.detailsButton.visible
    assert not panel.ui.healthyCheckBox.checked and panel.ui.healthyCheckBox.enabled
    assert panel.host.core.node_ids() == before and panel.ui.shiftLabel.text == "8.0 mm  to the left →"


def healthy_image_is_kept(panel) -> None:
    """Saved and loaded with the measurement, shown again without being made again; gone with it."""
    import slicer

    panel.measure()
    panel.choose_diffusion_model()
    panel.click(panel.ui.healthyCheckBox)
    panel.runner.finish_healthy(panel.generated())
    panel.host.process()
    path = panel.host.core.folder / "case.mrb"
    panel.host.core.save(path)
    slicer.mrmlScene.Clear()
    panel.host.process()
    runs = len(panel.runner.started)
    panel.host.core.load(path)
    panel.host.process()
    nodes = panel.editor.nodes
    assert panel.ui.healthyCheckBox.checked and "generated by generator 3" in panel.ui.healthyLabel.text
    panel.click(panel.ui.reviewLayoutButton)
    assert panel.foreground("MidlineShiftNormal")[0] is nodes.healthy and len(panel.runner.started) == runs
    panel.drag("shifted", -6.0)
    assert nodes.healthy is not None, "an edit does not touch it"
    slicer.mrmlScene.RemoveNode(nodes.healthy)
    panel.host.process()
    assert not panel.ui.healthyCheckBox.checked and len(panel.runner.started) == runs
    panel.click(panel.ui.healthyCheckBox)
    panel.runner.finish_healthy(panel.generated())
    assert nodes.healthy is not None
    panel.volume = panel.parameters.inputVolume
    panel.click(panel.ui.removeButton)
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 1
    assert not panel.ui.healthyCheckBox.checked and not panel.ui.healthyCheckBox.enabled


SCENARIOS = (
    measuring_shows_the_number,
    side_is_the_patients,
    tissue_is_put_back,
    the_child_gets_the_scan,
    a_moved_scan_is_measured_where_it_is,
    dragging_changes_everything,
    edits_are_taken_back,
    pages_and_jumps,
    landmarks_are_added,
    signing_off,
    cancel_leaves_the_scene,
    second_run_voids_the_first,
    scene_close_voids_the_run,
    overlays_are_switched,
    saved_and_loaded,
    exports_what_is_shown,
    exports_dicom_with_the_edits,
    loads_a_structured_report,
    removing_takes_exactly_what_was_made,
    colours_follow_the_limits,
    healthy_image_on_request,
    healthy_image_is_cancelled,
    healthy_image_fails,
    healthy_image_is_kept,
)
