"""What readers did on the disk: apart from one another, whole or not at all, and read by the training's evaluation."""

import json
import subprocess
import sys

import pytest

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct import read
from MidlineShiftLogic.measurement.edit import move_landmarks, pin_slice
from MidlineShiftLogic.measurement.review import accept, reject
from MidlineShiftLogic.reporting.results_csv import TABLE_FILE
from MidlineShiftLogic.review_app import readings
from MidlineShiftLogic.review_app.cases import find_cases
from MidlineShiftLogic.review_app.export import export_reading
from MidlineShiftLogic.review_app.readings import ReaderFolder, writer_lock
from MidlineShiftLogic.review_app.worklist import Worklist


@pytest.fixture
def edited(case):
    original, ct = case.load_measurement(), read(case.source)
    place = original.slices[3].landmarks_px["shifted"] + (3, 0)
    return move_landmarks(original, ct, original.slices[3].index, {"shifted": place}, original, space="px"), ct


def test_two_readers_are_kept_apart_even_with_names_that_make_one_file_name(results, case, edited):
    measurement, ct = edited
    for name in ("A/B", "A:B"):
        ReaderFolder(results, name).save(case, accept(measurement, name), ct)
    folders = sorted(path.name for path in (results / "reviews").iterdir() if path.is_dir())
    assert folders == ["A_B", "A_B-2"]
    assert [ReaderFolder(results, name).load(case).review.reader for name in ("A/B", "A:B")] == ["A/B", "A:B"]
    with pytest.raises(InputError, match="reader's name"):
        ReaderFolder(results, "  ")


def test_readings_are_what_evaluate_takes(case, folder, edited):
    from midlineshift_training.evaluation.truth import load_readings, reader_slice_truth

    measurement, ct = edited
    folder.save(case, accept(pin_slice(measurement, measurement.slices[5].index), "Ada Lovelace"), ct)
    rows = load_readings(folder.folder / "readings.csv")["left"]
    assert {row["reader"] for row in rows} == {"Ada Lovelace"}
    truth = reader_slice_truth(ct, rows)
    for one in (measurement.slices[3], measurement.slices[5]):
        assert truth[one.index] == pytest.approx(one.signed_shift_mm, abs=1e-3)
    folder.save(case, reject(measurement, "Ada Lovelace", "motion"), ct)
    with pytest.raises(InputError, match="holds no readings"):  # a rejected case is none
        load_readings(folder.folder / "readings.csv")


def test_a_failed_write_leaves_the_reading_before(case, folder, edited, monkeypatch):
    measurement, ct = edited
    folder.save(case, measurement, ct)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(readings.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        folder.save(case, accept(measurement, "Ada Lovelace"), ct)
    assert folder.load(case).review is None
    assert not list(folder.folder.rglob("*.partial*"))


def test_export_writes_what_the_panel_writes_with_the_same_numbers(case, folder, edited):
    measurement, ct = edited
    signed = accept(measurement, "Ada Lovelace")
    folder.save(case, signed, ct)
    assert export_reading(folder, case, folder.load(case), ct) == ""
    files = {path.name for path in folder.case_folder(case).iterdir()}
    assert files == {"measurement.json", "shifts.csv", "overlay.png", "slices.png", "report.html"}
    html = (folder.case_folder(case) / "report.html").read_text(encoding="utf-8")
    assert "accepted with edits by Ada Lovelace" in html and f"{signed.shift_mm:.1f} mm" in html
    folder.save(case, measurement, ct)
    assert {path.name for path in folder.case_folder(case).iterdir()} == {"measurement.json"}, (
        "no report of other numbers"
    )


def test_one_writer_a_case_also_over_processes_and_a_kill(case):
    code = (
        "import sys, time; from pathlib import Path\n"
        "from MidlineShiftLogic.review_app.cases import find_cases\n"
        "from MidlineShiftLogic.review_app.readings import writer_lock\n"
        "with writer_lock(find_cases([Path(sys.argv[1])])[0], 'Grace') as holder:\n"
        "    print(repr(holder), flush=True); time.sleep(300)\n"
    )
    other = subprocess.Popen([sys.executable, "-c", code, str(case.root)], stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline().strip() == "''"
    with writer_lock(case, "Ada") as holder:
        assert holder == "Grace"
    other.kill()
    other.wait()
    other.stdout.close()
    with writer_lock(case, "Ada") as holder:
        assert holder == ""
        with writer_lock(case, "Bob") as second:
            assert second == "Ada"


def test_worklist_shows_numbers_and_what_the_reader_did(results, case, folder, edited):
    measurement, ct = edited
    worklist = Worklist(find_cases([results]))
    first, second = worklist.describe("Ada Lovelace", blind=False)
    assert (first["name"], first["side"], first["status"]) == ("left", "left", "unread")
    assert second["side"] == "right" and first["shift_mm"] == pytest.approx(measurement.shift_mm, abs=4)
    folder.save(case, accept(measurement, "Ada Lovelace"), ct)
    assert worklist.describe("Ada Lovelace", blind=False)[0]["status"] == "accepted with edits"
    assert worklist.describe("Bob", blind=False)[0]["status"] == "unread"
    hidden = worklist.describe("Bob", blind=True)
    assert set(hidden[0]) == {"key", "name", "status"} and str(results) not in json.dumps(hidden)


@pytest.mark.parametrize("number", ["nan", "inf", "-1e999", "abc", ""])
def test_a_row_without_a_number_does_not_hide_the_other_cases(results, number):
    table = results / TABLE_FILE
    header, first, second = table.read_text(encoding="utf-8").splitlines()
    places = [header.split(",").index(name) for name in ("shift_mm", "interval_low_mm", "interval_high_mm")]
    values = first.split(",")
    for place in places:
        values[place] = number
    table.write_text("\n".join([header, ",".join(values), second.partition(",")[0]]) + "\n", encoding="utf-8")
    described = Worklist(find_cases([results])).describe("Ada", blind=False)
    assert len(json.loads(json.dumps(described, allow_nan=False))) == 2
    assert described[0]["shift_mm"] is None and described[0]["interval"] is None


def test_a_damaged_result_is_listed_without_a_path_of_the_server(results):
    (results / TABLE_FILE).unlink()
    (results / "left" / "measurement.json").write_text("[1]", encoding="utf-8")
    damaged, whole = Worklist(find_cases([results])).describe("Ada", blind=False)
    assert "is not a" in damaged["refused"] and str(results) not in json.dumps([damaged, whole])
    assert whole["shift_mm"] is not None
    (results / "left" / "measurement.json").write_text("", encoding="utf-8")
    assert str(results) not in json.dumps(Worklist(find_cases([results])).describe("Ada", blind=False))


def test_what_is_no_result_is_reported(tmp_path):
    with pytest.raises(InputError, match="no folder of results"):
        find_cases([tmp_path / "none"])
    with pytest.raises(InputError, match="holds no results"):
        find_cases([tmp_path])
