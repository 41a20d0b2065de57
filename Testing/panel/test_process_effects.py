"""What the panel does outside of its widgets: the child's command and environment, saved layouts, closing, reloading."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import slicer
from panel_fixture import PanelFixture

HERE = Path(__file__).parent
REVIEW = ("Red", "MidlineShiftNormal", "MidlineShiftMoved")


@pytest.fixture
def panel(host):
    return PanelFixture(host)


# ---- the child


def test_the_child_runs_slicers_python_in_the_packages_folder_with_slicers_environment(panel, monkeypatch):
    startup = {"PATH": "/slicer/bin", "HTTPS_PROXY": "http://proxy", "OMP_WAIT_POLICY": "ACTIVE"}
    monkeypatch.setattr(slicer.util, "startupEnvironment", lambda: dict(startup))
    monkeypatch.setenv("PYTHONPATH", "/of/this/process")
    panel.choose_scan()
    panel.click(panel.ui.measureButton)
    environment = panel.runner.environment
    assert environment == {**startup, "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}, "a user's own setting wins"
    assert (Path(panel.runner.cwd) / "MidlineShiftLogic" / "__main__.py").is_file()
    command = panel.runner.started[-1]
    assert Path(command[0]).is_file() and command[1:4] == ["-m", "MidlineShiftLogic", "measure"]
    assert command[4].endswith("scan.npz") and Path(command[4]).is_file()
    panel.click(panel.ui.cancelButton)
    startup.pop("OMP_WAIT_POLICY")
    panel.click(panel.ui.measureButton)
    assert panel.runner.environment.get("OMP_WAIT_POLICY") == "PASSIVE"
    folder = Path(panel.runner.started[-1][4]).parent
    panel.click(panel.ui.cancelButton)
    assert not folder.exists()


@pytest.mark.skipif(os.name == "nt", reason="makes a POSIX executable")
def test_the_child_is_slicers_python_and_not_the_application(tmp_path, host, monkeypatch):
    """In the application ``sys.executable`` may be Slicer itself: started for a child, it would open a second window."""
    from MidlineShiftLib.services.process import pythonExecutable

    python = tmp_path / "PythonSlicer"
    python.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert pythonExecutable() == str(python)


def test_devices_are_asked_in_the_same_environment(panel):
    assert panel.probe_runner.started[-1][1:] == ["-m", "MidlineShiftLogic.device"]
    assert panel.probe_runner.environment["PYTHONUTF8"] == "1"
    assert (Path(panel.probe_runner.cwd) / "MidlineShiftLogic" / "device.py").is_file()


def test_exporting_can_be_cancelled_and_leaves_nothing(panel):
    panel.measure()
    panel.dialogs.folder = str(panel.host.core.folder / "out")
    panel.click(panel.ui.exportButton)
    assert panel.state.value == "exporting" and panel.ui.exportCancelButton.visible
    assert not panel.ui.measureButton.enabled and not panel.ui.exportButton.enabled
    panel.runner.progress(2, 5)
    assert panel.ui.exportProgressBar.value == 2 and "2 of 5" in panel.ui.exportLabel.text
    panel.click(panel.ui.exportCancelButton)
    assert panel.state.value == "idle" and panel.runner.stops
    panel.runner.work()
    assert not list((panel.host.core.folder / "out").iterdir()), "a late end is void"


def test_showing_a_result_is_done_bit_by_bit_and_can_be_cancelled(panel):
    panel.choose_scan()
    before = panel.host.core.node_ids()
    panel.click(panel.ui.measureButton)
    panel.runner.finish(panel.measurement, panel.dense)
    assert panel.state.value == "showing" and panel.ui.cancelButton.enabled and not panel.ui.measureButton.enabled
    work = panel.session.others.steps
    for _ in range(3):
        next(work._steps)  # by hand: what a timer does until the mouse is there depends on the machine
    assert panel.host.core.node_ids() - before, "in the middle of it"
    panel.ui.cancelButton.click()
    assert panel.state.value == "idle" and panel.editor.nodes is None
    left = panel.host.core.node_ids() - before
    assert not left, left


# ---- layouts

SAVE = """
import sys, tempfile; from pathlib import Path
sys.path[:0] = [{here!r}, {helpers!r}]
from host.application import Host; from panel_fixture import PanelFixture
panel = PanelFixture(Host(Path(tempfile.mkdtemp()))); panel.measure(); panel.host.core.save(Path({file!r}))
"""


@pytest.fixture(scope="module")
def saved_side_by_side(tmp_path_factory) -> Path:
    """A scene with a measurement, saved by another process while its three views were shown."""
    file = tmp_path_factory.mktemp("saved") / "side by side.mrb"
    code = SAVE.format(here=str(HERE), helpers=str(HERE.parent / "helpers"), file=str(file))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=900)
    assert file.is_file(), done.stderr
    return file


@pytest.mark.parametrize("opened_first", [True, False])
def test_a_scene_saved_side_by_side_opens_in_another_process(host, saved_side_by_side, opened_first):
    """A scene keeps only the number of its layout; the views must be there whether the module was opened before or not."""
    file = saved_side_by_side
    manager = slicer.app.layoutManager()
    if not opened_first:
        host.core.load(file)  # before the module even registered its layout
        assert manager.sliceViewNames() == ()
    panel = PanelFixture(host)
    if opened_first:
        host.core.load(file)
    host.process()
    assert manager.layout == 23409 and manager.sliceViewNames() == REVIEW
    assert all(manager.sliceWidget(name) is not None for name in REVIEW)
    assert panel.ui.shiftLabel.text == "8.0 mm  to the left →"
    panel.click(panel.ui.scanLayoutButton)
    panel.click(panel.ui.reviewLayoutButton)
    assert manager.sliceViewNames() == REVIEW
    panel.volume = panel.parameters.inputVolume
    panel.drag("shifted", -6.0)
    assert float(panel.ui.shiftLabel.text.split()[0]) > 11


def test_a_view_that_no_layout_made_is_left_out(panel, monkeypatch):
    panel.measure()
    manager = slicer.app.layoutManager()
    real = manager.sliceWidget
    monkeypatch.setattr(manager, "sliceWidget", lambda name: None if name == "MidlineShiftMoved" else real(name))
    panel.click(panel.ui.scanLayoutButton)
    panel.click(panel.ui.reviewLayoutButton)
    assert "Not every view" in panel.ui.editMessageLabel.text and panel.ui.editMessageLabel.visible
    panel.click(panel.ui.nextButton)
    assert panel.editor.shown == panel.measurement.slice + 1


def test_without_a_main_window_measuring_works(host, monkeypatch):
    monkeypatch.setattr(slicer.app, "layoutManager", lambda: None)
    panel = PanelFixture(host)
    panel.measure()
    assert panel.ui.shiftLabel.text == "8.0 mm  to the left →"


# ---- closing and reloading


def test_closing_ends_everything(panel):
    panel.measure()
    view = panel.view()
    assert view.texts() and view.colour_bar() is None
    panel.click(panel.ui.measureButton)
    folder = Path(panel.runner.started[-1][4]).parent
    assert folder.exists()
    number, stops, probes = panel.editor.nodes.measurement.signed_shift_mm, panel.runner.stops, panel.probe_runner.stops
    nodes = panel.editor.nodes
    panel.host.widget.cleanup()
    assert panel.runner.stops == stops + 1 and panel.probe_runner.stops > probes and not folder.exists()
    for name in REVIEW:
        assert not panel.view(name).texts() and panel.view(name).colour_bar() is None, name
    said = panel.ui.shiftLabel.text
    panel.parameters.showGrid = True
    assert not panel.ui.gridCheckBox.checked, "the widgets follow the parameters no longer"
    moved = np.array(nodes.landmarks.GetNthControlPointPositionWorld(2)) + np.array([-5.0, 0, 0])
    nodes.landmarks.SetNthControlPointPositionWorld(2, *moved)
    panel.add_scan("Late")
    slicer.mrmlScene.Clear()
    panel.host.process()
    assert panel.ui.shiftLabel.text == said and number == pytest.approx(8.0, abs=0.05)
    panel.runner.finish(panel.measurement, panel.dense)
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLTextNode") == 0
    panel.host.widget = None


def test_closing_ends_the_showing_of_a_result(panel):
    panel.choose_scan()
    panel.click(panel.ui.measureButton)
    panel.runner.finish(panel.measurement, panel.dense)
    assert panel.state.value == "showing"
    before = panel.host.core.node_ids()
    panel.host.widget.cleanup()
    for _ in range(200):
        panel.host.process()
    assert panel.host.core.node_ids() <= before and panel.editor.nodes is None
    panel.host.widget = None


def test_another_module_has_its_keys_and_views(panel):
    panel.measure()
    panel.host.widget.exit()
    assert not any(panel.view(name).texts() for name in REVIEW)
    panel.add_scan("Arrived meanwhile")
    panel.host.process()
    assert panel.ui.inputSelector.currentNode() is panel.volume, "nothing is chosen behind the user's back"
    panel.host.widget.enter()
    panel.host.process()
    assert panel.view().texts()


def test_reload_loads_every_file_anew(panel, monkeypatch):
    reloaded = []
    monkeypatch.setattr(slicer.util, "reloadScriptedModule", reloaded.append, raising=False)
    before = {
        name: module
        for name, module in sys.modules.items()
        if name.startswith(("MidlineShiftLib", "MidlineShiftLogic"))
    }
    assert "MidlineShiftLib.views.plot" in before
    try:
        panel.host.widget.onReload()
        assert reloaded == ["MidlineShift"]
        assert not [name for name in before if name in sys.modules]
    finally:
        sys.modules.update(before)


def test_the_start_makes_samples_and_layout_known(host):
    from host.fakes import SampleDataLogic

    PanelFixture(host)
    uris, _, checksum = SampleDataLogic.sources["MidlineShiftSample"]
    assert uris.endswith("sample_shifted.nii.gz") and checksum.startswith("SHA256:") and len(checksum) == 71
    assert slicer.app.layoutManager().layoutLogic().GetLayoutNode().IsLayoutDescription(23409)


@pytest.mark.parametrize("fault", ["checksum", "unknown"])
def test_a_sample_that_cannot_be_loaded_is_one_sentence(panel, fault):
    from host.fakes import SampleDataLogic

    if fault == "unknown":
        SampleDataLogic.sources.clear()
    else:
        uris, name, _ = SampleDataLogic.sources["MidlineShiftSample"]
        SampleDataLogic.sources["MidlineShiftSample"] = (uris, name, "SHA256:0")
    panel.click(panel.ui.loadSampleButton)
    assert panel.ui.scanMessageLabel.text.startswith("The sample scan could not be loaded")
    assert panel.ui.scanMessageLabel.visible and panel.ui.inputSelector.currentNode() is None


def test_slicers_self_test_ends_in_time(panel, monkeypatch):
    module = sys.modules["MidlineShift"]
    monkeypatch.setattr(module, "SELF_TEST_SECONDS", 0.2)
    monkeypatch.setattr(slicer.util, "selectModule", lambda name: None)
    test = module.MidlineShiftTest("test_sampleScan")
    with pytest.raises(AssertionError, match="too long"):
        test.runTest()
    panel.click(panel.ui.cancelButton)


@pytest.mark.skipif(os.name == "nt", reason="looks at POSIX processes")
def test_scripts_measure_and_export_without_the_panel(host, monkeypatch):
    from MidlineShiftLib import scripting
    from panel_fixture import FakeRunner

    panel = PanelFixture(host, shift_mm=-8.0)
    volume = panel.add_scan()
    runner = FakeRunner()

    def start(*arguments):
        FakeRunner.start(runner, *arguments)
        if "measure" in runner.started[-1]:
            runner.finish(panel.measurement, panel.dense)
        else:
            runner.work()

    monkeypatch.setattr(runner, "start", start)
    monkeypatch.setattr(scripting, "ChildProcess", lambda: runner)
    logic = panel.host.widget.logic
    result = logic.measure(volume, device="cpu")
    assert result.measurement.signed_shift_mm == pytest.approx(-8.0, abs=0.05) and result.volume is volume
    assert runner.option("--device") == "cpu"
    folder = logic.exportResult(volume, host.core.folder / "out")
    assert folder == host.core.folder / "out" / "CT" and (folder / "report.html").is_file()
    with pytest.raises(RuntimeError, match="was not measured"):
        logic.exportResult(panel.add_scan("Other"), host.core.folder / "out")

    def fail(command, line, end, *others):
        line('{"type": "error", "message": "No head."}')
        end(3)

    monkeypatch.setattr(runner, "start", fail)
    with pytest.raises(RuntimeError, match="No head"):
        logic.measure(volume)
    monkeypatch.setattr(runner, "start", lambda *arguments: None)
    with pytest.raises(RuntimeError, match="longer than"):
        logic.measure(volume, timeoutSeconds=0.1)
    empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Empty")
    with pytest.raises(RuntimeError, match="no voxels"):
        logic.measure(empty)
