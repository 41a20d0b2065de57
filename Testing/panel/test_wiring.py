"""Every button, selector and toggle does something, and the panel survives what users and machines do to it."""

from __future__ import annotations

import dataclasses
import json
import sys
import types

import numpy as np
import pytest
import slicer
from bench import Bench, FakeRunner
from PySide6 import QtCore

from MidlineShiftLogic.models.locate import DEFAULT_MODEL, find_model


@pytest.fixture
def bench(host):
    return Bench(host)


def test_every_widget_that_can_be_used_is_listened_to(bench):
    """Buttons and selectors have a listener; toggles, numbers and texts belong to a parameter."""
    signals = {"QPushButton": "2clicked(bool)", "QComboBox": "2currentIndexChanged(int)"}
    seen = 0
    for name, widget in vars(bench.ui).items():
        kind = widget.className()
        if kind in signals and not name.startswith("qt_"):
            assert widget.receivers(signals[kind]) > 0, name
            seen += 1
        if kind in ("QCheckBox", "QDoubleSpinBox", "QLineEdit") and not name.startswith("qt_"):
            assert widget.property("SlicerParameterName"), name
            seen += 1
    assert seen > 30


def test_an_empty_panel_says_what_to_do(bench):
    assert bench.ui.scanLabel.text == "Choose or load a head CT."
    assert not bench.ui.measureButton.enabled and "scan" in bench.ui.measureButton.toolTip
    assert not bench.ui.reviewBox.visible and not bench.ui.sliceTable.visible
    assert "not a medical device" in bench.ui.researchLabel.text.lower()


def test_choosing_a_scan_windows_it_shows_it_and_checks_it(bench):
    volume = bench.add_scan()
    volume.GetDisplayNode().SetWindowLevel(2000, 400)
    bench.ui.inputSelector.setCurrentNode(volume)
    display = volume.GetDisplayNode()
    assert (display.GetWindow(), display.GetLevel()) == (80, 40)
    assert slicer.app.layoutManager().sliceViewNames() == ("Red",)
    assert bench.view().sliceLogic().GetSliceCompositeNode().GetBackgroundVolumeID() == volume.GetID()
    assert bench.ui.scanLabel.text.startswith("14 slices of 100 × 120, 1.70 × 1.70 × 6.0 mm.")
    assert bench.parameters.inputVolume is volume and bench.ui.measureButton.enabled


def test_a_volume_that_is_no_scan_says_so(bench):
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Empty")
    bench.ui.inputSelector.setCurrentNode(volume)
    assert "no voxels" in bench.ui.scanLabel.text and not bench.ui.measureButton.enabled


def test_a_windowed_export_is_told_before_measuring(bench):
    volume = bench.add_scan()
    slicer.util.updateVolumeFromArray(volume, np.clip(slicer.util.arrayFromVolume(volume), 0, 80))
    bench.ui.inputSelector.setCurrentNode(volume)
    assert "Cannot be measured" in bench.ui.scanLabel.text


def test_loading(bench, tmp_path):
    bench.dialogs.scan = ""
    bench.click(bench.ui.loadFileButton)
    assert bench.ui.inputSelector.currentNode() is None
    bench.dialogs.scan = str(tmp_path / "none.nii.gz")
    bench.click(bench.ui.loadFileButton)
    assert "cannot be read" in bench.ui.statusLabel.text
    bench.dialogs.scan = str(tmp_path / "image.dcm")
    bench.click(bench.ui.loadFileButton)
    assert "Load DICOM" in bench.ui.statusLabel.text
    import nibabel

    path = tmp_path / "scan é.nii.gz"
    nibabel.save(nibabel.Nifti1Image(bench.head.hu.transpose(2, 1, 0), np.diag([-1.7, -1.7, 6.0, 1])), path)
    bench.dialogs.scan = str(path)
    bench.click(bench.ui.loadFileButton)
    assert bench.ui.inputSelector.currentNode().GetName() == "scan é"
    bench.click(bench.ui.loadDicomButton)
    assert bench.host.selected == ["DICOM"]
    bench.click(bench.ui.loadSampleButton)
    assert bench.ui.inputSelector.currentNode().GetName() == "sample_shifted"
    assert "All checks passed" in bench.ui.scanLabel.text


def test_models_are_told_without_torch(bench, tmp_path):
    about = bench.ui.modelLabel.text
    assert bench.ui.modelSelector.currentText.startswith(DEFAULT_MODEL)
    description = json.loads((find_model() / "model.json").read_text(encoding="utf-8"))
    assert description["trained_on"] in about and "Mean error" in about and "phantoms" in about
    broken = tmp_path / "broken"
    broken.mkdir()
    bench.dialogs.folder = str(broken)
    bench.choose_scan()
    bench.click(bench.ui.modelFolderButton)
    assert "cannot be used" in bench.ui.modelSelector.currentText and not bench.ui.measureButton.enabled
    good = tmp_path / "my model"
    good.mkdir()
    description["name"] = "mine"
    (good / "model.json").write_text(json.dumps(description), encoding="utf-8")
    bench.dialogs.folder = str(good)
    bench.click(bench.ui.modelFolderButton)
    assert bench.ui.modelSelector.currentText.startswith("mine") and bench.parameters.model == str(good)
    bench.click(bench.ui.measureButton)
    assert bench.runner.option("--model") == str(good)
    bench.click(bench.ui.cancelButton)
    bench.ui.modelSelector.currentIndex = 0
    assert bench.parameters.model == DEFAULT_MODEL


def test_devices(bench):
    assert bench.probe_runner.started and bench.ui.deviceLabel.text.startswith("Looking")
    bench.probe_runner.line('{"torch": "2.8", "cuda": ["NVIDIA L4"], "mps": false}')
    bench.probe_runner.end(0)
    assert "NVIDIA L4" in bench.ui.deviceLabel.text
    bench.choose_scan()
    for index, device in enumerate(("auto", "cpu", "cuda", "mps")):
        bench.ui.deviceSelector.currentIndex = index
        bench.click(bench.ui.measureButton)
        assert bench.runner.option("--device") == device
        bench.click(bench.ui.cancelButton)


def test_what_is_missing_is_installed_only_when_the_user_agrees(bench):
    bench.choose_scan()
    bench.installer.lacking = ["torch>=2.2", "nibabel>=5.2"]
    bench.panel.enter()
    assert "torch>=2.2" in bench.ui.missingLabel.text and not bench.ui.measureButton.enabled
    assert "Install" in bench.ui.measureButton.toolTip
    bench.dialogs.yes = False
    bench.click(bench.ui.installButton)
    assert "torch>=2.2" in bench.dialogs.asked[-1] and not bench.installer.installs
    bench.dialogs.yes = True
    bench.click(bench.ui.installButton)
    assert bench.panel.state.value == "installing" and not bench.ui.installButton.enabled
    bench.installer.log("Collecting torch")
    assert "Collecting torch" in bench.ui.installLog.plainText and bench.ui.installLog.visible
    bench.installer.end("Installing torch failed; the log above says why.")
    assert "failed" in bench.ui.statusLabel.text and bench.ui.installButton.enabled
    bench.dialogs.folder = "/wheels here"
    bench.click(bench.ui.installWheelsButton)
    assert bench.installer.installs == ["", "/wheels here"]
    bench.installer.lacking = []
    bench.installer.end("")
    assert not bench.ui.missingLabel.visible and not bench.ui.installButton.visible and bench.ui.measureButton.enabled


def test_an_error_is_one_sentence_with_details(bench):
    bench.choose_scan()
    bench.click(bench.ui.measureButton)
    bench.runner.line("UserWarning: something odd")
    bench.runner.line('{"type": "error", "message": "The GPU has too little free memory.", "code": "memory"}')
    bench.runner.end(1)
    assert bench.ui.statusLabel.text == "The GPU has too little free memory."
    assert bench.ui.detailsButton.visible and not bench.ui.detailsText.visible
    bench.click(bench.ui.detailsButton)
    assert bench.ui.detailsText.visible and "something odd" in bench.ui.detailsText.plainText
    assert "Exit code 1" in bench.ui.detailsText.plainText
    bench.click(bench.ui.detailsButton)
    assert not bench.ui.detailsText.visible
    bench.measure()
    assert not bench.ui.detailsButton.visible


@pytest.mark.parametrize(
    "lines, code, sentence",
    [
        (["Error: The Python package 'torch' is missing; install it."], 1, "The Python package 'torch' is missing"),
        (["Segmentation fault"], -11, "The work stopped unexpectedly (exit code -11)."),
        (['{"type": "result", "refused": {"code": "x", "message": "No head."}, "folder": "/no"}'], 3, "No head."),
        (['{"type": "result", "refused": null, "folder": "/no such folder"}'], 0, "No such file"),
    ],
)
def test_every_bad_end_leaves_the_scene_and_says_why(bench, lines, code, sentence):
    bench.choose_scan()
    before = bench.host.core.node_ids()
    bench.click(bench.ui.measureButton)
    for line in lines:
        bench.runner.line(line)
    bench.runner.end(code)
    assert sentence in bench.ui.statusLabel.text and bench.panel.state.value == "idle"
    assert bench.host.core.node_ids() == before and bench.ui.measureButton.enabled


def test_a_child_that_cannot_be_started(bench, monkeypatch):
    bench.choose_scan()

    def fail(*_):
        raise FileNotFoundError("no PythonSlicer")

    monkeypatch.setattr(bench.runner, "start", fail)
    bench.click(bench.ui.measureButton)
    assert "could not be started" in bench.ui.statusLabel.text and bench.panel.state.value == "idle"


def test_removing_the_scan_during_a_run_cancels_it(bench):
    bench.choose_scan()
    bench.click(bench.ui.measureButton)
    slicer.mrmlScene.RemoveNode(bench.volume)
    bench.host.process()
    assert bench.runner.stops and bench.panel.state.value == "idle"
    bench.runner.finish(bench.measurement, bench.dense)
    assert bench.panel.review.nodes is None


def test_choosing_another_scan_during_a_run_cancels_it(bench):
    bench.choose_scan()
    bench.click(bench.ui.measureButton)
    bench.ui.inputSelector.setCurrentNode(bench.add_scan("Other"))
    assert bench.runner.stops and bench.panel.state.value == "idle"


def test_each_scan_keeps_its_measurement(bench):
    bench.measure()
    other = bench.add_scan("Other")
    bench.ui.inputSelector.setCurrentNode(other)
    assert bench.ui.shiftLabel.text == "–"
    bench.ui.inputSelector.setCurrentNode(bench.volume)
    assert bench.ui.shiftLabel.text == "8.0 mm  to the left →"


def test_measuring_again_asks_before_a_readers_work_is_replaced(bench):
    bench.measure()
    bench.measure()
    assert not bench.dialogs.asked
    bench.drag("shifted", -6.0)
    edited = bench.ui.shiftLabel.text
    bench.dialogs.yes = False
    runs = len(bench.runner.started)
    bench.click(bench.ui.measureButton)
    assert len(bench.runner.started) == runs and bench.ui.shiftLabel.text == edited
    bench.dialogs.yes = True
    bench.measure()
    assert bench.ui.shiftLabel.text == "8.0 mm  to the left →"
    from MidlineShiftLogic import scene

    assert len(scene.find_all(slicer.mrmlScene)) == 1


def test_every_landmark_can_be_dragged(bench):
    bench.measure()
    for name in ("anterior_falx", "posterior_falx", "ideal", "shifted"):
        before = bench.panel.review.nodes.shown_slice.signed_shift_mm
        bench.drag(name, 5.0)
        assert abs(bench.panel.review.nodes.shown_slice.signed_shift_mm - before) > 0.5, name
        bench.click(bench.ui.restoreAllButton)


def test_layouts(bench):
    bench.measure()
    manager = slicer.app.layoutManager()
    assert manager.sliceViewNames() == ("Red", "MidlineShiftNormal", "MidlineShiftMoved")
    assert all(
        manager.sliceWidget(name).sliceLogic().GetSliceCompositeNode().GetLinkedControl()
        for name in manager.sliceViewNames()
    )
    bench.click(bench.ui.scanLayoutButton)
    assert manager.sliceViewNames() == ("Red",) and bench.ui.sliceLabel.text == f"Slice {bench.measurement.slice}"
    bench.click(bench.ui.reviewLayoutButton)
    assert len(manager.sliceViewNames()) == 3


def test_keys_page_through_the_slices(bench):
    from PySide6.QtTest import QTest

    bench.measure()
    window = bench.host.window
    window.activateWindow()
    bench.host.process()
    for key, step in (("Key_PageUp", 1), ("Key_PageUp", 2), ("Key_PageDown", 1), ("Key_Home", 0)):
        QTest.keyClick(window, getattr(QtCore.Qt, key))
        bench.host.process()
        assert bench.panel.review.shown == bench.measurement.slice + step
    bench.host.widget.exit()
    QTest.keyClick(window, QtCore.Qt.Key_PageUp)
    assert bench.panel.review.shown == bench.measurement.slice


def test_paging_stops_at_the_ends(bench):
    bench.measure()
    for _ in range(len(bench.measurement.slices) + 2):
        bench.click(bench.ui.previousButton)
    assert bench.panel.review.shown == bench.measurement.slices[0].index


def test_interval_and_probability_are_shown_until_an_edit(bench):
    bench.measurement = dataclasses.replace(bench.measurement, interval_mm=(6.9, 10.1), p_over_5mm=0.97)
    bench.measure()
    case = f"slice {bench.measurement.slice}"
    assert bench.ui.intervalLabel.text == f"{case}, (90 %: 6.9 to 10.1), P(>5 mm) 0.97"
    bench.drag("shifted", -6.0)
    assert bench.ui.intervalLabel.text == f"{case}, 1 slice edited by a reader"


def test_a_right_shift_points_to_the_right(host):
    bench = Bench(host, shift_mm=-12.3)
    bench.measure()
    assert bench.ui.shiftLabel.text == "12.3 mm  ← to the right"


def test_nothing_heavy_is_loaded_for_a_whole_review():
    """In a process of its own: the panel is opened and a result shown without torch."""
    import subprocess
    from pathlib import Path

    here = Path(__file__).parent
    code = (
        "import sys, tempfile; from pathlib import Path\n"
        f"sys.path[:0] = [{str(here)!r}, {str(here.parent / 'helpers')!r}]\n"
        "from host.application import Host; from bench import Bench\n"
        "bench = Bench(Host(Path(tempfile.mkdtemp()))); bench.measure()\n"
        "print(sorted({'torch', 'monai', 'matplotlib', 'skimage', 'nibabel'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip().endswith("[]"), done.stdout + done.stderr


def test_installer_asks_packaging_and_pytorch(host, monkeypatch, tmp_path):
    from MidlineShiftLib import installer as module

    requirements = tmp_path / "requirements.txt"
    requirements.write_text("# comment\ntorch>=2.2\nnibabel>=5\nno-such-package>=1  # why\n", encoding="utf-8")
    one = module.SlicerInstaller(str(requirements))
    assert one.missing() == ["no-such-package>=1"]
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    assert one.missing() == ["torch>=2.2", "no-such-package>=1"]
    log, ends = [], []
    monkeypatch.setitem(sys.modules, "PyTorchUtils", None)
    one.install(log.append, ends.append)
    assert "PyTorch extension" in ends[-1] and not slicer.packaging.installed
    one.install(log.append, ends.append, "/my wheels")
    assert slicer.packaging.installed == [
        ["--no-index", "--find-links", "/my wheels", "torch>=2.2", "no-such-package>=1"]
    ]
    assert ends[-1] == "" and "Collecting no-such-package>=1" in log
    slicer.packaging.code = 1
    one.install(log.append, ends.append, "/my wheels")
    assert "/my wheels" in ends[-1]
    calls = []
    utils = types.SimpleNamespace(installTorch=lambda **options: calls.append(options))
    monkeypatch.setitem(sys.modules, "PyTorchUtils", types.SimpleNamespace(PyTorchUtilsLogic=lambda: utils))
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None if not calls else object())
    slicer.packaging.code = 0
    one.install(log.append, ends.append)
    assert calls == [{"askConfirmation": False, "torchVersionRequirement": ">=2.2"}]
    assert slicer.packaging.installed[-1] == ["no-such-package>=1"] and ends[-1] == ""


def test_requirements_are_those_of_the_package(host):
    tomllib = pytest.importorskip("tomllib")
    from bench import MODULE

    wanted = tomllib.loads((MODULE.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    text = (MODULE.parent / "Resources" / "requirements.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert sorted(lines) == sorted(wanted["project"]["dependencies"])


def test_seconds_left(host):
    from MidlineShiftLib.childrun import ChildRun, Job, Listener

    now, said = [100.0], []
    runner = FakeRunner()
    run = ChildRun(runner, Listener(lambda *a: said.append(a), None), clock=lambda: now[0])
    bench = Bench(host)
    run.start(bench.head, Job(["measure"], None, None))
    for done, total, seconds in ((0, 10, 101), (5, 10, 106), (0, 4, 107), (1, 4, 109)):
        now[0] = seconds
        runner.progress(done, total)
    assert [one[3] for one in said] == [None, 5.0, None, 6.0]
    run.cancel()
