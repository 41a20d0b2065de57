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


def measuring_shows_the_number(bench) -> None:
    bench.measure()
    assert bench.ui.shiftLabel.text == "8.0 mm  to the left →"
    assert bench.panel.state.value == "idle"
    case = bench.measurement.slice
    assert bench.row(case)[2] == "8.0 mm L" and "case" in bench.row(case)[4]
    assert len(bench.rows()) == len(bench.measurement.slices)
    assert bench.ui.sliceLabel.text == f"Slice {case}"
    assert np.isclose(bench.offset(), bench.head.heights[case])


def side_is_the_patients(bench) -> None:
    """The landmark of a shift to the left lies at the patient's left (-R in RAS), and on the right of the screen."""
    bench.measure()
    nodes = bench.panel.review.nodes
    place = dict(
        zip(LANDMARK_NAMES, (nodes.landmarks.GetNthControlPointPositionWorld(i) for i in range(4)), strict=True)
    )
    assert place["shifted"][0] < place["ideal"][0] - 5
    assert bench.view().place(place["shifted"])[0] > bench.view().place(place["ideal"])[0]
    assert bench.ui.shiftLabel.text.endswith("to the left →")


def tissue_is_put_back(bench) -> None:
    """The transform carries the shifted landmark to the ideal one, and the warped volume has there what was shifted."""
    import slicer

    bench.measure()
    nodes = bench.panel.review.nodes
    one = nodes.shown_slice
    flip = np.array([-1, -1, 1])
    shifted, ideal = (one.landmarks_lps_mm[name] * flip for name in ("shifted", "ideal"))
    moved = nodes.transform.GetTransformToParent().TransformPoint(shifted)
    assert np.linalg.norm(np.array(moved) - ideal) < 0.6
    warped = slicer.util.arrayFromVolume(nodes.warped)[one.index]
    assert np.abs(warped - bench.dense.warped_hu[one.index]).max() <= 1
    assert np.abs(warped - bench.head.hu[one.index]).max() > 20


def the_child_gets_the_scan(bench) -> None:
    """The file of the command holds the volume's voxels where they are in the patient."""
    from MidlineShiftLogic.headct import read

    bench.choose_scan()
    bench.parameters.device = "cpu"
    bench.click(bench.ui.measureButton)
    command = bench.runner.started[-1]
    assert command[1:4] == ["-m", "MidlineShiftLogic", "measure"] and "--json-lines" in command
    assert bench.runner.option("--device") == "cpu"
    sent = read(command[4])
    assert np.array_equal(sent.hu, bench.head.hu) and sent.source_slices[3] == (3,)
    for index, row, column in ((0, 0, 0), (5, 20, 70)):
        point = np.array([column, row])
        assert np.allclose(sent.to_lps(index, point), bench.head.to_lps(index, point))


def a_moved_scan_is_measured_where_it_is(bench) -> None:
    import slicer

    from MidlineShiftLogic.headct import read

    bench.choose_scan()
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(np.diag([1, 1, 1, 1]) + np.eye(4, k=3) * 7))
    bench.volume.SetAndObserveTransformNodeID(transform.GetID())
    bench.click(bench.ui.measureButton)
    sent = read(bench.runner.started[-1][4])
    assert np.allclose(sent.origins - bench.head.origins, (-7, 0, 0))


def dragging_changes_everything(bench) -> None:
    bench.measure()
    case = bench.measurement.slice
    before = bench.measurement.signed_shift_mm
    bench.drag("shifted", -6.0)
    measurement = bench.panel.review.measurement
    one = next(one for one in measurement.slices if one.index == case)
    assert one.edited and 3.0 < one.signed_shift_mm - before < 9.0
    assert measurement.signed_shift_mm == one.signed_shift_mm
    assert bench.ui.shiftLabel.text == f"{one.signed_shift_mm:.1f} mm  to the left →"
    assert bench.row(case)[2] == f"{one.signed_shift_mm:.1f} mm L" and "edited" in bench.row(case)[4]
    assert bench.ui.acceptButton.text == "Accept with edits"
    nodes = bench.panel.review.nodes
    points = nodes.table.GetTable().GetColumnByName("Shift to the left (mm)")
    row = [s.index for s in measurement.slices].index(case)
    assert abs(points.GetValue(row) - one.signed_shift_mm) < 0.01
    assert nodes.distance.GetNthControlPointLabel(1).startswith(f"{one.signed_shift_mm:.1f} mm")


def edits_are_taken_back(bench) -> None:
    bench.measure()
    bench.drag("shifted", -6.0)
    assert bench.ui.restoreSliceButton.enabled and bench.ui.restoreAllButton.enabled
    bench.click(bench.ui.restoreSliceButton)
    assert bench.ui.shiftLabel.text == "8.0 mm  to the left →" and bench.ui.acceptButton.text == "Accept"
    assert not bench.ui.restoreSliceButton.enabled
    bench.drag("shifted", -6.0)
    bench.click(bench.ui.previousButton)
    bench.drag("shifted", 4.0)
    assert sum("edited" in row[4] for row in bench.rows()) == 2
    bench.click(bench.ui.restoreAllButton)
    assert not any("edited" in row[4] for row in bench.rows())
    assert bench.ui.shiftLabel.text == "8.0 mm  to the left →"


def pages_and_jumps(bench) -> None:
    """Buttons, table and plot bring landmarks and all views to a slice; a view's own scrolling does so too."""
    from PySide6 import QtCore
    from PySide6.QtTest import QTest

    bench.measure()
    indices = [one.index for one in bench.measurement.slices]
    case, heights = bench.measurement.slice, bench.head.heights
    bench.click(bench.ui.nextButton)
    assert bench.panel.review.shown == case + 1 and np.isclose(bench.offset(), heights[case + 1])
    bench.click(bench.ui.previousButton)
    bench.click(bench.ui.previousButton)
    assert bench.panel.review.shown == case - 1
    table = bench.ui.sliceTable
    bench.host.show(table)
    place = table.visualItemRect(table.item(0, 0)).center()
    QTest.mouseClick(table.viewport(), QtCore.Qt.LeftButton, QtCore.Qt.NoModifier, place)
    bench.host.process()
    assert bench.panel.review.shown == indices[-1]
    for name in ("Red", "MidlineShiftNormal", "MidlineShiftMoved"):
        assert np.isclose(bench.offset(name), heights[indices[-1]])
    bench.host.show(bench.ui.plotLabel)
    label, plot = bench.ui.plotLabel, bench.panel.plot
    x = plot.x(indices[2]) + (label.width - 380) // 2
    QTest.mouseClick(label, QtCore.Qt.LeftButton, QtCore.Qt.NoModifier, QtCore.QPoint(x + 1, 40))
    bench.host.process()
    assert bench.panel.review.shown == indices[2]
    assert np.isclose(bench.offset("MidlineShiftMoved"), heights[indices[2]])
    bench.view().sliceLogic().SetSliceOffset(heights[indices[4]])
    bench.host.process()
    assert bench.panel.review.shown == indices[4] and np.isclose(
        bench.offset("MidlineShiftNormal"), heights[indices[4]]
    )
    landmarks = bench.panel.review.nodes.landmarks
    for number, name in enumerate(LANDMARK_NAMES):
        lps = bench.measurement.slices[4].landmarks_lps_mm[name]
        place = landmarks.GetNthControlPointPositionWorld(number)
        assert np.allclose(place, lps * (-1, -1, 1), atol=0.01), name
    assert not bench.panel.review.measurement.edited  # looking changes nothing


def landmarks_are_added(bench) -> None:
    bench.measure()
    top = bench.measurement.slices[-1].index
    bench.view().sliceLogic().SetSliceOffset(bench.head.heights[top + 1])
    bench.host.process()
    assert bench.ui.sliceLabel.text == f"Slice {top + 1}" and bench.ui.addSliceButton.enabled
    bench.click(bench.ui.addSliceButton)
    assert "edited" in bench.row(top + 1)[4] and not bench.ui.addSliceButton.enabled
    assert bench.panel.review.nodes.landmarks.GetNumberOfControlPoints() == 4


def signing_off(bench) -> None:
    bench.measure()
    bench.click(bench.ui.acceptButton)
    assert "name" in bench.ui.statusLabel.text and bench.ui.reviewLabel.text == "Not reviewed yet."
    bench.ui.readerEdit.text = "Dr. R. Eader"
    bench.click(bench.ui.acceptButton)
    assert bench.ui.reviewLabel.text.startswith("Accepted by Dr. R. Eader, 2")
    bench.click(bench.ui.rejectButton)
    assert "why" in bench.ui.statusLabel.text and bench.ui.reviewLabel.text.startswith("Accepted")
    bench.ui.reasonEdit.text = "motion"
    bench.click(bench.ui.rejectButton)
    assert bench.ui.reviewLabel.text.startswith("Rejected by Dr. R. Eader") and "motion" in bench.ui.reviewLabel.text
    bench.drag("shifted", -6.0)
    assert bench.ui.reviewLabel.text == "Not reviewed yet."
    bench.click(bench.ui.acceptButton)
    assert bench.ui.reviewLabel.text.startswith("Accepted with edits")


def cancel_leaves_the_scene(bench) -> None:
    """Cancel kills the child; what it still says is void."""
    bench.choose_scan()
    before = bench.host.core.node_ids()
    bench.click(bench.ui.measureButton)
    assert bench.ui.cancelButton.enabled and not bench.ui.measureButton.enabled and bench.ui.progressBar.visible
    bench.runner.progress(3, 12)
    assert bench.ui.progressBar.value == 3 and "3 of 12" in bench.ui.statusLabel.text
    bench.click(bench.ui.cancelButton)
    assert bench.runner.stops and bench.panel.state.value == "idle" and bench.ui.measureButton.enabled
    bench.runner.finish(bench.measurement, bench.dense)
    assert bench.ui.shiftLabel.text == "–" and bench.host.core.node_ids() == before
    assert bench.ui.statusLabel.text.startswith("Cancelled")


def second_run_voids_the_first(bench) -> None:
    bench.choose_scan()
    bench.click(bench.ui.measureButton)
    first = bench.runner.line, bench.runner.end, bench.runner.started[-1], bench.runner._onEnd
    bench.click(bench.ui.cancelButton)
    bench.click(bench.ui.measureButton)
    first[0]('{"type": "progress", "done": 11, "total": 12, "what": "reading slices"}')
    assert "11 of 12" not in bench.ui.statusLabel.text
    first[3](0)
    assert bench.panel.state.value == "running"
    bench.runner.finish(bench.measurement, bench.dense)
    assert bench.ui.shiftLabel.text == "8.0 mm  to the left →"


def scene_close_voids_the_run(bench) -> None:
    import slicer

    bench.choose_scan()
    bench.click(bench.ui.measureButton)
    slicer.mrmlScene.Clear()
    bench.host.process()
    assert bench.runner.stops and bench.panel.state.value == "idle" and not bench.ui.measureButton.enabled
    bench.runner.finish(bench.measurement, bench.dense)
    assert bench.ui.shiftLabel.text == "–" and slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLTextNode") == 0


def overlays_are_switched(bench) -> None:
    bench.measure()
    nodes = bench.panel.review.nodes
    for box, node in (
        (bench.ui.landmarksCheckBox, nodes.landmarks),
        (bench.ui.idealCheckBox, nodes.ideal_midline),
        (bench.ui.deformedCheckBox, nodes.deformed_midline),
        (bench.ui.distanceCheckBox, nodes.distance),
    ):
        assert node.GetDisplayNode().GetVisibility()
        bench.click(box)
        assert not node.GetDisplayNode().GetVisibility(), box.name
        bench.click(box)
        assert node.GetDisplayNode().GetVisibility(), box.name
    bench.click(bench.ui.gridCheckBox)
    grid = nodes.node("grid").GetDisplayNode()
    assert nodes.node("grid").GetPolyData().GetNumberOfLines() > 10
    assert grid.GetViewNodeIDs() == ("vtkMRMLSliceNodeMidlineShiftMoved",)
    bench.click(bench.ui.gridEverywhereCheckBox)
    assert len(grid.GetViewNodeIDs()) == 3
    bench.click(bench.ui.gridEverywhereCheckBox)
    assert grid.GetViewNodeIDs() == ("vtkMRMLSliceNodeMidlineShiftMoved",)
    assert nodes.node("grid").GetDisplayNode().GetVisibility2D()
    moved = bench.view("MidlineShiftMoved").sliceLogic().GetSliceCompositeNode()
    assert moved.GetForegroundVolumeID() == nodes.magnitude.GetID()
    bench.click(bench.ui.displacementCheckBox)
    assert moved.GetForegroundVolumeID() is None
    normal = bench.view("MidlineShiftNormal").sliceLogic().GetSliceCompositeNode()
    assert normal.GetBackgroundVolumeID() == nodes.warped.GetID()


def saved_and_loaded(bench) -> None:
    """Through .mrb: parameters, result, edits and review are back, and still live."""
    import slicer

    bench.measure()
    bench.ui.moderateSpinBox.value = 6.5
    bench.click(bench.ui.idealCheckBox)
    bench.drag("shifted", -6.0)
    bench.ui.readerEdit.text = "Dr. R. Eader"
    bench.click(bench.ui.acceptButton)
    said = bench.ui.shiftLabel.text, bench.ui.reviewLabel.text, bench.rows()
    path = bench.host.core.folder / "case.mrb"
    bench.host.core.save(path)
    slicer.mrmlScene.Clear()
    bench.host.process()
    assert bench.ui.shiftLabel.text == "–" and bench.ui.moderateSpinBox.value == 5.0
    bench.host.core.load(path)
    bench.host.process()
    assert (bench.ui.shiftLabel.text, bench.ui.reviewLabel.text, bench.rows()) == said
    assert bench.ui.moderateSpinBox.value == 6.5 and bench.ui.readerEdit.text == "Dr. R. Eader"
    assert not bench.ui.idealCheckBox.checked
    bench.volume = bench.parameters.inputVolume
    bench.click(bench.ui.reviewLayoutButton)
    bench.drag("shifted", 6.0)
    assert bench.ui.shiftLabel.text != said[0] and bench.ui.reviewLabel.text == "Not reviewed yet."
    bench.click(bench.ui.restoreAllButton)
    assert bench.ui.shiftLabel.text == "8.0 mm  to the left →"


def exports_what_is_shown(bench) -> None:
    bench.measure()
    bench.drag("shifted", -6.0)
    bench.dialogs.folder = str(bench.host.core.folder / "out ü")
    bench.click(bench.ui.exportButton)
    folder = bench.host.core.folder / "out ü" / "CT"
    files = {path.name for path in folder.iterdir()}
    assert files == {"measurement.json", "shifts.csv", "overlay.png", "slices.png", "report.html"}
    assert bench.ui.exportLabel.text == f"Written to {folder}. No DICOM objects: the scan was not loaded from DICOM."
    written = json.loads((folder / "measurement.json").read_text(encoding="utf-8"))
    assert f"{written['case']['shift_mm']:.1f} mm  to the left →" == bench.ui.shiftLabel.text
    lines = (folder / "shifts.csv").read_text(encoding="utf-8").splitlines()
    edited = [line for line in lines[1:] if line.split(",")[6] == "1"]
    assert len(lines) == 1 + len(bench.rows()) and len(edited) == 1
    assert abs(float(edited[0].split(",")[3]) - written["case"]["signed_shift_mm"]) < 0.001


def exports_dicom_with_the_edits(bench) -> None:
    """Of a DICOM scan: a structured report with the reader's edits and name, captures, and a page that says the same."""
    bench.choose_scan()
    images = write_dicom(bench.head, bench.host.core.folder / "images", **PATIENT)
    with imported(bench.head, images) as uids:
        bench.volume.SetAttribute("DICOM.instanceUIDs", uids)
        bench.measure()
        bench.drag("shifted", -6.0)
        bench.ui.readerEdit.text = "Ada Lovelace"
        bench.click(bench.ui.acceptButton)
        bench.dialogs.folder = str(bench.host.core.folder / "out")
        bench.click(bench.ui.exportButton)
    folder = bench.host.core.folder / "out" / "CT"
    assert bench.ui.exportLabel.text == f"Written to {folder}"
    now = bench.panel.review.measurement
    found = read_report(folder / "sr.dcm")
    assert found.edited and found.review == now.review and found.review.reader == "Ada Lovelace"
    assert abs(found.signed_shift_mm - now.signed_shift_mm) < 0.001 < abs(now.signed_shift_mm - bench.shift_mm)
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


def loads_a_structured_report(bench) -> None:
    """Instead of measuring: number, landmarks, edits and review of the file; what it does not hold is not shown."""
    bench.choose_scan()
    images = write_dicom(bench.head, bench.host.core.folder / "images", **PATIENT)
    with imported(bench.head, images) as uids:
        bench.volume.SetAttribute("DICOM.instanceUIDs", uids)
        bench.measure()
        bench.drag("shifted", -6.0)
        bench.ui.readerEdit.text = "Ada Lovelace"
        bench.click(bench.ui.acceptButton)
        said = bench.ui.shiftLabel.text, bench.ui.reviewLabel.text, bench.rows()
        bench.dialogs.folder = str(bench.host.core.folder / "out")
        bench.click(bench.ui.exportButton)
        bench.click(bench.ui.removeButton)
        assert bench.ui.shiftLabel.text == "–" and bench.ui.loadResultButton.enabled
        folder = bench.host.core.folder / "out" / "CT"
        bench.dialogs.result = str(folder / "sr.dcm")
        bench.click(bench.ui.loadResultButton)
        assert (bench.ui.shiftLabel.text, bench.ui.reviewLabel.text, bench.rows()) == said
        assert "no displacement" in bench.ui.statusLabel.text
        bench.click(bench.ui.reviewLayoutButton)
        assert bench.ui.viewsLabel.text == "Views: scan | scan | displacement"
        bench.click(bench.ui.gridCheckBox)
        bench.click(bench.ui.exportButton)
        assert {path.name for path in folder.iterdir()} == {
            "measurement.json", "shifts.csv", "slices.png", "report.html", "sr.dcm",
        }  # fmt: skip
        assert "No overlay.png" in bench.ui.exportLabel.text and "No DICOM" not in bench.ui.exportLabel.text
        bench.drag("shifted", 3.0)
        assert bench.ui.shiftLabel.text != said[0] and bench.ui.reviewLabel.text == "Not reviewed yet."
        bench.click(bench.ui.restoreAllButton)
        assert bench.ui.shiftLabel.text == said[0]
        now = bench.ui.shiftLabel.text
        bench.volume.SetAttribute("DICOM.instanceUIDs", uids.rpartition(".")[0] + ".99")
        bench.click(bench.ui.loadResultButton)
        assert "is not of this scan" in bench.ui.statusLabel.text and bench.ui.shiftLabel.text == now


def removing_takes_exactly_what_was_made(bench) -> None:
    bench.choose_scan()
    before = bench.host.core.node_ids()
    bench.measure()
    made = bench.host.core.node_ids() - before
    assert made
    bench.click(bench.ui.removeButton)
    views = ("vtkMRMLSlice", "vtkMRMLModel", "vtkMRMLLinearTransform")  # what new slice views bring
    left = {node for node in bench.host.core.node_ids() - before if not node.startswith(views)}
    assert not left, left
    assert not bench.ui.removeButton.enabled
    assert bench.ui.shiftLabel.text == "–"


def colours_follow_the_limits(bench) -> None:
    from MidlineShiftLib.result import MODERATE, SEVERE

    bench.measure()
    assert MODERATE in bench.ui.shiftLabel.styleSheet
    bench.host.show(bench.ui.severeSpinBox)
    bench.ui.severeSpinBox.value = 8.0
    assert SEVERE in bench.ui.shiftLabel.styleSheet


def healthy_image_on_request(bench) -> None:
    """The switch works with a model that can paint, makes the image once, and lays it over the middle view only."""
    import slicer

    bench.measure()
    nodes, box = bench.panel.review.nodes, bench.ui.healthyCheckBox
    assert not box.enabled and "midlineshift-diffusion" in bench.ui.healthyLabel.text
    bench.choose_painter()
    assert box.enabled and "slice" in bench.ui.healthyLabel.text
    bench.click(box)
    assert bench.panel.state.value == "painting" and not bench.ui.measureButton.enabled
    command = bench.runner.started[-1]
    assert command[1:4] == ["-m", "MidlineShiftLogic", "pseudo-healthy"] and "--json-lines" in command
    assert bench.runner.option("--slices") == ",".join(str(one.index) for one in bench.measurement.slices)
    assert bench.runner.option("--model") == "midlineshift-diffusion" and bench.runner.option("--device") == "auto"
    bench.runner.progress(3, 12)
    assert bench.ui.healthyProgressBar.visible and bench.ui.healthyProgressBar.value == 3
    assert "3 of 12" in bench.ui.healthyLabel.text and not bench.ui.progressBar.visible
    bench.runner.finish_healthy(bench.painted())
    bench.host.process()
    assert bench.panel.state.value == "idle" and box.checked and not bench.ui.healthyProgressBar.visible
    assert bench.foreground("MidlineShiftNormal") == (nodes.healthy, 1.0)
    assert bench.foreground("Red")[0] is None and bench.foreground("MidlineShiftMoved")[0] is nodes.magnitude
    assert "painted by painter 3" in bench.ui.healthyLabel.text and "Not a scan" in bench.ui.healthyLabel.text
    assert "pseudo-healthy" in bench.ui.viewsLabel.text and "(red 1 to yellow 10 mm)" in bench.ui.viewsLabel.text
    case = bench.measurement.slice
    shown, scan = (slicer.util.arrayFromVolume(node)[case] for node in (nodes.healthy, bench.volume))
    assert np.allclose(shown[40:60, 30:50], 12) and np.array_equal(shown[:40], scan[:40])
    lowest = bench.measurement.slices[0].index
    arrays = [slicer.util.arrayFromVolume(node) for node in (nodes.healthy, bench.volume)]
    assert np.array_equal(arrays[0][lowest - 1], arrays[1][lowest - 1]) and np.allclose(arrays[0][lowest, 50, 40], 12)
    runs = len(bench.runner.started)
    bench.click(box)
    assert bench.foreground("MidlineShiftNormal")[0] is None and nodes.healthy is not None
    assert "set back to normal" in bench.ui.viewsLabel.text
    bench.click(bench.ui.scanLayoutButton)
    bench.click(box)
    assert bench.foreground("MidlineShiftNormal") == (nodes.healthy, 1.0) and len(bench.runner.started) == runs
    assert bench.foreground("Red")[0] is None and len(slicer.app.layoutManager().sliceViewNames()) == 3


def healthy_image_is_cancelled(bench) -> None:
    """By its button, its switch, the end of its measurement and a closed scene; what the child still says is void."""
    import slicer

    bench.measure()
    bench.choose_painter()

    def remove():
        bench.click(bench.ui.removeButton)

    for stop in (
        lambda: bench.click(bench.ui.healthyCancelButton),
        lambda: bench.click(bench.ui.healthyCheckBox),
        remove,
        slicer.mrmlScene.Clear,
    ):
        if bench.panel.review.nodes is None:
            bench.measure()
        stops = bench.runner.stops
        bench.click(bench.ui.healthyCheckBox)
        assert bench.panel.state.value == "painting"
        image = bench.painted()
        stop()
        bench.host.process()
        assert bench.runner.stops > stops and bench.panel.state.value == "idle"
        assert not bench.ui.healthyCheckBox.checked
        bench.runner.finish_healthy(image)
        bench.host.process()
        assert bench.panel.review.nodes is None or bench.panel.review.nodes.healthy is None


def healthy_image_fails(bench) -> None:
    """One sentence where the reader looks, and the switch is off again."""
    bench.measure()
    bench.choose_painter()
    before = bench.host.core.node_ids()
    bench.click(bench.ui.healthyCheckBox)
    bench.runner.line('{"type": "error", "message": "The GPU has too little free memory.", "code": "memory"}')
    bench.runner.end(1)
    bench.host.process()
    assert bench.ui.statusLabel.text == "The GPU has too little free memory." and bench.ui.detailsButton.visible
    assert not bench.ui.healthyCheckBox.checked and bench.ui.healthyCheckBox.enabled
    assert bench.host.core.node_ids() == before and bench.ui.shiftLabel.text == "8.0 mm  to the left →"


def healthy_image_is_kept(bench) -> None:
    """Saved and loaded with the measurement, shown again without being made again; gone with it."""
    import slicer

    bench.measure()
    bench.choose_painter()
    bench.click(bench.ui.healthyCheckBox)
    bench.runner.finish_healthy(bench.painted())
    bench.host.process()
    path = bench.host.core.folder / "case.mrb"
    bench.host.core.save(path)
    slicer.mrmlScene.Clear()
    bench.host.process()
    runs = len(bench.runner.started)
    bench.host.core.load(path)
    bench.host.process()
    nodes = bench.panel.review.nodes
    assert bench.ui.healthyCheckBox.checked and "painted by painter 3" in bench.ui.healthyLabel.text
    bench.click(bench.ui.reviewLayoutButton)
    assert bench.foreground("MidlineShiftNormal")[0] is nodes.healthy and len(bench.runner.started) == runs
    bench.drag("shifted", -6.0)
    assert nodes.healthy is not None, "an edit does not touch it"
    slicer.mrmlScene.RemoveNode(nodes.healthy)
    bench.host.process()
    assert not bench.ui.healthyCheckBox.checked and len(bench.runner.started) == runs
    bench.click(bench.ui.healthyCheckBox)
    bench.runner.finish_healthy(bench.painted())
    assert nodes.healthy is not None
    bench.volume = bench.parameters.inputVolume
    bench.click(bench.ui.removeButton)
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 1
    assert not bench.ui.healthyCheckBox.checked and not bench.ui.healthyCheckBox.enabled


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
