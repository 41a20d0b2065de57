"""Every number, side, colour, unit, order and mark that reaches a person, with shifts to both sides of the patient."""

from __future__ import annotations

import csv
import dataclasses
import time

import numpy as np
import pytest
import slicer
from panel_fixture import PanelFixture
from PySide6 import QtWidgets

from MidlineShiftLogic.measurement.decision import Review
from MidlineShiftLogic.quality import Quality

SIDES = {8.0: ("L", "to the left →"), -8.0: ("R", "← to the right")}
VIEWS = ("Red", "MidlineShiftNormal", "MidlineShiftMoved")
REVIEW = tuple(f"vtkMRMLSliceNode{name}" for name in VIEWS)
GREEN, YELLOW, ORANGE, RED = "#bfe3bf", "#f6e58d", "#f5b971", "#ee8a80"


@pytest.fixture(params=list(SIDES), ids=["left", "right"])
def panel(host, request):
    """A measured panel with a shift of 8 mm to either side."""
    panel = PanelFixture(host, shift_mm=request.param)
    panel.measure()
    return panel


@pytest.fixture
def one_side(host):
    """A panel with a shift to the left that nothing was measured in yet."""
    return PanelFixture(host)


# ---- 4. Result


def test_the_number_has_its_side_unit_rule_and_slice(panel):
    side, arrow = SIDES[panel.shift_mm]
    case = panel.measurement.slice
    assert panel.ui.shiftLabel.text == f"8.0 mm  {arrow}"
    assert panel.ui.ruleLabel.text == f"Slice {case + 1} of 14: largest of 6 slices near the septum"
    assert panel.ui.sliceLabel.text == f"Slice {case + 1} of 14"
    assert panel.row(case)[1] == f"8.0 mm {side}"
    assert "research use only" in panel.ui.researchLabel.text.lower()


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("shift_mm", "text", "colour"),
    [(0.3, "0.3 mm  no side", GREEN), (2.94, "2.9 mm", GREEN), (2.96, "3.0 mm", YELLOW), (4.96, "5.0 mm", ORANGE),
     (9.94, "9.9 mm", ORANGE), (9.96, "10.0 mm", RED)],
)  # fmt: skip
def test_the_colour_is_that_of_the_number_as_it_is_shown(one_side, sign, shift_mm, text, colour):
    from MidlineShiftLib.views.texts import resultTexts, severityColour

    measurement = dataclasses.replace(one_side.measurement, signed_shift_mm=sign * shift_mm)
    assert resultTexts(measurement).shift.startswith(text)
    assert severityColour(sign * shift_mm, (3.0, 5.0, 10.0)) == colour


@pytest.mark.parametrize("code", ["inconsistent-side", "field-and-map-disagree", "both-sides"])
def test_a_number_of_contradicting_slices_is_grey_until_a_reader_decides(one_side, code):
    from MidlineShiftLib.views.texts import UNCERTAIN, headlineColour

    limits = (3.0, 5.0, 10.0)
    plain = dataclasses.replace(one_side.measurement, signed_shift_mm=0.2, quality=())
    doubtful = dataclasses.replace(plain, quality=(Quality(code, "warning", "Look."),))
    decided = dataclasses.replace(doubtful, review=Review("accepted", "A. Reader", "2026-11-03T10:00:00+00:00"))
    edited = dataclasses.replace(doubtful, slices=(dataclasses.replace(plain.slices[0], edited=True),))
    colours = [headlineColour(one, limits) for one in (plain, doubtful, decided, edited)]
    assert colours == [GREEN, UNCERTAIN, GREEN, GREEN]
    assert headlineColour(dataclasses.replace(plain, quality=(Quality("tilt", "warning", "Turned."),)), limits) == GREEN


def test_the_limits_of_the_colours_are_the_readers(panel):
    assert ORANGE in panel.ui.shiftLabel.styleSheet
    assert " color: #202020;" in panel.ui.shiftLabel.styleSheet, "legible in a dark theme too"
    for box, colour in (("severeSpinBox", RED), ("moderateSpinBox", ORANGE), ("mildSpinBox", YELLOW)):
        panel.ui.mildSpinBox.value = panel.ui.moderateSpinBox.value = panel.ui.severeSpinBox.value = 20.0
        assert GREEN in panel.ui.shiftLabel.styleSheet
        getattr(panel.ui, box).value = 7.9
        assert colour in panel.ui.shiftLabel.styleSheet, box


def test_warnings_are_shown_and_notes_are_not(one_side):
    flags = (
        Quality("tilt", "warning", "The head is turned."),
        Quality("slabs", "info", "Averaged."),
        Quality("motion", "warning", "It moved."),
    )
    one_side.measurement = dataclasses.replace(one_side.measurement, quality=flags)
    one_side.measure()
    assert one_side.ui.warningsLabel.text == "⚠ The head is turned.\n⚠ It moved." and one_side.ui.warningsLabel.visible


def test_interval_and_probability_are_those_of_the_measurement(one_side):
    one_side.measurement = dataclasses.replace(one_side.measurement, interval_mm=(-1.2, 9.3), p_over_5mm=0.004)
    one_side.measure()
    assert one_side.ui.intervalLabel.text == "(90 %: 1.2 R to 9.3 L), P(>5 mm) <0.01"
    assert "90 of 100" in one_side.ui.intervalLabel.toolTip and "5 mm" in one_side.ui.intervalLabel.toolTip


def test_the_scans_line_has_the_first_thing_to_look_at_and_counts_the_others(one_side):
    from MidlineShiftLib.views.texts import scanLine

    tilt, motion = Quality("tilt", "warning", "It is turned."), Quality("motion", "warning", "It moved.")
    fatal = Quality("no-head", "fatal", "No head.")
    size = "14 slices of 100 × 120, 1.70 × 1.70 × 6.0 mm. "
    for flags, says in (
        ((), "All checks passed."),
        ((tilt,), "Look at it first: It is turned."),
        ((tilt, motion), "Look at it first: It is turned. (and 1 more)"),
        ((tilt, fatal), "Cannot be measured: No head."),
    ):
        assert scanLine(dataclasses.replace(one_side.head, quality=flags)) == size + says


def test_the_review_has_the_time_of_the_readers_clock(one_side, monkeypatch):
    from MidlineShiftLib.views.texts import reviewText

    from MidlineShiftLogic.measurement.review import Review

    if not hasattr(time, "tzset"):
        pytest.skip("the zone of a running process cannot be changed here")
    review = Review("rejected", "Dr A", "2026-11-24T23:30:15+00:00", "motion")
    try:
        for zone, shown in (("UTC", "2026-11-24 23:30"), ("JST-9", "2026-11-25 08:30"), ("EST5", "2026-11-24 18:30")):
            monkeypatch.setenv("TZ", zone)  # spelt out: not every machine has the zones by name
            time.tzset()
            text = reviewText(dataclasses.replace(one_side.measurement, review=review))
            assert text == f"Rejected by Dr A, {shown}: motion"
    finally:
        monkeypatch.undo()
        time.tzset()


# ---- table


def test_the_table_is_highest_first_with_number_side_height_and_notes(panel):
    side, _ = SIDES[panel.shift_mm]
    table = panel.ui.sliceTable
    headers = [table.horizontalHeaderItem(column).text() for column in range(4)]
    assert headers == ["Slice", "Shift", "Height", ""]
    expected = []
    for one in reversed(panel.measurement.slices):
        size = abs(one.signed_shift_mm)
        note = "case" if one.index == panel.measurement.slice else ""
        shift = f"{size:.1f} mm" + (f" {side}" if size >= 0.05 else "")
        expected.append([str(one.index + 1), shift, f"{one.height_mm:.0f} mm", note])
    assert panel.rows() == expected
    assert table.editTriggers == QtWidgets.QAbstractItemView.NoEditTriggers, "nobody types a number into it"
    numbers = [int(row[0]) for row in panel.rows()]
    assert numbers == sorted(numbers, reverse=True) and len({row[1] for row in panel.rows()}) > 4
    assert table.currentRow() == numbers.index(panel.measurement.slice + 1)


def test_a_slice_has_the_number_of_the_pacs_wherever_it_is_named(host, monkeypatch):
    """Here counted from the top, as many scanners do: the index of the stack is seen nowhere."""
    panel = PanelFixture(host, shift_mm=-8.0)
    numbers = [50 - index for index in range(14)]
    panel.measurement = dataclasses.replace(
        panel.measurement,
        input={**panel.measurement.input, "instance_numbers": numbers},
        slices=tuple(dataclasses.replace(one, source_slices=(one.index,)) for one in panel.measurement.slices),
    )
    panel.measure()
    pen = Pen(monkeypatch)
    panel.click(panel.ui.nextButton)
    case, shown = numbers[panel.measurement.slice], numbers[panel.editor.shown]
    assert shown == case - 1
    assert panel.ui.ruleLabel.text.startswith(f"Slice {case} of 14: ")
    assert panel.ui.sliceLabel.text == f"Slice {shown} of 14" and f"CT\nslice {shown} of 14" in panel.view().texts()
    assert [int(row[0]) for row in panel.rows()] == [numbers[one.index] for one in reversed(panel.measurement.slices)]
    below = [text for text in pen.texts if text.isdigit()]
    assert below and all(abs(pen.texts[text][0] - panel.plot.x(numbers.index(int(text)))) < 12 for text in below)
    panel.click(panel.ui.scanLayoutButton)
    assert f"CT\nslice {shown} of 14" in panel.view().texts()


def test_the_row_of_the_shown_slice_is_marked(panel):
    panel.click(panel.ui.nextButton)
    assert panel.rows()[panel.ui.sliceTable.currentRow()][0] == str(panel.measurement.slice + 2)


# ---- plot


class Pen:
    """Keeps what is drawn into the plot: texts, lines and marks with their colours."""

    def __init__(self, monkeypatch):
        import qt

        self.texts, self.lines, self.marks, self.rims = {}, [], [], []
        pen = self

        class Recorder(qt.QPainter):
            def drawText(self, x, y, text):
                pen.texts[text] = (x, y)
                super().drawText(x, y, text)

            def drawLine(self, *ends):
                pen.lines.append((ends, self.pen().color().name()))
                super().drawLine(*ends)

            def drawEllipse(self, *box):
                pen.marks.append(("dot", box, self.brush().color().name(), self.brush().style() != qt.Qt.NoBrush))
                super().drawEllipse(*box)

            def drawRect(self, *box):
                pen.marks.append(("square", box, self.brush().color().name(), True))
                pen.rims.append(self.pen().color().name())
                super().drawRect(*box)

        monkeypatch.setattr(qt, "QPainter", Recorder)

    def mark(self, panel, one):
        """(shape, fill colour, radius) of a slice's mark; the plot says where it should be."""
        x, y = panel.plot.x(one.index), panel.plot.y(one.signed_shift_mm)
        for shape, (left, top, width, height), colour, filled in self.marks:
            if (left + width // 2, top + height // 2) == (x, y) and filled:
                return shape, colour, width // 2
        raise AssertionError(f"slice {one.index} has no mark")


def test_the_plot_has_every_slice_in_its_place_and_colour(panel, monkeypatch):
    pen = Pen(monkeypatch)
    panel.host.widget.panel.updateGui()
    plot, slices = panel.plot, panel.measurement.slices
    left, zero, right = pen.texts["5 L"], pen.texts["0 mm"], pen.texts["5 R"]
    assert left[1] < zero[1] < right[1], "up is the patient's left"
    assert (plot.y(8.0) < plot.y(0.0) < plot.y(-8.0)) and plot.x(slices[0].index) < plot.x(slices[-1].index)
    steps = np.diff([plot.y(mm) for mm in (-5.0, 0.0, 5.0)])
    assert abs(steps[0] - steps[1]) <= 1 and abs(zero[1] - left[1]) == pytest.approx(abs(steps[0]), abs=1)
    for one in slices:
        size = abs(one.signed_shift_mm)
        colour = RED if size >= 9.95 else ORANGE if size >= 4.95 else YELLOW if size >= 2.95 else GREEN
        shape, drawn, radius = pen.mark(panel, one)
        assert (shape, drawn) == ("dot", colour) and radius == (5 if one.index == panel.measurement.slice else 3)
    assert "slice" in pen.texts and all(text.isdigit() for text in pen.texts if text[0].isdigit() and " " not in text)
    for text, (x, _) in pen.texts.items():
        if text.isdigit():
            assert abs(x - plot.x(int(text) - 1)) < 12, "the number is below its slice"


def test_the_colours_of_the_plot_have_the_readers_limits(panel, monkeypatch):
    for box, mm in (("mildSpinBox", 1.0), ("moderateSpinBox", 2.0), ("severeSpinBox", 2.5)):
        getattr(panel.ui, box).value = mm
    pen = Pen(monkeypatch)
    panel.host.widget.panel.updateGui()
    case = next(one for one in panel.measurement.slices if one.index == panel.measurement.slice)
    assert pen.mark(panel, case)[1] == RED and RED in panel.ui.shiftLabel.styleSheet


def test_the_plot_marks_the_shown_edited_and_pinned_slices(panel, monkeypatch):
    panel.drag("shifted", -4.0 if panel.shift_mm > 0 else 4.0)
    panel.click(panel.ui.previousButton)
    panel.click(panel.ui.pinButton)
    pen = Pen(monkeypatch)
    panel.host.widget.panel.updateGui()
    measurement, shown = panel.editor.measurement, panel.editor.shown
    edited = next(one for one in measurement.slices if one.edited)
    assert pen.mark(panel, edited)[0] == "square" and pen.rims == ["#d050a8"]
    assert [x for (x, _, x2, _), colour in pen.lines if colour == "#4080e0" and x == x2] == [panel.plot.x(shown)]
    pinned = next(one for one in measurement.slices if one.pinned)
    rings = [box for shape, box, _, filled in pen.marks if shape == "dot" and not filled]
    assert len(rings) == 1 and rings[0][0] + rings[0][2] // 2 == panel.plot.x(pinned.index) == panel.plot.x(shown)


def test_the_plot_reaches_as_far_as_the_largest_shift(host):
    panel = PanelFixture(host, shift_mm=-22.0)
    panel.measure()
    top, bottom = panel.plot._ends()
    assert all(top <= panel.plot.y(one.signed_shift_mm) <= bottom for one in panel.measurement.slices)


def test_the_plot_follows_the_theme_the_width_and_the_density(panel):
    from PySide6 import QtGui

    label = panel.ui.plotLabel

    def picture():
        return label.pixmap.toImage()

    assert picture().pixelColor(1, 1).name() == label.palette.color(QtGui.QPalette.ColorRole.Base).name()
    dark = QtGui.QPalette(label.palette)
    dark.setColor(QtGui.QPalette.ColorRole.Base, QtGui.QColor("#101418"))
    dark.setColor(QtGui.QPalette.ColorRole.Text, QtGui.QColor("#f0f0f0"))
    label.setPalette(dark)
    panel.host.process()
    assert picture().pixelColor(1, 1).name() == "#101418"
    before = picture().width()
    panel.host.window.resize(700, 1250)
    panel.host.process()
    assert picture().width() == round(label.width * label.devicePixelRatioF()) > before
    assert label.pixmap.devicePixelRatio() == label.devicePixelRatioF()


# ---- views


def test_the_views_name_sides_case_slice_and_what_they_show(panel):
    case = panel.measurement.slice
    for name, title in zip(VIEWS, ("Scan", "Warped back to normal", "Displacement"), strict=True):
        texts = panel.view(name).texts()
        assert texts["R"][0] < 0.1 and texts["L"][0] > 0.9 and title in texts, name
        for text in texts:
            assert all(-0.01 <= edge <= 1.01 for edge in panel.view(name).reach(text)), (name, text)
    assert f"CT\nslice {case + 1} of 14" in panel.view().texts()
    right, left = (panel.view().place((r, 0.0, panel.head.heights[case]))[0] for r in (40.0, -40.0))
    assert right < left, "the patient's right is on the left, as the letters say"
    panel.click(panel.ui.nextButton)
    assert f"CT\nslice {case + 2} of 14" in panel.view().texts()
    assert panel.view().mrmlSliceNode().GetRulerType() == panel.view().mrmlSliceNode().RulerTypeThin


def test_the_letters_at_the_edges_are_those_of_a_turned_view(panel):
    """Slicer's own menu of a view turns it; its letters are held against places in the patient."""
    view, node = panel.view(), panel.view().mrmlSliceNode()
    ends = {"R": (60, 0, 0), "L": (-60, 0, 0), "A": (0, 60, 0), "P": (0, -60, 0)}

    def mirror():
        for axis in range(3):
            node.GetSliceToRAS().SetElement(axis, 0, -node.GetSliceToRAS().GetElement(axis, 0))
        node.UpdateMatrices()

    seen = []
    for turn in (node.SetOrientationToSagittal, node.SetOrientationToCoronal, node.SetOrientationToAxial, mirror):
        turn()
        low, high = sorted((text for text in view.texts() if text in ends), key=lambda text: view.texts()[text][0])
        assert view.texts()[low][0] < 0.1 and view.texts()[high][0] > 0.9
        assert view.place(ends[low])[0] < view.place(ends[high])[0] - 20, (low, high)
        seen.append(low + high)
    assert set(seen[0]) == {"A", "P"} and seen[1:] == ["RL", "RL", "LR"]
    panel.host.widget.exit()
    assert not view.texts()
    node.SetOrientationToSagittal()
    assert not view.texts(), "the view is followed no longer"


def test_each_mark_is_in_the_views_where_it_is_true(panel):
    """What was found is over the scan alone: the picture that is warped back has a straight midline."""
    views = {
        "landmarks": REVIEW[:1], "landmark_labels": REVIEW[:1], "deformed_midline": REVIEW[:1], "distance": REVIEW[:1],
        "ideal_midline": REVIEW[:2], "grid": REVIEW[2:],
    }  # fmt: skip
    for role, shown in views.items():
        assert panel.editor.nodes.node(role).GetDisplayNode().GetViewNodeIDs() == shown, role
    panel.click(panel.ui.scanLayoutButton)
    for role in views:
        assert not panel.editor.nodes.node(role).GetDisplayNode().GetViewNodeIDs(), "in the one view there is, all"


def test_the_colours_of_the_displacement_are_explained_in_mm(panel):
    title, colours, low, high, labels = panel.view("MidlineShiftMoved").colour_bar()
    assert (title, low, high, labels) == ("mm", 0.0, 10.0, 6), "0, 2, 4, 6, 8 and 10"
    assert np.allclose(colours[0], (0x44 / 255, 0x01 / 255, 0x54 / 255), atol=0.01), "viridis: dark is little"
    assert np.allclose(colours[-1], (0xFD / 255, 0xE7 / 255, 0x25 / 255), atol=0.01) and len(colours) == 256
    magnitude = panel.editor.nodes.magnitude
    display = magnitude.GetDisplayNode()
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (0.0, 10.0)
    assert display.GetLowerThreshold() == 1.0 and display.GetApplyThreshold()
    case = panel.measurement.slice
    known = np.hypot(*panel.dense.displacement_mm[case].astype(float))
    assert np.allclose(slicer.util.arrayFromVolume(magnitude)[case], known, atol=0.02)
    layers = panel.view("MidlineShiftMoved").sliceLogic().GetSliceCompositeNode()
    assert layers.GetForegroundVolumeID() == magnitude.GetID() and 0.3 < layers.GetForegroundOpacity() < 0.9
    assert panel.view("Red").colour_bar() is None and panel.view("MidlineShiftNormal").colour_bar() is None
    panel.click(panel.ui.displacementCheckBox)
    assert panel.view("MidlineShiftMoved").colour_bar() is None and "Scan" in panel.view("MidlineShiftMoved").texts()


def test_after_an_edit_displacement_and_warped_image_are_the_models(panel):
    assert not panel.ui.viewsLabel.visible
    panel.drag("shifted", 3.0)
    titles = [" ".join(panel.view(name).texts()) for name in VIEWS]
    assert "model's" not in titles[0] and all("(the model's, not the edit's)" in title for title in titles[1:])
    assert panel.ui.viewsLabel.visible and "model's" in panel.ui.viewsLabel.text
    panel.click(panel.ui.undoButton)
    assert "model's" not in " ".join(panel.view("MidlineShiftMoved").texts()) and not panel.ui.viewsLabel.visible


def test_the_distance_in_the_view_says_number_and_side(panel):
    side, _ = SIDES[panel.shift_mm]
    distance = panel.editor.nodes.distance
    labels = [distance.GetNthControlPointLabel(index) for index in (0, 1)]
    # a label runs to the right of its point: it is on the point nearer to the patient's left
    assert labels == (["", f"8.0 mm {side}"] if side == "L" else [f"8.0 mm {side}", ""])
    landmarks = panel.editor.nodes.landmarks.GetDisplayNode()
    found = landmarks.GetSelectedColor()
    assert landmarks.GetUseGlyphScale() and landmarks.GetGlyphScale() >= 5, "large enough to be taken"
    panel.drag("shifted", 2.0)
    assert any(label.endswith(f" {side} (edited)") for label in (distance.GetNthControlPointLabel(i) for i in (0, 1)))
    edited = [landmarks.GetColor(), landmarks.GetSelectedColor(), landmarks.GetActiveColor()]
    assert edited == [pytest.approx((0xCC / 255, 0x79 / 255, 0xA7 / 255))] * 3 and found != edited[0]


def test_the_labels_of_the_falx_are_outside_of_the_skull(panel):
    nodes = panel.editor.nodes
    labels, marks = nodes.node("landmark_labels"), nodes.landmarks
    for number, word in enumerate(("Anterior falx", "Posterior falx")):
        place = np.array(labels.GetNthControlPointPositionWorld(number))
        mark = np.array(marks.GetNthControlPointPositionWorld(number))
        assert labels.GetNthControlPointLabel(number) == word
        assert np.linalg.norm(place - mark) == pytest.approx(15.0, abs=0.1)
        assert (place - mark)[1] * (1 if number == 0 else -1) > 10, "in front of the first, behind the second"
    assert not marks.GetDisplayNode().GetPointLabelsVisibility() and labels.GetLocked()
    panel.click(panel.ui.landmarksCheckBox)
    assert not labels.GetDisplayNode().GetVisibility()


def test_the_head_fills_the_large_view(panel):
    view = panel.view()
    width, height = view.width, view.height
    spread = 8.0 * 2 + 2 * 76, 22.0 * 2 + 2 * 94  # mm: the drawn skull with its margins
    node = view.mrmlSliceNode()
    field = node.GetFieldOfView()
    assert abs(field[0] / field[1] - width / height) < 0.02
    assert 0.8 < max(spread[0] / field[0], spread[1] / field[1]) < 1.25
    small = panel.view("MidlineShiftMoved")
    assert width * height > 2.5 * small.width * small.height


def test_the_head_fills_views_that_get_their_size_late(panel):
    """Slicer makes the views of a layout first, and lays them out when it draws."""
    panel.click(panel.ui.scanLayoutButton)
    panel.ui.reviewLayoutButton.click()
    view = panel.view()
    view.resize_view(300, 200)  # before the panel's own timer
    panel.host.process()
    field = view.mrmlSliceNode().GetFieldOfView()
    assert field[0] / field[1] == pytest.approx(1.5, abs=0.02) and 200 < field[1] < 280


def test_a_headrest_does_not_widen_the_view(one_side):
    from MidlineShiftLib.views.head_box import headBox

    head = one_side.head
    bare = headBox(head)
    hu = head.hu.copy()
    hu[:, -6:-3, 5:-5] = 180.0  # plastic behind the head
    hu[:, -8:-6, 20:30] = 900.0  # and a piece of metal in it
    held = headBox(dataclasses.replace(head, hu=hu))
    assert abs(held.height_mm - bare.height_mm) < 3 and np.abs(held.centre_lps - bare.centre_lps).max() < 2
    assert headBox(dataclasses.replace(head, hu=np.full_like(hu, -1000.0))) is None


def test_window_presets_hold_for_all_views_and_stay_while_paging(panel):
    nodes = panel.editor.nodes
    shown = (panel.volume, nodes.warped)

    def windows():
        return {(v.GetDisplayNode().GetWindow(), v.GetDisplayNode().GetLevel()) for v in shown}

    assert windows() == {(80, 40)} and panel.ui.windowSelector.currentText == "Brain 80/40"
    for index, expected in enumerate([(80, 40), (215, 75), (40, 40), (2500, 480)]):
        panel.ui.windowSelector.currentIndex = index
        panel.click(panel.ui.nextButton if index % 2 else panel.ui.previousButton)
        assert windows() == {expected} and panel.ui.windowSelector.currentIndex == index
        assert f"{expected[0]}/{expected[1]}" in panel.ui.windowSelector.currentText
    panel.volume.GetDisplayNode().SetWindowLevel(123, 45)  # as the mouse does
    assert windows() == {(123, 45)} and panel.ui.windowSelector.currentText == "As set by hand"


def test_synthetic_pictures_say_so(one_side):
    one_side.click(one_side.ui.loadSampleButton)
    assert any("sample_shifted · synthetic" in text for text in one_side.view().texts())
    one_side.ui.inputSelector.setCurrentNode(one_side.add_scan("Anna"))
    assert "Anna" in one_side.view().texts() and not any("synthetic" in text for text in one_side.view().texts())


# ---- the exported table


def test_the_exported_csv_is_what_was_shown(panel):
    side, _ = SIDES[panel.shift_mm]
    panel.click(panel.ui.nextButton)
    panel.click(panel.ui.pinButton)
    panel.dialogs.folder = str(panel.host.core.folder / "out")
    panel.export()
    path = panel.host.core.folder / "out" / "CT" / "shifts.csv"
    rows = list(csv.DictReader(path.open(encoding="utf-8")))
    slices = panel.editor.measurement.slices
    assert [int(row["slice"]) for row in rows] == [one.index for one in slices], "lowest first"
    for row, one in zip(rows, slices, strict=True):
        assert float(row["signed_shift_mm"]) == pytest.approx(one.signed_shift_mm, abs=6e-4)
        assert float(row["height_mm"]) == pytest.approx(one.height_mm, abs=6e-4)
        assert float(row["z_mm"]) == pytest.approx(one.z_mm, abs=6e-4)
        assert float(row["confidence"]) == pytest.approx(0.9)
        assert row["slice_number"] == str(one.index + 1)
        assert row["side"] == ("" if abs(one.signed_shift_mm) < 0.05 else side)
        assert row["pinned"] == str(int(one.index == panel.measurement.slice + 1)) == row["case_slice"]
        assert row["edited"] == "0" and row["in_case_window"] == str(int(one.in_case_window))
