"""The reader's hand: the number follows it, to both sides; pins, undo and redo; messages where the reader looks."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from drag_cases import drag_outward
from panel_fixture import PanelFixture

from MidlineShiftLogic.measurement.distance import CaseRule

QUARTILE = CaseRule(0.75, (-40.0, 40.0), 1.0)
"""The released rule: upper quartile, or the median where the slices disagree."""


@pytest.fixture(params=[8.0, -8.0], ids=["left", "right"])
def panel(host, request):
    """Measured by the released rule, to either side."""
    panel = PanelFixture(host, shift_mm=request.param)
    slices = panel.measurement.slices
    case = sorted(slices, key=lambda one: abs(one.signed_shift_mm))[round(0.75 * (len(slices) - 1))]
    panel.measurement = dataclasses.replace(
        panel.measurement, case_rule=QUARTILE, slice=case.index, signed_shift_mm=case.signed_shift_mm
    )
    panel.measure()
    return panel


def number(panel) -> float:
    """The number that is shown."""
    return float(panel.ui.shiftLabel.text.split()[0])


def outward(panel, mm: float) -> None:
    """Drag the shown slice's landmark away from the ideal midline with the mouse."""
    panel.drag("shifted", -mm if panel.shift_mm > 0 else mm)


def test_a_drag_outward_never_lowers_the_number(panel):
    """On every measured slice, one after the other; the first is the case's own."""
    side = panel.ui.shiftLabel.text.split("mm")[1]
    order = sorted(panel.measurement.slices, key=lambda one: one.index != panel.measurement.slice)
    for one in order[:6]:
        panel.editor.goTo(one.index)
        for step in (2.0, 4.0):
            before, own = number(panel), abs(panel.editor.shownSlice.signed_shift_mm)
            outward(panel, step)
            assert abs(panel.editor.shownSlice.signed_shift_mm) > own + 0.5, "the drag did something"
            assert number(panel) >= before, one.index
            assert panel.ui.shiftLabel.text.split("mm")[1] == side
    first = order[0]
    assert number(panel) >= abs(first.signed_shift_mm) + 5


@pytest.mark.parametrize("shift_mm", [0.0, 0.3, -1.2])
def test_without_a_shift_the_hand_takes_the_shifted_place_and_not_the_ideal_one_on_it(host, shift_mm):
    """Taken by the ideal place, the whole ideal line would go along, and the number would go against the hand."""
    panel = PanelFixture(host, shift_mm=shift_mm)
    panel.measure()
    ends = panel.editor.shownSlice.landmarks_lps_mm
    found = drag_outward(panel, slices=2, steps_mm=(1.5, 3.0))
    assert not [one.fault for one in found if one.fault]
    panel.editor.goTo(found[0].index)
    for name in ("anterior_falx", "posterior_falx"):
        assert panel.editor.shownSlice.landmarks_lps_mm[name] == pytest.approx(ends[name], abs=1e-3)
    assert abs(found[0].case_after) > 1
    before = panel.editor.shownSlice.signed_shift_mm
    panel.drag("ideal", -2.0 if before > 0 else 2.0)
    assert abs(panel.editor.shownSlice.signed_shift_mm) == pytest.approx(abs(before) - 2, abs=0.8), "apart, it is there"


def test_the_rule_in_force_is_beside_the_number(panel):
    case = panel.measurement.slice
    assert panel.ui.ruleLabel.text == f"Slice {case + 1} of 14: upper quartile of 6 slices near the septum"
    outward(panel, 6.0)
    assert panel.ui.ruleLabel.text == f"Slice {case + 1} of 14: edited by the reader"
    assert number(panel) == pytest.approx(abs(panel.measurement.signed_shift_mm) + 6.0, abs=1.5)


def test_a_pinned_slice_is_the_case_until_it_is_unpinned(panel):
    top = panel.measurement.slices[-1].index
    panel.editor.goTo(top)
    before = panel.ui.shiftLabel.text
    panel.click(panel.ui.pinButton)
    pinned = abs(panel.editor.shownSlice.signed_shift_mm)
    assert number(panel) == pytest.approx(pinned, abs=0.06) and panel.ui.pinButton.checked
    assert panel.ui.ruleLabel.text == f"Slice {top + 1} of 14: pinned by the reader"
    assert panel.row(top)[3] == "case, pinned" and panel.ui.acceptButton.text == "Accept with edits"
    assert not panel.ui.intervalLabel.visible
    panel.click(panel.ui.pinButton)
    assert panel.ui.shiftLabel.text == before and not panel.ui.pinButton.checked
    assert panel.ui.acceptButton.text == "Accept"


def test_undo_and_redo_go_step_by_step(panel):
    said = [(panel.ui.shiftLabel.text, panel.rows())]
    assert not panel.ui.undoButton.enabled and not panel.ui.redoButton.enabled
    outward(panel, 3.0)
    said.append((panel.ui.shiftLabel.text, panel.rows()))
    outward(panel, 3.0)
    said.append((panel.ui.shiftLabel.text, panel.rows()))
    panel.click(panel.ui.nextButton)
    panel.click(panel.ui.pinButton)
    said.append((panel.ui.shiftLabel.text, panel.rows()))
    assert len({rows[0] + str(rows[1]) for rows in said}) == 4
    for expected in reversed(said[:-1]):
        assert panel.ui.undoButton.enabled
        panel.click(panel.ui.undoButton)
        assert (panel.ui.shiftLabel.text, panel.rows()) == expected, "a drag is one step, however many moves it has"
    assert not panel.ui.undoButton.enabled and panel.ui.acceptButton.text == "Accept"
    for expected in said[1:]:
        panel.click(panel.ui.redoButton)
        assert (panel.ui.shiftLabel.text, panel.rows()) == expected
    assert not panel.ui.redoButton.enabled


def test_the_keys_undo_and_redo(panel):
    from PySide6 import QtCore
    from PySide6.QtTest import QTest

    view = panel.view()
    before = panel.ui.shiftLabel.text
    outward(panel, 4.0)
    after = panel.ui.shiftLabel.text
    view.show()
    view.activateWindow()
    view.setFocusPolicy(QtCore.Qt.StrongFocus)
    view.setFocus()
    panel.host.process()
    QTest.keyClick(view, QtCore.Qt.Key_Z, QtCore.Qt.ControlModifier)
    assert panel.ui.shiftLabel.text == before
    QTest.keyClick(view, QtCore.Qt.Key_Y, QtCore.Qt.ControlModifier)
    assert panel.ui.shiftLabel.text == after


def test_messages_are_beside_the_button_that_they_answer(panel):
    panel.click(panel.ui.acceptButton)
    assert panel.ui.decisionLabel.visible and "name" in panel.ui.decisionLabel.text
    box, button, message = (w.geometry for w in (panel.ui.decisionPart, panel.ui.acceptButton, panel.ui.decisionLabel))
    assert 0 <= message.top() - button.bottom() < 20 and message.bottom() <= box.height()
    panel.ui.readerEdit.text = "Dr A"
    panel.click(panel.ui.acceptButton)
    assert not panel.ui.decisionLabel.visible and panel.ui.reviewLabel.text.startswith("Accepted by Dr A")
    nodes = panel.editor.nodes
    anterior = nodes.landmarks.GetNthControlPointPositionWorld(0)
    nodes.landmarks.SetNthControlPointPositionWorld(1, *anterior)
    assert panel.ui.editMessageLabel.visible and "attachments" in panel.ui.editMessageLabel.text


def test_a_scan_that_arrives_is_chosen_and_own_volumes_are_not_offered(panel):
    selector = panel.ui.inputSelector
    assert selector.nodeCount() == 1, "warped image and displacement are no scans"
    arrived = panel.add_scan("Arrived")
    panel.host.process()
    assert selector.currentNode() is arrived and selector.nodeCount() == 2
    assert panel.ui.shiftLabel.text == "–" and "14 slices" in panel.ui.scanLabel.text


def test_sections_fold_once_measured(panel):
    assert panel.ui.scanBox.collapsed and panel.ui.modelBox.collapsed
    assert not panel.ui.resultBox.collapsed and not panel.ui.reviewBox.collapsed


@pytest.mark.parametrize("size", [(430, 640), (430, 768)])
def test_number_slice_and_decision_are_visible_together_on_a_small_screen(panel, size):
    """640 of the 768 pixels are left when Slicer has its menu, tools, status bar and the module's title."""
    panel.host.window.resize(*size)
    panel.host.process()
    scroll = panel.host.window.centralWidget()
    scroll.verticalScrollBar().setValue(0)
    root = scroll.widget()
    from PySide6 import QtCore

    for name in ("shiftLabel", "ruleLabel", "sliceLabel", "readerEdit", "acceptButton", "rejectButton"):
        widget = getattr(panel.ui, name)
        bottom = widget.mapTo(root, QtCore.QPoint(0, widget.height)).y()
        assert widget.visible and bottom <= size[1], (name, bottom)


@pytest.mark.parametrize("scale", [1.0, 1.5])
def test_nothing_is_cut_off_in_a_narrow_panel(panel, scale):
    """360 pixels, also with letters of one and a half times the size."""
    from PySide6 import QtCore, QtWidgets

    application = QtWidgets.QApplication.instance()
    font = application.font()
    larger = application.font()
    larger.setPointSizeF(font.pointSizeF() * scale)
    application.setFont(larger)
    try:
        outward(panel, 4.0)
        panel.host.window.resize(360, 900)
        panel.host.process()
        assert panel.host.window.centralWidget().widget().layout().minimumSize().width() <= 340, "a scroll bar needs 20"
        scroll = panel.host.window.centralWidget()
        assert scroll.horizontalScrollBar().maximum == 0, "nothing is wider than the panel"
        table = panel.ui.sliceTable
        for column in range(3):
            for row in range(table.rowCount):
                text = table.item(row, column).text()
                assert table.fontMetrics().horizontalAdvance(text) + 4 <= table.columnWidth(column), text
        assert sum(table.columnWidth(column) for column in range(3)) <= table.viewport().width
        for button in panel.ui.__dict__.values():
            if button.className() == "QPushButton" and button.visible:
                wide = button.fontMetrics().size(QtCore.Qt.TextShowMnemonic, button.text).width()
                assert wide <= button.width, button.text
    finally:
        application.setFont(font)


@pytest.mark.parametrize("shift_mm", [12.3, -12.3])
def test_the_number_and_its_side_are_on_one_line_however_narrow_the_panel_is(host, shift_mm):
    panel = PanelFixture(host, shift_mm=shift_mm)
    panel.measure()
    label, sizes = panel.ui.shiftLabel, []
    for width in (310, 360, 430):
        host.window.resize(width, 900)
        host.process()
        assert label.text.startswith("12.3 mm") and "font-weight: bold" in label.styleSheet
        assert label.height < 2 * label.fontMetrics().height(), width
        sizes.append(label.fontMetrics().height())
    assert sizes == sorted(sizes) and sizes[-1] > sizes[0], "as large as fits"


def test_every_control_has_a_name_and_a_tooltip(panel):
    """For those who cannot see the panel, and for those who wonder."""
    kinds = ("QPushButton", "QComboBox", "QCheckBox", "QDoubleSpinBox", "QLineEdit", "QTableWidget", "QProgressBar",
             "QPlainTextEdit", "qMRMLNodeComboBox")  # fmt: skip
    for name, widget in vars(panel.ui).items():
        if widget.className() in kinds and not name.startswith("qt_"):
            spoken = widget.accessibleName or (
                widget.text if widget.className() in ("QPushButton", "QCheckBox") else ""
            )
            assert spoken and any(letter.isalpha() for letter in spoken), name
            if widget.className() not in ("QProgressBar", "QPlainTextEdit"):
                assert widget.toolTip, name
    for button, way, key in ((panel.ui.previousButton, "below", "Down"), (panel.ui.nextButton, "above", "Up")):
        assert button.accessibleName == f"Slice {way}" and f"slice {way} (Page {key})" in button.toolTip
    assert "anterior commissure" in panel.ui.sliceTable.toolTip and "patient's left" in panel.ui.plotLabel.toolTip


def test_every_text_of_the_panel_goes_through_the_translation(host, monkeypatch):
    """With a translation that marks every text, no text of the panel's own is unmarked; the logic's texts are English."""
    import sys

    from mutation import forget

    real = sys.modules["slicer.i18n"].tr
    monkeypatch.setattr(sys.modules["slicer.i18n"], "tr", lambda text: f"‹{text}›")
    forget("")
    try:
        panel = PanelFixture(host)
        empty = (panel.ui.scanLabel.text, panel.ui.healthyLabel.text, panel.ui.deviceSelector.itemText(0))
        assert all("‹" in text for text in empty), empty
        panel.choose_scan()
        texts = [panel.ui.scanLabel.text]
        panel.click(panel.ui.measureButton)
        texts.append(panel.ui.statusLabel.text)
        panel.runner.progress(3, 12)
        texts.append(panel.ui.statusLabel.text)
        panel.click(panel.ui.cancelButton)
        texts.append(panel.ui.statusLabel.text)
        panel.measure()
        panel.drag("shifted", -4.0)
        texts += [
            panel.ui.shiftLabel.text,
            panel.ui.viewsLabel.text,
            panel.ui.reviewLabel.text,
            panel.ui.statusLabel.text,
        ]
        texts += [panel.ui.acceptButton.text, panel.ui.pinButton.text, panel.ui.windowSelector.itemText(0)]
        texts += [panel.ui.sliceTable.horizontalHeaderItem(1).text(), panel.row(panel.measurement.slice)[3]]
        texts += [text for text in panel.view("MidlineShiftMoved").texts() if len(text) > 1]
        panel.dialogs.folder = str(host.core.folder / "out")
        panel.export()
        texts.append(panel.ui.exportLabel.text)
        panel.click(panel.ui.removeButton)
        texts += panel.dialogs.asked
        assert all("‹" in text for text in texts), [text for text in texts if "‹" not in text]
    finally:
        monkeypatch.setattr(sys.modules["slicer.i18n"], "tr", real)
        forget("")


def test_no_sentence_of_the_panel_goes_past_the_translation():
    """Every text of its sources that begins with a capital and has two words, but for names."""
    names = {"The SlicerMidlineShift contributors", "Apple GPU (mps)", "Midline Shift"}
    never_seen = {"Stands for PyTorch while it is being installed."}
    found = set()
    for path in sorted((Path(__file__).parents[2] / "MidlineShift").rglob("*.py")):
        found |= set(_past_translation(ast.parse(path.read_text(encoding="utf-8"))))
    assert found == names | never_seen


def _past_translation(node) -> Iterator[str]:
    """Texts outside of docstrings, of ``_(...)`` and of Slicer's self-test, whose words are for developers."""
    if isinstance(node, ast.ClassDef) and node.name == "MidlineShiftTest":
        return
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("_", "translate"):
        return
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        if node.value[:1].isupper() and " " in node.value and len(re.findall(r"[^\W\d]{2,}", node.value)) > 1:
            yield node.value
        return
    for child in ast.iter_child_nodes(node):
        yield from _past_translation(child)
