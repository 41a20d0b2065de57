"""What newcomers type first: the Python calls of the documentation, and the end of ``make demo``."""

import json
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SAMPLES = ROOT / "Resources" / "SampleScans"
COMPARE = SAMPLES / "compare_with_truth.py"


def test_python_calls_of_the_page_run(tmp_path, monkeypatch, capsys):
    text = (ROOT / "docs" / "getting-started" / "python.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.S)
    assert len(blocks) >= 3
    shutil.copyfile(SAMPLES / "sample_shifted.nii.gz", tmp_path / "head.nii.gz")
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for block in blocks:
        exec(compile(block, "python.md", "exec"), names)
    assert names["measurement"].side == "left"
    assert re.search(r"^8\.\d+ left \d+$", capsys.readouterr().out, re.M)


def write_results(folder: Path, shifts: dict[str, float | None]) -> Path:
    for name, shift in shifts.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "measurement.json").write_text(json.dumps({"case": {"signed_shift_mm": shift}}))
    return folder


@pytest.mark.parametrize(
    "shifted, unshifted, code",
    [(8.7, 0.1, 0), (-8.7, 0.1, 1), (8.7, 1.4, 1), (None, 0.1, 1)],
)
def test_the_demo_says_whether_the_samples_were_measured_rightly(tmp_path, shifted, unshifted, code):
    folder = write_results(tmp_path / "out", {"sample_shifted": shifted, "sample_unshifted": unshifted})
    done = subprocess.run([sys.executable, str(COMPARE), str(folder)], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert ("WRONG" in done.stdout) == bool(code)
    assert str(folder / "sample_shifted" / "report.html") in done.stdout


def test_sides_are_named_as_in_the_results():
    in_words = runpy.run_path(str(COMPARE))["in_words"]
    assert in_words(8.7) == "8.7 mm to the left"
    assert in_words(-3.04) == "3.0 mm to the right"
    assert in_words(0.4) == "0.4 mm"
