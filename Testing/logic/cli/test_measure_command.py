"""``midlineshift measure``: what it prints, what it writes and how it ends."""

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from child_path import python_path
from scan_files import save_nifti

import MidlineShiftLogic
from MidlineShiftLogic import exit_codes
from MidlineShiftLogic.errors import InputError, RefusedError
from MidlineShiftLogic.reporting.measurement_json import SCHEMA_FILE

FILES = ["measurement.json", "overlay.png", "slices.png"]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_measures_and_writes_the_case(midlineshift, fake_pipeline, scan, tmp_path):
    done = midlineshift("measure", scan, "--out", tmp_path / "out")
    assert done.code == 0 and done.err == ""
    (line,) = done.out.splitlines()
    assert line.startswith("head  8.0 mm to the left  slice ")
    assert str(tmp_path / "out" / "head" / "overlay.png") in line
    assert names(tmp_path / "out") == ["head"]
    assert names(tmp_path / "out" / "head") == FILES
    data = json.loads((tmp_path / "out" / "head" / "measurement.json").read_text(encoding="utf-8"))
    jsonschema.validate(data, json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))
    assert data["case"]["id"] == "head" and data["seconds"] > 0
    assert data["software"]["name"] == "midlineshift" and data["software"]["torch"]


def edited(data):
    data["slices"][0]["edited"] = True


def signed(data):
    time = "2026-01-01T00:00:00+00:00"
    data["review"] = {"decision": "accepted", "reader": "Ada Lovelace", "time": time, "reason": ""}


@pytest.mark.parametrize(
    ("work", "reported"), [(edited, "corrected by a reader"), (signed, "accepted by Ada Lovelace")]
)
def test_a_readers_work_is_not_replaced(midlineshift, fake_pipeline, scan, tmp_path, work, reported):
    command = ("measure", scan, "--out", tmp_path / "out")
    assert midlineshift(*command).code == 0
    file = tmp_path / "out" / "head" / "measurement.json"
    data = json.loads(file.read_text(encoding="utf-8"))
    work(data)
    file.write_text(json.dumps(data), encoding="utf-8")
    again = midlineshift(*command)
    assert again.code == 2 and reported in again.err and "--out" in again.err
    assert json.loads(file.read_text(encoding="utf-8")) == data and names(tmp_path / "out" / "head") == FILES


def test_says_how_sure_the_number_is(midlineshift, fake_pipeline, scan, tmp_path, monkeypatch):
    module = sys.modules["MidlineShiftLogic.inference.pipeline"]
    original = module.measure_ct

    def sure(*arguments, **options):
        measurement, dense = original(*arguments, **options)
        return replace(measurement, interval_mm=(6.9, 9.1), p_over_5mm=0.998), dense

    monkeypatch.setattr(module, "measure_ct", sure)
    done = midlineshift("measure", scan, "--out", tmp_path / "out")
    assert done.out.startswith("head  8.0 mm to the left (90 %: 6.9 to 9.1), P(>5 mm) >0.99  slice ")
    done = midlineshift("measure", scan, "--out", tmp_path / "out", "--json-lines", "--quiet")
    result = json.loads(done.out)
    assert (result["interval_mm"], result["p_over_5mm"]) == ([6.9, 9.1], 0.998)


def test_bad_case_does_not_stop_the_others(midlineshift, fake_pipeline, scan, tmp_path):
    done = midlineshift("measure", tmp_path / "missing.nii", scan, scan, "--out", tmp_path / "out")
    assert done.code == exit_codes.BAD_INPUT
    assert done.out.splitlines()[2].startswith("3 cases: 2 measured, 0 refused, 1 not measured")
    assert done.sentence.startswith("missing  error: ")
    assert names(tmp_path / "out") == [".results.csv.lock", "head", "head-2", "results.csv"]
    assert len(fake_pipeline) == 1, "the model is loaded once for all cases"


def test_model_is_not_loaded_for_a_wrong_path(midlineshift, fake_pipeline, tmp_path):
    midlineshift("measure", tmp_path / "missing.nii", "--out", tmp_path / "out")
    assert fake_pipeline == []


def test_quiet_says_nothing_of_success(midlineshift, fake_pipeline, scan, tmp_path):
    done = midlineshift("measure", scan, "--out", tmp_path, "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_json_lines(midlineshift, fake_pipeline, scan, tmp_path):
    done = midlineshift("measure", scan, tmp_path / "missing", "--out", tmp_path / "out", "--json-lines")
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert done.code == 2 and done.err == ""
    assert {line["type"] for line in lines} == {"status", "progress", "result", "error", "summary"}
    result = next(line for line in lines if line["type"] == "result")
    assert result["case"] == "head" and result["side"] == "left" and result["shift_mm"] == pytest.approx(8.0, abs=0.1)
    assert all(Path(path).is_file() for path in result["files"].values()) and sorted(result["files"]) == FILES
    last = [line for line in lines if line["type"] == "progress"][-1]
    assert last["done"] == last["total"]
    error = next(line for line in lines if line["type"] == "error")
    assert error["case"] == "missing" and error["exit_code"] == 2 and error["message"]


def test_quiet_json_lines_are_results_and_errors(midlineshift, fake_pipeline, scan, tmp_path):
    done = midlineshift("measure", scan, tmp_path / "missing", "--out", tmp_path / "out", "--json-lines", "--quiet")
    assert [json.loads(line)["type"] for line in done.out.splitlines()] == ["result", "error"]


def test_what_libraries_print_does_not_reach_a_program(midlineshift, fake_pipeline, scan, tmp_path, monkeypatch):
    module = sys.modules["MidlineShiftLogic.inference.pipeline"]
    original = module.measure_ct
    monkeypatch.setattr(module, "measure_ct", lambda *a, **k: (print("chatter"), original(*a, **k))[1])
    done = midlineshift("measure", scan, "--out", tmp_path / "out", "--json-lines")
    assert all(json.loads(line) for line in done.out.splitlines())
    assert "chatter" in done.err


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (RefusedError("No midline was found.", "no-midline"), 3, None),
        (InputError("The model folder is broken.", "model"), 2, "The model folder is broken."),
        (ValueError("operands could\nnot be broadcast"), 1, "Something went wrong inside midlineshift (ValueError"),
        (MemoryError(), 1, "too little free memory"),
        (ModuleNotFoundError("No module named 'torch'", name="torch"), 1, "'torch' is missing; install it"),
        (type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory"), 1, "choose --device cpu"),
        (OSError(5, "Input/output error", "x.png"), 1, "Input/output error: x.png"),
        (OSError(28, "No space left on device", "x.png"), 2, "Cannot write x.png: no space is left on its disk"),
        (OSError(27, "File too large"), 2, "Cannot write the results: files may not become so large"),
        (OSError(36, "File name too long", "x" * 300), 2, "the name is too long for its disk"),
    ],
)
def test_every_failure_is_one_sentence_and_its_code(
    midlineshift, fake_pipeline, scan, tmp_path, monkeypatch, error, code, sentence
):
    def fail(*_arguments, **_options):
        raise error

    monkeypatch.setattr(sys.modules["MidlineShiftLogic.inference.pipeline"], "measure_ct", fail)
    done = midlineshift("measure", scan, "--out", tmp_path / "out")
    assert done.code == code
    assert "Traceback" not in done.out + done.err
    if sentence:
        assert sentence in done.sentence and done.out == ""
        assert not (tmp_path / "out").exists()
    else:
        assert "refused, no-midline: No midline was found." in done.out
        assert names(tmp_path / "out" / "head") == ["measurement.json"]
        data = json.loads((tmp_path / "out" / "head" / "measurement.json").read_text(encoding="utf-8"))
        assert data["refused"] == {"code": "no-midline", "message": "No midline was found."}
        assert data["input"]["shape"] == [32, 256, 224]


def test_debug_shows_the_traceback(midlineshift, fake_pipeline, scan, tmp_path, monkeypatch):
    monkeypatch.delattr(sys.modules["MidlineShiftLogic.inference.pipeline"], "measure_ct")
    done = midlineshift("--debug", "measure", scan, "--out", tmp_path / "out")
    assert done.code == 1 and "Traceback" in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["in.nii"],
        ["in.nii", "--out", "{out}", "--spacing", "1,2"],
        ["in.nii", "--out", "{out}", "--spacing", "0,1,1"],
        ["in.nii", "--out", "{out}", "--spacing", "a,b,c"],
        ["in.nii", "--out", "{out}", "--device", "gpu"],
        ["in.nii", "--out", "{out}", "--device", "cuda:999"],
        ["in.nii", "--out", "{out}", "--no-such-option"],
        ["in.nii", "--out", "/proc/nowhere"],
    ],
)
def test_wrong_usage_is_reported(midlineshift, tmp_path, arguments):
    done = midlineshift("measure", *(part.format(out=tmp_path / "out") for part in arguments))
    assert done.code == 2 and done.out == ""
    assert "rror: " in done.err and "Traceback" not in done.err


@pytest.mark.parametrize(("codes", "worst"), [([0, 0], 0), ([0, 3], 3), ([3, 2, 0], 2), ([2, 1, 3], 1), ([], 0)])
def test_worst_exit_code(codes, worst):
    assert exit_codes.worst(codes) == worst


def test_scan_folder_beside_out_is_never_replaced(midlineshift, fake_pipeline, tmp_path, head_hu):
    series = tmp_path / "series"
    series.mkdir()
    (series / "notes.txt").write_text("mine")
    done = midlineshift("measure", series, "--out", tmp_path)
    assert done.code == 2 and "choose another --out" in done.sentence
    assert (series / "notes.txt").read_text() == "mine"


def test_same_numbers_from_python(fake_pipeline, scan):
    reported = []
    measurement = MidlineShiftLogic.measure(scan, device="cpu", progress=lambda *step: reported.append(step))
    assert measurement.side == "left" and measurement.case_id == "head"
    assert reported[-1][0] == reported[-1][1]


def test_python_call_returns_refusals_and_raises_input_errors(fake_pipeline, scan, tmp_path, monkeypatch):
    def refuse(*_arguments, **_options):
        raise RefusedError("No midline was found.", "no-midline")

    monkeypatch.setattr(sys.modules["MidlineShiftLogic.inference.pipeline"], "measure_ct", refuse)
    refused = MidlineShiftLogic.measure(scan, device="cpu")
    assert refused.refused == {"code": "no-midline", "message": "No midline was found."}
    assert refused.shift_mm is refused.side is refused.slice is None and refused.slices == ()
    assert refused.model["name"] == "fake" and refused.device == "cpu", "which model refused it"
    with pytest.raises(InputError):
        MidlineShiftLogic.measure(tmp_path / "missing.nii")


def test_a_scan_refused_before_the_model_was_opened_names_none(fake_pipeline, tmp_path, head_hu):
    refused = MidlineShiftLogic.measure(save_nifti(tmp_path / "thin.nii.gz", head_hu[:3]), device="cpu")
    assert refused.refused and refused.model == {}
    assert fake_pipeline == []


def test_help_is_quick_and_imports_nothing_heavy():
    code = (
        "import sys\nfrom MidlineShiftLogic.cli.main import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print([m for m in ('torch', 'numpy', 'scipy', 'matplotlib', 'nibabel') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "measure" in out and out.strip().endswith("[]")


def test_progress_bar_only_on_a_terminal(scan, tmp_path):
    """On a pseudo-terminal the bar is drawn on stderr; stdout holds the line alone."""
    code = (
        "import sys, synthetic_case\nsynthetic_case.install_fake_pipeline()\n"
        "from MidlineShiftLogic.cli.main import main\nmain(sys.argv[1:])"
    )
    terminal, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("4H", 24, 100, 0, 0))
    command = [sys.executable, "-c", code, "measure", str(scan), "--out", str(tmp_path / "out"), "--device", "cpu"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=end, env={**os.environ, "PYTHONPATH": python_path()}
    )
    os.close(end)
    shown = ""
    try:
        while part := os.read(terminal, 4096):
            shown += part.decode(errors="replace")
    except OSError:
        pass  # Linux ends a terminal's last reader so
    os.close(terminal)
    lines = process.communicate()[0].decode().splitlines()
    assert process.returncode == 0 and len(lines) == 1
    assert "head: measuring" in shown
