"""``measure --dicom`` and ``import-sr`` at the command: what is written, what is refused, what is never left behind."""

import json
import os
import resource
import subprocess
import sys

import pydicom
import pytest
from child_path import python_path
from dicom_case import PATIENT, coarse_head, differences, validate
from make_scans import write_dicom


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    return write_dicom(coarse_head(), tmp_path_factory.mktemp("scan") / "head ct", **PATIENT)


def tree(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_report_and_captures_beside_the_json_and_back(midlineshift, fake_pipeline, series, tmp_path):
    case = tmp_path / "out" / "head ct"
    done = midlineshift("measure", series, "--out", tmp_path / "out", "--dicom", "--json-lines")
    assert (done.code, done.err) == (0, "")
    text = (case / "measurement.json").read_text(encoding="utf-8")
    written = json.loads(text)
    captures = [f"capture/{number:03d}.dcm" for number in range(1, len(written["slices"]) + 2)]
    assert tree(case) == [*captures, "measurement.json", "overlay.png", "slices.png", "sr.dcm"]
    assert {"sr.dcm", "capture"} <= set(json.loads(done.out.splitlines()[-1])["files"])
    validate(pydicom.dcmread(case / "sr.dcm"), tmp_path / "copy.dcm")
    for said in (text, done.out):
        assert "Doe" not in said and PATIENT["PatientID"] not in said
    assert str(series.parent) not in text

    done = midlineshift("import-sr", case / "sr.dcm", "--out", tmp_path / "back")
    assert done.code == 0 and done.out.startswith("head ct  8.0 mm to the left") and "measurement.json" in done.out
    assert tree(tmp_path / "back") == ["head ct/measurement.json"]
    back = json.loads((tmp_path / "back" / "head ct" / "measurement.json").read_text(encoding="utf-8"))
    assert differences(written, back) == {}

    assert midlineshift("measure", series, "--out", tmp_path / "out").code == 0
    assert tree(case) == ["measurement.json", "overlay.png", "slices.png"], "our own older result is replaced"


def test_scan_that_is_not_dicom_is_one_sentence(midlineshift, fake_pipeline, scan, series, tmp_path):
    done = midlineshift("measure", scan, series, "--out", tmp_path / "out", "--dicom")
    assert done.code == 2
    assert "is not DICOM" in done.sentence and "measure it without --dicom" in done.sentence
    folders = [path.name for path in (tmp_path / "out").iterdir() if path.is_dir()]
    assert folders == ["head ct"], "the other case went on"


def test_refused_scan_has_a_report_that_says_so(midlineshift, fake_pipeline, tmp_path):
    short = write_dicom(coarse_head(), tmp_path / "short", indices=range(8, 12), **PATIENT)
    done = midlineshift("measure", short, "--out", tmp_path / "out", "--dicom")
    assert done.code == 3
    assert tree(tmp_path / "out" / "short") == ["measurement.json", "sr.dcm"]
    validate(pydicom.dcmread(tmp_path / "out" / "short" / "sr.dcm"), tmp_path / "copy.dcm")


def test_without_highdicom_it_is_said_before_anything_is_measured(
    midlineshift, fake_pipeline, series, tmp_path, monkeypatch
):
    monkeypatch.setattr("MidlineShiftLogic.reporting.dicom.write.find_spec", lambda name: None)
    done = midlineshift("measure", series, "--out", tmp_path / "out", "--dicom")
    assert done.code == 2 and "midlineshift[dicom]" in done.sentence and fake_pipeline == []
    assert midlineshift("measure", series, "--out", tmp_path / "out").code == 0


def test_measuring_imports_no_highdicom(series, tmp_path):
    code = (
        "import sys, synthetic_case\nsynthetic_case.install_fake_pipeline()\n"
        "from MidlineShiftLogic.cli.main import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit as end: code = end.code\n"
        "print(code, 'highdicom' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "measure", series, "--out", tmp_path / "out", "--quiet", "--device", "cpu"],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": python_path()},
    )  # fmt: skip
    assert done.stdout.split() == ["0", "False"], done.stderr


@pytest.mark.skipif(os.name != "posix", reason="limits the size of files as POSIX does")
@pytest.mark.parametrize("kilobytes", [1, 60, 400, 1000])
def test_disk_that_takes_no_more_leaves_nothing(series, tmp_path, kilobytes):
    """No file may grow beyond a size: the first to fail is the JSON, the report, a picture or a capture."""
    out = tmp_path / "out"
    code = (
        "import sys, synthetic_case\nsynthetic_case.install_fake_pipeline()\n"
        "from MidlineShiftLogic.cli.main import main\nmain(sys.argv[1:])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "measure", series, "--out", out, "--dicom", "--device", "cpu"],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": python_path()},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (kilobytes * 1024,) * 2),
    )  # fmt: skip
    assert done.returncode == 2, done
    (line,) = done.stderr.strip().splitlines()
    assert "Traceback" not in line and "so large" in line, line
    assert not out.exists()


def test_strangers_dicom_folder_called_capture_is_not_replaced(midlineshift, fake_pipeline, series, tmp_path):
    mine = tmp_path / "out" / "head ct" / "capture"
    mine.mkdir(parents=True)
    (mine / "001.dcm").write_bytes(b"mine")
    done = midlineshift("measure", series, "--out", tmp_path / "out", "--dicom")
    assert done.code == 2 and "choose another --out" in done.sentence
    assert (mine / "001.dcm").read_bytes() == b"mine"
    (mine.parent / "measurement.json").write_text("{}")
    (mine / "notes.txt").write_text("mine")
    assert midlineshift("measure", series, "--out", tmp_path / "out").code == 2


@pytest.mark.parametrize("kind", ["missing", "text", "image"])
def test_import_of_what_is_no_report_of_ours(midlineshift, series, tmp_path, kind):
    path = tmp_path / "a.dcm"
    if kind == "text":
        path.write_text("hello")
    if kind == "image":
        path = next(series.iterdir())
    done = midlineshift("import-sr", path, "--out", tmp_path / "out")
    assert done.code == 2 and done.out == "" and str(path) in done.sentence and "Traceback" not in done.err
    assert not (tmp_path / "out").exists()
