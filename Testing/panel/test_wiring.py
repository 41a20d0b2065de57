"""Every button, selector and toggle does something, and the panel survives what users and machines do to it."""

from __future__ import annotations

import dataclasses
import json
import sys

import numpy as np
import pytest
import slicer
from panel_fixture import FakeRunner, PanelFixture
from PySide6 import QtCore

from MidlineShiftLogic.models.locate import DEFAULT_MODEL, find_model
from MidlineShiftLogic.reporting.measurement_json import to_json


@pytest.fixture
def panel(host):
    return PanelFixture(host)


def test_every_widget_that_can_be_used_is_listened_to(panel):
    """Buttons and selectors have a listener; toggles, numbers and texts belong to a parameter."""
    signals = {"QPushButton": "2clicked(bool)", "QComboBox": "2currentIndexChanged(int)"}
    seen = 0
    for name, widget in vars(panel.ui).items():
        kind = widget.className()
        if kind in signals and not name.startswith("qt_"):
            assert widget.receivers(signals[kind]) > 0, name
            seen += 1
        if kind in ("QCheckBox", "QDoubleSpinBox", "QLineEdit") and not name.startswith("qt_"):
            assert widget.property("SlicerParameterName"), name
            seen += 1
    assert seen > 30


def test_an_empty_panel_says_what_to_do(panel):
    assert panel.ui.scanLabel.text == "Choose or load a head CT."
    assert not panel.ui.measureButton.enabled and "scan" in panel.ui.measureButton.toolTip
    assert not panel.ui.reviewBox.visible and not panel.ui.sliceTable.visible
    assert "not a medical device" in panel.ui.researchLabel.text.lower()


def test_choosing_a_scan_windows_it_shows_it_and_checks_it(panel):
    volume = panel.add_scan()
    volume.GetDisplayNode().SetWindowLevel(2000, 400)
    panel.ui.inputSelector.setCurrentNode(volume)
    display = volume.GetDisplayNode()
    assert (display.GetWindow(), display.GetLevel()) == (80, 40)
    assert slicer.app.layoutManager().sliceViewNames() == ("Red",)
    assert panel.view().sliceLogic().GetSliceCompositeNode().GetBackgroundVolumeID() == volume.GetID()
    assert panel.ui.scanLabel.text.startswith("14 slices of 100 × 120, 1.70 × 1.70 × 6.0 mm.")
    assert panel.parameters.inputVolume is volume and panel.ui.measureButton.enabled


def test_a_volume_that_is_no_scan_says_so(panel):
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Empty")
    panel.ui.inputSelector.setCurrentNode(volume)
    assert "no voxels" in panel.ui.scanLabel.text and not panel.ui.measureButton.enabled


def test_a_windowed_export_is_reported_before_measuring(panel):
    volume = panel.add_scan()
    slicer.util.updateVolumeFromArray(volume, np.clip(slicer.util.arrayFromVolume(volume), 0, 80))
    panel.ui.inputSelector.setCurrentNode(volume)
    assert "Cannot be measured" in panel.ui.scanLabel.text


def test_loading(panel, tmp_path):
    panel.dialogs.scan = ""
    panel.click(panel.ui.loadFileButton)
    assert panel.ui.inputSelector.currentNode() is None
    panel.dialogs.scan = str(tmp_path / "none.nii.gz")
    panel.click(panel.ui.loadFileButton)
    assert "cannot be read" in panel.ui.scanMessageLabel.text
    panel.dialogs.scan = str(tmp_path / "image.dcm")
    panel.click(panel.ui.loadFileButton)
    assert "DICOM…" in panel.ui.scanMessageLabel.text and panel.ui.scanMessageLabel.visible
    import nibabel

    path = tmp_path / "scan é.nii.gz"
    nibabel.save(nibabel.Nifti1Image(panel.head.hu.transpose(2, 1, 0), np.diag([-1.7, -1.7, 6.0, 1])), path)
    panel.dialogs.scan = str(path)
    panel.click(panel.ui.loadFileButton)
    assert panel.ui.inputSelector.currentNode().GetName() == "scan é"
    panel.click(panel.ui.loadDicomButton)
    assert panel.host.selected == ["DICOM"]
    panel.click(panel.ui.loadSampleButton)
    assert panel.ui.inputSelector.currentNode().GetName() == "sample_shifted"
    assert "All checks passed" in panel.ui.scanLabel.text


def test_models_are_reported_without_torch(panel, tmp_path):
    about = panel.ui.modelLabel.text
    assert panel.ui.modelSelector.currentText.startswith(DEFAULT_MODEL)
    description = json.loads((find_model() / "model.json").read_text(encoding="utf-8"))
    assert description["trained_on"] in about and "Mean error" in about and "phantoms" in about
    broken = tmp_path / "broken"
    broken.mkdir()
    panel.dialogs.folder = str(broken)
    panel.choose_scan()
    panel.click(panel.ui.modelFolderButton)
    assert "cannot be used" in panel.ui.modelSelector.currentText and not panel.ui.measureButton.enabled
    nested = tmp_path / "nested"
    nested.mkdir()
    (nested / "model.json").write_text("[" * 200_000)
    panel.dialogs.folder = str(nested)
    panel.click(panel.ui.modelFolderButton)
    assert "nested (cannot be used)" in panel.ui.modelSelector.currentText
    assert "nested too deeply" in panel.ui.modelLabel.text
    good = tmp_path / "my model"
    good.mkdir()
    description["name"] = "mine"
    (good / "model.json").write_text(json.dumps(description), encoding="utf-8")
    panel.dialogs.folder = str(good)
    panel.click(panel.ui.modelFolderButton)
    assert panel.ui.modelSelector.currentText.startswith("mine") and panel.parameters.model == str(good)
    panel.click(panel.ui.measureButton)
    assert panel.runner.option("--model") == str(good)
    panel.click(panel.ui.cancelButton)
    panel.ui.modelSelector.currentIndex = 0
    assert panel.parameters.model == DEFAULT_MODEL


def test_devices(panel):
    assert panel.probe_runner.started and panel.ui.deviceLabel.text.startswith("Looking")
    panel.probe_runner.line('{"torch": "2.8", "cuda": ["NVIDIA L4"], "mps": false}')
    panel.probe_runner.end(0)
    assert panel.ui.deviceLabel.text == "Found: NVIDIA L4 (cuda:0)."
    panel.choose_scan()
    for index, device in enumerate(("auto", "cpu", "cuda", "mps")):
        panel.ui.deviceSelector.currentIndex = index
        panel.click(panel.ui.measureButton)
        assert panel.runner.option("--device") == device
        panel.click(panel.ui.cancelButton)


def test_what_is_missing_is_installed_only_when_the_user_agrees(panel):
    panel.choose_scan()
    panel.installer.lacking = ["torch>=2.2", "nibabel>=5.2"]
    panel.enter()
    assert "torch>=2.2" in panel.ui.missingLabel.text and not panel.ui.measureButton.enabled
    assert "Install" in panel.ui.measureButton.toolTip
    panel.dialogs.yes = False
    panel.click(panel.ui.installButton)
    assert "torch>=2.2" in panel.dialogs.asked[-1] and not panel.installer.installs
    panel.dialogs.yes = True
    panel.click(panel.ui.installButton)
    assert panel.state.value == "installing" and not panel.ui.installButton.enabled
    panel.installer.log("Collecting torch")
    assert "Collecting torch" in panel.ui.installLog.plainText and panel.ui.installLog.visible
    panel.installer.end("Installing torch failed; the log above says why.")
    assert "failed" in panel.ui.installMessageLabel.text and panel.ui.installButton.enabled
    panel.dialogs.folder = "/wheels here"
    panel.click(panel.ui.installWheelsButton)
    assert panel.installer.installs == ["", "/wheels here"]
    panel.installer.lacking = []
    panel.installer.end("")
    assert not panel.ui.missingLabel.visible and not panel.ui.installButton.visible and panel.ui.measureButton.enabled


def test_an_installation_outlives_a_closed_scene_and_another_scan(panel):
    """It goes on in Slicer whatever becomes of the scene, and the panel must hear of its end."""
    import slicer

    panel.installer.lacking = ["torch>=2.2"]
    panel.enter()
    panel.click(panel.ui.installButton)
    slicer.mrmlScene.Clear()
    panel.host.process()
    panel.volume = panel.add_scan()
    panel.host.process()
    assert panel.ui.inputSelector.currentNode() is panel.volume, "what arrives is chosen meanwhile too"
    assert panel.state.value == "installing" and "must stay open" in panel.ui.installMessageLabel.text
    panel.installer.lacking = []
    panel.installer.end("")
    assert panel.ui.installMessageLabel.text == "Installed." and not panel.ui.installLog.visible
    assert not panel.ui.missingLabel.visible and panel.ui.measureButton.enabled


def test_an_error_is_one_sentence_with_details(panel):
    panel.choose_scan()
    panel.click(panel.ui.measureButton)
    panel.runner.line("UserWarning: something odd")
    panel.runner.line('{"type": "error", "message": "The GPU has too little free memory.", "code": "memory"}')
    panel.runner.end(1)
    assert panel.ui.statusLabel.text == "The GPU has too little free memory."
    assert panel.ui.detailsButton.visible and not panel.ui.detailsText.visible
    panel.click(panel.ui.detailsButton)
    assert panel.ui.detailsText.visible and "something odd" in panel.ui.detailsText.plainText
    assert "Exit code 1" in panel.ui.detailsText.plainText
    panel.click(panel.ui.detailsButton)
    assert not panel.ui.detailsText.visible
    panel.measure()
    assert not panel.ui.detailsButton.visible


@pytest.mark.parametrize(
    "lines, code, sentence",
    [
        (["Error: The Python package 'torch' is missing; install it."], 1, "The Python package 'torch' is missing"),
        (["Segmentation fault"], -11, "The work stopped unexpectedly (exit code -11)."),
        (['{"type": "result", "refused": {"code": "x", "message": "No head."}, "folder": "/no"}'], 3, "No head."),
        (['{"type": "result", "refused": null, "folder": "/no such folder"}'], 0, "No such file"),
    ],
)
def test_every_bad_end_leaves_the_scene_and_says_why(panel, lines, code, sentence):
    panel.choose_scan()
    before = panel.host.core.node_ids()
    panel.click(panel.ui.measureButton)
    for line in lines:
        panel.runner.line(line)
    panel.runner.end(code)
    assert sentence in panel.ui.statusLabel.text and panel.state.value == "idle"
    assert panel.host.core.node_ids() == before and panel.ui.measureButton.enabled


def test_a_child_that_cannot_be_started(panel, monkeypatch):
    panel.choose_scan()

    def fail(*_):
        raise FileNotFoundError("no PythonSlicer")

    monkeypatch.setattr(panel.runner, "start", fail)
    panel.click(panel.ui.measureButton)
    assert "could not be started" in panel.ui.statusLabel.text and panel.state.value == "idle"


def test_removing_the_scan_during_a_run_cancels_it(panel):
    panel.choose_scan()
    panel.click(panel.ui.measureButton)
    slicer.mrmlScene.RemoveNode(panel.volume)
    panel.host.process()
    assert panel.runner.stops and panel.state.value == "idle"
    panel.runner.finish(panel.measurement, panel.dense)
    assert panel.editor.nodes is None


def test_choosing_another_scan_during_a_run_cancels_it(panel):
    panel.choose_scan()
    panel.click(panel.ui.measureButton)
    panel.ui.inputSelector.setCurrentNode(panel.add_scan("Other"))
    assert panel.runner.stops and panel.state.value == "idle"


def test_each_scan_keeps_its_measurement(panel):
    panel.measure()
    other = panel.add_scan("Other")
    panel.ui.inputSelector.setCurrentNode(other)
    assert panel.ui.shiftLabel.text == "–"
    panel.ui.inputSelector.setCurrentNode(panel.volume)
    assert panel.ui.shiftLabel.text == "8.0 mm  to the left →"


def test_measuring_again_asks_before_a_readers_work_is_replaced(panel):
    panel.measure()
    panel.measure()
    assert not panel.dialogs.asked
    panel.drag("shifted", -6.0)
    edited = panel.ui.shiftLabel.text
    panel.dialogs.yes = False
    runs = len(panel.runner.started)
    panel.click(panel.ui.measureButton)
    assert len(panel.runner.started) == runs and panel.ui.shiftLabel.text == edited
    panel.dialogs.yes = True
    panel.measure()
    assert panel.ui.shiftLabel.text == "8.0 mm  to the left →"
    from MidlineShiftLogic import scene

    assert len(scene.find_all(slicer.mrmlScene)) == 1


def test_every_landmark_can_be_dragged(panel):
    panel.measure()
    for name in ("anterior_falx", "posterior_falx", "ideal", "shifted"):
        before = panel.editor.nodes.shown_slice.signed_shift_mm
        panel.drag(name, 5.0)
        assert abs(panel.editor.nodes.shown_slice.signed_shift_mm - before) > 0.5, name
        panel.click(panel.ui.restoreAllButton)


def test_layouts(panel):
    panel.measure()
    manager = slicer.app.layoutManager()
    assert manager.sliceViewNames() == ("Red", "MidlineShiftNormal", "MidlineShiftMoved")
    assert all(
        manager.sliceWidget(name).sliceLogic().GetSliceCompositeNode().GetLinkedControl()
        for name in manager.sliceViewNames()
    )
    composites = [manager.sliceWidget(name).sliceLogic().GetSliceCompositeNode() for name in manager.sliceViewNames()]
    assert all(one.GetHotLinkedControl() for one in composites), "while the mouse moves, and not only at its end"
    panel.click(panel.ui.scanLayoutButton)
    assert (
        manager.sliceViewNames() == ("Red",)
        and panel.ui.sliceLabel.text == f"Slice {panel.measurement.slice + 1} of 14"
    )
    panel.click(panel.ui.reviewLayoutButton)
    assert len(manager.sliceViewNames()) == 3


def test_keys_work_in_the_views_and_the_panel_and_nowhere_else(panel):
    """Each view may be in a window of its own, where Slicer detached it; another window keeps its keys."""
    from PySide6 import QtWidgets
    from PySide6.QtTest import QTest

    panel.measure()
    other = QtWidgets.QWidget()
    for widget in (panel.view("Red"), panel.view("MidlineShiftMoved"), panel.host.window, other):
        widget.show()
    for target in (panel.view("Red"), panel.view("MidlineShiftMoved"), panel.ui.shiftLabel):
        target.window().activateWindow()
        target.setFocusPolicy(QtCore.Qt.StrongFocus)
        target.setFocus()
        panel.host.process()
        for key, step in (("Key_PageUp", 1), ("Key_PageUp", 2), ("Key_PageDown", 1), ("Key_Home", 0)):
            QTest.keyClick(target, getattr(QtCore.Qt, key))
            panel.host.process()
            assert panel.editor.shown == panel.measurement.slice + step, (target, key)
    other.activateWindow()
    panel.host.process()
    QTest.keyClick(other, QtCore.Qt.Key_PageUp)
    assert panel.editor.shown == panel.measurement.slice
    panel.host.widget.exit()
    panel.view("Red").activateWindow()
    QTest.keyClick(panel.view("Red"), QtCore.Qt.Key_PageUp)
    assert panel.editor.shown == panel.measurement.slice
    other.close()


def test_paging_stops_at_the_ends(panel):
    panel.measure()
    for _ in range(len(panel.measurement.slices) + 2):
        panel.click(panel.ui.previousButton)
    assert panel.editor.shown == panel.measurement.slices[0].index


def test_interval_and_probability_are_shown_until_an_edit(panel):
    panel.measurement = dataclasses.replace(panel.measurement, interval_mm=(6.9, 10.1), p_over_5mm=0.97)
    panel.measure()
    assert panel.ui.intervalLabel.text == "(90 %: 6.9 to 10.1), P(>5 mm) 0.97" and panel.ui.intervalLabel.visible
    panel.drag("shifted", -6.0)
    assert not panel.ui.intervalLabel.visible


def test_a_right_shift_points_to_the_right(host):
    panel = PanelFixture(host, shift_mm=-12.3)
    panel.measure()
    assert panel.ui.shiftLabel.text == "12.3 mm  ← to the right"


def test_nothing_heavy_is_loaded_for_a_whole_review():
    """In a process of its own: the panel is opened and a result shown without torch."""
    import subprocess
    from pathlib import Path

    here = Path(__file__).parent
    code = (
        "import sys, tempfile; from pathlib import Path\n"
        f"sys.path[:0] = [{str(here)!r}, {str(here.parent / 'helpers')!r}]\n"
        "from host.application import Host; from panel_fixture import PanelFixture\n"
        "panel = PanelFixture(Host(Path(tempfile.mkdtemp()))); panel.measure()\n"
        "print(sorted({'torch', 'monai', 'matplotlib', 'skimage', 'nibabel'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=900)
    assert done.stdout.strip().endswith("[]"), done.stdout + done.stderr


def test_requirements_are_those_of_the_package(host):
    tomllib = pytest.importorskip("tomllib")
    from panel_fixture import MODULE

    wanted = tomllib.loads((MODULE.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    text = (MODULE.parent / "Resources" / "requirements.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    of_training = ("monai", "scikit-image")
    assert sorted(lines) == sorted(one for one in wanted["project"]["dependencies"] if not one.startswith(of_training))


def test_seconds_left(host):
    from MidlineShiftLib.services.child_run import ChildRun, Job, Listener

    now, said = [100.0], []
    runner = FakeRunner()
    run = ChildRun(runner, Listener(lambda *a: said.append(a), None), clock=lambda: now[0])
    panel = PanelFixture(host)
    run.start(panel.head, Job(["measure"], None, None))
    for done, total, seconds in ((0, 10, 101), (5, 10, 106), (0, 4, 107), (1, 4, 109)):
        now[0] = seconds
        runner.progress(done, total)
    assert [one[3] for one in said] == [None, 5.0, None, 6.0]
    run.cancel()
    panel.session.showProgress(1, 4, "reading slices", 6.0)
    assert panel.ui.statusLabel.text == "Reading slices: 1 of 4, about 6 s left"


@pytest.mark.parametrize("passed", [True, False])
def test_an_image_of_a_model_that_did_not_pass_is_called_experimental(host, passed):
    from MidlineShiftLib.services.models import ModelChoice
    from MidlineShiftLib.services.pseudo_healthy import aboutImage

    model = ModelChoice("one", "one 1", "", True, True, passed)
    assert ("Experimental" in aboutImage(None, model, "")) == (not passed)


def test_the_latest_scan_that_was_loaded_elsewhere_is_chosen_when_the_module_is_shown(panel):
    panel.host.widget.exit()
    panel.add_scan("Earlier")
    latest = panel.add_scan("Latest")
    labels = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "Labels")
    slicer.util.updateVolumeFromArray(labels, np.ones((3, 4, 5), np.int16))
    panel.host.process()
    assert panel.ui.inputSelector.currentNode() is None
    panel.host.widget.enter()
    assert panel.ui.inputSelector.currentNode() is latest


@pytest.mark.parametrize("answer", [True, False])
def test_nothing_of_a_reader_goes_unasked(panel, answer):
    """Neither by Remove, nor by a result that is loaded."""
    panel.choose_scan()
    path = panel.host.core.folder / "measurement.json"
    ours = dataclasses.replace(panel.measurement, input={"sha256": panel.session.ct.source["sha256"]})
    path.write_text(to_json(ours), encoding="utf-8")
    panel.dialogs.result = str(path)
    for button in (panel.ui.loadResultButton, panel.ui.removeButton):
        panel.measure()
        panel.drag("shifted", -6.0)
        edited, asked = panel.ui.shiftLabel.text, len(panel.dialogs.asked)
        panel.dialogs.yes = answer
        panel.click(button)
        panel.settle()
        assert len(panel.dialogs.asked) == asked + 1
        assert (panel.ui.shiftLabel.text == edited) == (not answer)
        panel.dialogs.yes = True


def test_a_remark_is_kept_with_the_acceptance(panel):
    panel.measure()
    panel.ui.readerEdit.text, panel.ui.reasonEdit.text = "Dr A", "looks right"
    panel.click(panel.ui.acceptButton)
    assert panel.editor.measurement.review.reason == "looks right"
    assert panel.ui.reviewLabel.text.endswith(": looks right")


def test_the_module_says_in_slicer_what_it_is_not_for(panel):
    for words in ("Research use only", "not a medical device", "not for diagnosis"):
        assert words in panel.host.module.parent.helpText
        assert words.lower() in panel.ui.researchLabel.text.lower()
