"""Whatever the measuring process does, the listener gets one answer and goes on."""

import subprocess
import sys
import threading

import pytest

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.pacs import measuring
from MidlineShiftLogic.pacs.measuring import ChildMeasurer, MeasurementFailed, Outcome, Stopped


@pytest.fixture
def child(monkeypatch, tmp_path):
    """Runs a line of Python in the place of the measurement: ``child(code, seconds=..., stop=...)``."""

    def run(code, seconds=300.0, stop=None):
        real = subprocess.Popen
        monkeypatch.setattr(
            measuring.subprocess, "Popen", lambda command, **options: real([sys.executable, "-c", code], **options)
        )
        return ChildMeasurer(seconds=seconds).measure(tmp_path, tmp_path, stop or threading.Event())

    return run


def says(line, code):
    """The line, among others that are not the answer."""
    other = {"type": "summary", "case": ""}
    return (
        f"import json, sys; print('a library talks'); print(json.dumps({line!r})); print(json.dumps({other!r})); "
        f"sys.exit({code})"
    )


def test_measured(child, tmp_path):
    (tmp_path / "case" / "capture").mkdir(parents=True)
    (tmp_path / "case" / "sr.dcm").touch()
    for number in (2, 1):
        (tmp_path / "case" / "capture" / f"{number:03d}.dcm").touch()
    outcome = child(says({"type": "result", "folder": str(tmp_path / "case"), "refused": None}, 0))
    assert [path.name for path in outcome.files] == ["sr.dcm", "001.dcm", "002.dcm"] and not outcome.refused


def test_refused(child, tmp_path):
    refused = {"code": "no-head", "message": "No head was found."}
    outcome = child(says({"type": "result", "folder": str(tmp_path), "refused": refused}, 3))
    assert outcome.refused == "no-head: No head was found."


def test_bad_input_is_a_refusal(child):
    line = {"type": "error", "code": "damaged-file", "message": "The pixels are damaged."}
    assert child(says(line, 2)) == Outcome(refused="The pixels are damaged.")


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (
            says({"type": "error", "code": "internal", "message": "KeyError: Secret^Name"}, 1),
            "an error inside midlineshift",
        ),
        ("import os; os.kill(os.getpid(), 11)", r"without a result \(exit code -11\)"),
        ("print('nothing of use')", r"without a result \(exit code 0\)"),
        ("print('[]')", "without a result"),
        (says({"type": "result", "folder": "nowhere", "refused": None}, 0), "wrote no DICOM objects"),
    ],
)
def test_a_crash_is_one_sentence_without_foreign_words(child, code, sentence):
    with pytest.raises(MeasurementFailed, match=sentence) as error:
        child(code)
    assert "Secret" not in str(error.value)


def test_a_case_that_never_ends(child):
    with pytest.raises(MeasurementFailed, match="took too long"):
        child("import time; time.sleep(600)", seconds=1)


def test_asked_to_stop(child):
    stop = threading.Event()
    threading.Timer(1.0, stop.set).start()
    with pytest.raises(Stopped):  # and not that it took too long
        child("import time; time.sleep(600)", stop=stop)


def test_the_measured_with_changes_with_the_model():
    assert ChildMeasurer().version != ChildMeasurer("midlineshift-diffusion").version
    with pytest.raises(InputError):
        ChildMeasurer("no-such-model")
