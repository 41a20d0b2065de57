"""What Slicer pays at its start and when the panel is opened, counted in modules: time on a test machine says nothing."""

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
CODE = """
import importlib.util, json, sys, tempfile
from pathlib import Path
sys.path[:0] = [{here!r}, {helpers!r}]
from host.application import Host
import panel_fixture
host = Host(Path(tempfile.mkdtemp()))
before = set(sys.modules)
spec = importlib.util.spec_from_file_location("MidlineShiftAtStart", panel_fixture.MODULE)
spec.loader.exec_module(importlib.util.module_from_spec(spec))
at_start = sorted(set(sys.modules) - before)
before = set(sys.modules)
panel_fixture.PanelFixture(host).choose_scan()
print(json.dumps([at_start, sorted(set(sys.modules) - before)]))
"""
HEAVY = {"torch", "matplotlib", "nibabel", "pydicom", "SimpleITK", "skimage", "pandas", "PIL"}


def test_start_and_opening_import_next_to_nothing():
    code = CODE.format(here=str(HERE), helpers=str(HERE.parent / "helpers"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    at_start, opened = json.loads(done.stdout.splitlines()[-1])
    # Slicer imports every module's file when it starts, whether anybody opens it or not
    assert at_start == []
    roots = {name.partition(".")[0] for name in opened}
    assert "MidlineShiftLib" in roots and not roots & HEAVY
    others = [name for name in opened if not name.startswith(("MidlineShift", "scipy", "numpy"))]
    assert len(others) < 60, others
