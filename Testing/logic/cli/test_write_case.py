"""The files of a case that a reader edited: what the panel exports with."""

import csv
import json

import pytest
from synthetic_case import drawn_head, measured

from MidlineShiftLogic.cli.main import _run
from MidlineShiftLogic.headct.npz import write_npz
from MidlineShiftLogic.measurement.edit import move_landmarks
from MidlineShiftLogic.reporting.fields_file import read_slice_fields, write_slice_fields
from MidlineShiftLogic.reporting.measurement_json import from_json, to_json


@pytest.fixture
def case(tmp_path):
    """A shift to the right, with the case's landmark moved 3 mm outward by a reader."""
    ct = drawn_head(-8.0, (14, 120, 100), (6.0, 1.7, 1.7))
    measurement, dense = measured(ct, -8.0, "Anna: 1")
    place = next(one for one in measurement.slices if one.index == measurement.slice).landmarks_lps_mm["shifted"]
    edited = move_landmarks(measurement, ct, measurement.slice, {"shifted": place - 3.0 * ct.column_axis})
    write_npz(tmp_path / "scan.npz", ct)
    (tmp_path / "m.json").write_text(to_json(edited), encoding="utf-8")
    index = edited.slice
    write_slice_fields(tmp_path / "dense.npz", index, dense.warped_hu[index], dense.displacement_mm[index])
    return tmp_path, edited


def write(folder, *options):
    return _run(["write-case", str(folder / "scan.npz"), "--result", str(folder / "m.json"), "--json-lines", *options])


def test_every_file_is_of_the_edited_result(case, capsys):
    folder, edited = case
    assert write(folder, "--out", str(folder / "out"), "--dense", str(folder / "dense.npz")) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["done"] for line in lines if line["type"] == "progress"] == [0, 1, 2, 3, 4, 5]
    written = folder / "out" / "Anna_ 1"
    assert lines[-1]["type"] == "result" and lines[-1]["folder"] == str(written)
    names = {path.name for path in written.iterdir()}
    assert names == {"measurement.json", "shifts.csv", "overlay.png", "slices.png", "report.html"}
    assert from_json((written / "measurement.json").read_text(encoding="utf-8")).slice == edited.slice
    rows = list(csv.DictReader((written / "shifts.csv").open(encoding="utf-8")))
    own = next(row for row in rows if row["case_slice"] == "1")
    assert float(own["signed_shift_mm"]) == pytest.approx(edited.signed_shift_mm, abs=6e-4)
    assert (own["edited"], own["side"], own["slice_number"]) == ("1", "R", str(edited.slice + 1))
    assert "edited by the reader" in (written / "report.html").read_text(encoding="utf-8")


def test_without_the_displacement_there_is_no_overlay(case):
    folder, _ = case
    assert write(folder, "--out", str(folder / "out")) == 0
    assert not (folder / "out" / "Anna_ 1" / "overlay.png").exists()


@pytest.mark.parametrize("broken", ["m.json", "dense.npz", "scan.npz"])
def test_a_damaged_file_is_one_sentence_and_leaves_nothing(case, capsys, broken):
    folder, _ = case
    (folder / broken).write_bytes(b"not this")
    assert write(folder, "--out", str(folder / "out"), "--dense", str(folder / "dense.npz")) != 0
    error = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert error["type"] == "error" and error["message"].endswith((".", ")"))
    assert not (folder / "out").exists()


def test_images_of_no_series_cost_only_the_dicom_objects(case):
    folder, _ = case
    (folder / "images.txt").write_text(str(folder / "m.json"), encoding="utf-8")
    assert write(folder, "--out", str(folder / "out"), "--images", str(folder / "images.txt")) == 0
    note = json.loads((folder / "out" / "write-case.json").read_text(encoding="utf-8"))
    assert note["no_dicom"].startswith("they cannot be made") and (folder / "out" / "Anna_ 1" / "report.html").is_file()


def test_the_slice_fields_come_back(case):
    folder, edited = case
    fields = read_slice_fields(folder / "dense.npz")
    assert list(fields.warped_hu) == [edited.slice] and fields.displacement_mm[edited.slice].shape == (2, 120, 100)
