"""The benchmark runs and fills its table. No time is asked for: those of a test run say nothing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import gpu
import table
from authors import slices_of_theirs
from click.testing import CliRunner
from contention import busy_processes
from other_device import DEVICE, OtherDevice
from scans import bench_scan, write_nifti

RUN = Path(__file__).parent / "run.py"
DOCUMENT = Path(__file__).parents[2] / "docs" / "explanation" / "speed.md"


@pytest.mark.slow
def test_short_form(tmp_path):
    done = subprocess.run(
        [sys.executable, RUN, "--short", "--json", tmp_path / "figures.json"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert table.markdown(figures) in done.stdout and "Short form" in done.stdout
    assert figures["arithmetic"]["authors_denoiser_gflop"] == pytest.approx(563, abs=1)
    # what is promised of the arithmetic does not depend on the machine
    assert figures["arithmetic"]["ratio"] > 25
    assert figures["pair"]["ratio"] > 0
    # memory does not grow with the cases: two more may not cost a fifth of the first (4 to 12 % is what allocators keep)
    (three,) = figures["cases"]
    assert three["peak_mb"] < 1.2 * figures["processes"]["one case, NIfTI"]["peak_mb"]


def test_theirs_are_slices_8_to_depth_minus_5():
    assert [slices_of_theirs(n) for n in (30, 14, 9)] == [17, 1, 1]


def test_table_goes_between_the_markers_and_nowhere_else(tmp_path):
    document = tmp_path / "R.md"
    document.write_text(f"before\n{table.START}\nold\n{table.END}\nafter\n", encoding="utf-8")
    table.put_into(document, "new")
    assert document.read_text(encoding="utf-8") == f"before\n{table.START}\nnew\n{table.END}\nafter\n"
    document.write_text("without", encoding="utf-8")
    with pytest.raises(ValueError, match="once each"):
        table.put_into(document, "new")


def test_the_page_on_speed_has_room_for_the_table():
    text = DOCUMENT.read_text(encoding="utf-8")
    assert text.count(table.START) == text.count(table.END) == 1


def test_the_gpu_command_says_that_there_is_none(monkeypatch):
    monkeypatch.setattr(gpu.torch.cuda, "is_available", lambda: False)
    done = CliRunner().invoke(gpu.main, [])
    assert done.exit_code == 1 and "No CUDA GPU" in done.output


@pytest.mark.slow
def test_the_gpu_command_compares_with_the_cpu(tmp_path):
    """With the stand-in for a device, on a sample of few slices; a shift that differs is reported."""
    scan = write_nifti(bench_scan(14, 112), tmp_path / "scan.nii")
    with OtherDevice():
        rows = gpu.compare([scan], DEVICE)
    *scans, picture = rows.values()
    assert len(scans) == 2 and all(row["equal"] and row["device"] == DEVICE for row in scans), rows  # none refused
    assert picture["equal"]


def test_busy_processes_end():
    with busy_processes(1):
        pass
