"""The real child process: measuring once for real, and ending with everything it started."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from panel_fixture import PanelFixture


def wait(host, done, seconds=300.0):
    end = time.monotonic() + seconds
    while not done() and time.monotonic() < end:
        host.process()
        time.sleep(0.02)
    assert done()


@pytest.mark.slow
def test_the_sample_is_measured_for_real(host):
    """Load, measure, read: the number of the shipped sample, with the panel's own runner."""
    panel = PanelFixture(host, fakes=False)
    panel.click(panel.ui.loadSampleButton)
    panel.ui.deviceSelector.currentIndex = 1
    said = set()
    panel.click(panel.ui.measureButton)
    wait(host, lambda: said.add(panel.ui.statusLabel.text) or panel.state.value == "idle", 900)
    assert panel.ui.shiftLabel.text.endswith("to the left →"), panel.ui.statusLabel.text
    assert any(" of " in text for text in said)
    measurement = panel.editor.measurement
    assert abs(measurement.signed_shift_mm - 8.85) < 2.0 and measurement.case_id == "sample_shifted"


@pytest.mark.skipif(os.name == "nt", reason="looks at POSIX processes")
def test_stop_ends_the_child_and_its_children(host, tmp_path):
    from MidlineShiftLib.services.process import ChildProcess

    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1800)'])\n"
        "print(child.pid, flush=True); child.wait()"
    )
    lines, ends = [], []
    runner = ChildProcess()
    runner.start([sys.executable, "-c", code], lines.append, ends.append, str(tmp_path))
    wait(host, lambda: lines)
    with pytest.raises(RuntimeError):
        runner.start([sys.executable, "-c", "0"], lines.append, ends.append, str(tmp_path))
    runner.stop()
    assert not runner.running

    def gone():
        try:
            state = Path(f"/proc/{lines[0]}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0]
        except FileNotFoundError:
            return True
        return state == "Z"

    wait(host, gone)
    for _ in range(10):
        host.process()
    assert ends == []


def test_lines_and_exit_code_arrive_in_order(host, tmp_path, monkeypatch):
    from MidlineShiftLib.services.process import ChildProcess

    started, start = [], subprocess.Popen

    def note(*arguments, **options):
        started.append(options)
        return start(*arguments, **options)

    monkeypatch.setattr(subprocess, "Popen", note)
    code = "import sys; print('é 1'); print('2', file=sys.stderr, flush=True); sys.exit(3)"
    lines, ends = [], []
    runner = ChildProcess()
    environment = dict(os.environ, PYTHONUTF8="1", PYTHONUNBUFFERED="1")
    runner.start([sys.executable, "-c", code], lines.append, ends.append, str(tmp_path), environment)
    wait(host, lambda: ends)
    assert lines == ["é 1", "2"] and ends == [3] and not runner.running
    assert started[0]["stdin"] == subprocess.DEVNULL, "a child that asks something must not wait for Slicer's terminal"


def test_temporary_files_are_removed(host):
    panel = PanelFixture(host)
    panel.measure()
    assert not Path(panel.runner.option("--out")).parent.exists()
