"""``results.csv``: one whole row a case, whoever writes and whenever they die."""

import csv
import io
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.measurement.results import Measurement
from MidlineShiftLogic.reporting import results_csv as module
from MidlineShiftLogic.reporting.cohort_summary import CohortSummary
from MidlineShiftLogic.reporting.results_csv import COLUMNS, CohortTable, error_row, measured_row

ROOT = Path(__file__).parents[3]
MADE_WITH = dict.fromkeys(module.MADE_WITH_COLUMNS, "x")


def failed(case, message="No such file."):
    return error_row(case, f"scans/{case}.nii", "no-such-path", message, MADE_WITH)


def read(path):
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


@pytest.fixture
def table(tmp_path):
    table = CohortTable(tmp_path / "results.csv")
    for case in "abc":
        table.add(failed(case))
    return table


def test_row_of_a_measured_and_a_refused_case(tmp_path, case):
    measurement = replace(
        case[1], interval_mm=(-9.41234567, -6.6), p_over_5mm=0.97, input={"acquired": "2026-11-02", "sha256": "f"}
    )
    refused = Measurement("r", None, None, refused={"code": "no-head", "message": "No head\nwas found."})
    table = CohortTable(tmp_path / "results.csv")
    for one in (measurement, refused):
        table.add(measured_row(one, f"scans/{one.case_id}", MADE_WITH))
    first, second = read(tmp_path / "results.csv")
    assert (tmp_path / "results.csv").read_text().splitlines()[0] == ",".join(COLUMNS)
    assert (first["case"], first["source"], first["status"], first["side"]) == (
        "drawn head",
        "scans/drawn head",
        "measured",
        "right",
    )
    assert float(first["signed_shift_mm"]) == pytest.approx(-8, abs=0.1) == -float(first["shift_mm"])
    assert (first["interval_low_mm"], first["interval_high_mm"], first["p_over_5mm"]) == ("-9.4123", "-6.6", "0.97")
    assert (first["slice"], first["warnings"], first["scanned"], first["input_sha256"]) == (
        str(measurement.slice),
        "tilt",
        "2026-11-02",
        "f",
    )
    assert (second["status"], second["code"], second["message"]) == ("refused", "no-head", "No head was found.")
    assert second["shift_mm"] == second["side"] == second["slice"] == second["p_over_5mm"] == ""
    assert {row["use"] for row in (first, second)} == {"research use only"}


def test_columns_are_those_the_documents_promise():
    text = (ROOT / "docs" / "reference" / "results-csv.md").read_text(encoding="utf-8")
    documented = [line.split("`")[1] for line in text.splitlines() if line.startswith("| `")]
    assert documented == list(COLUMNS)


def test_a_case_has_one_row_and_its_newest(table):
    CohortTable(table.path).add(failed("b", "newer"))  # another process
    table.add(failed("a", "newest"))
    assert [(row["case"], row["message"]) for row in read(table.path)] == [
        ("c", "No such file."),
        ("b", "newer"),
        ("a", "newest"),
    ]
    table.drop(["c", "a", "never"])
    assert [row["case"] for row in table.rows()] == ["b"]
    table.add(failed("c"))
    assert [row["case"] for row in read(table.path)] == ["b", "c"]


def test_table_that_another_process_wrote_anew_is_read_anew(table):
    """In place, so that the file keeps its number, as a new one may by chance; and it is longer than before."""
    anew = CohortTable(table.path.with_name("anew.csv"))
    for case in ("b", "c", "longer-than-a", "d", "e"):
        anew.add(failed(case))
    with table.path.open("r+b") as stream:
        stream.write(anew.path.read_bytes())
    table.add(failed("a"))
    table.add(failed("d", "newer"))
    assert [row["case"] for row in read(table.path)] == ["b", "c", "longer-than-a", "e", "a", "d"]


@pytest.mark.parametrize("cut", [1, 5, 17, 60, 10_000])
def test_row_torn_by_a_kill_is_taken_away(table, cut):
    whole = table.path.read_bytes()
    lines = whole.splitlines(keepends=True)
    torn = whole[: -min(cut, len(whole) - 1)]
    table.path.write_bytes(torn)
    again = CohortTable(table.path)
    kept = [row["case"] for row in again.rows()]
    if cut == 1:  # the line's end alone is missing, as editors leave it
        assert kept == ["a", "b", "c"]
    elif cut < len(lines[-1]):
        assert kept == ["a", "b"]
    else:
        assert kept == []
    again.add(failed("d"))
    assert [row["case"] for row in read(table.path)] == [*kept, "d"]
    assert table.path.read_bytes().startswith(lines[0])


@pytest.mark.parametrize("content", [b"id,shift\n1,2\n", b"no table at all", b"\x89PNG\r\n\x1a\n"])
def test_somebodys_own_file_is_never_touched(tmp_path, content):
    (tmp_path / "results.csv").write_bytes(content)
    with pytest.raises(InputError, match="not a table of this version"):
        CohortTable(tmp_path / "results.csv")
    assert (tmp_path / "results.csv").read_bytes() == content


def test_damage_in_the_middle_is_reported_and_nothing_is_lost(table):
    lines = table.path.read_bytes().splitlines(keepends=True)
    damaged = b"".join([lines[0], lines[1], b"what is this\n", *lines[2:]])
    table.path.write_bytes(damaged)
    with pytest.raises(InputError, match="damaged row after 1 whole"):
        CohortTable(table.path)
    assert table.path.read_bytes() == damaged


def test_table_saved_by_a_spreadsheet_goes_on(table):
    text = table.path.read_text(encoding="utf-8").replace("\n", "\r\n")
    table.path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    again = CohortTable(table.path)
    again.add(failed("d"))
    assert [row["case"] for row in again.rows()] == ["a", "b", "c", "d"]
    again.drop(["a"])
    assert [row["case"] for row in again.rows()] == ["b", "c", "d"]


def test_full_disk_leaves_the_table_as_it_was(table, monkeypatch):
    before = table.path.read_bytes()
    original = os.write
    monkeypatch.setattr(os, "write", lambda handle, content: original(handle, content[:40]))
    with pytest.raises(OSError, match="No space left"):
        table.add(failed("d"))
    monkeypatch.undo()
    assert table.path.read_bytes() == before
    table.add(failed("d"))
    assert [row["case"] for row in read(table.path)] == ["a", "b", "c", "d"]


def test_spreadsheets_run_nothing_of_it(tmp_path):
    table = CohortTable(tmp_path / "results.csv")
    for name in ('=HYPERLINK("x")', "+1", "@SUM(A1)", "-2"):
        table.add(failed(name, "=1+1"))
    rows = read(table.path)
    assert all(row["case"].startswith("'") and row["message"] == "'=1+1" for row in rows)
    table.drop(["+1"])
    assert len(read(table.path)) == 3


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from MidlineShiftLogic.reporting.results_csv import CohortTable, error_row
made = dict.fromkeys(("model", "model_version", "model_digest", "software_version", "options", "input_stamp"), "x")
table = CohortTable(Path(sys.argv[1]))
for number in range(40):
    table.add(error_row(f"{sys.argv[2]}-{number}", "s", "c", "m" * 300, made))
    table.add(error_row(f"shared-{number % 5}", "s", "c", sys.argv[2], made))
"""


def test_several_processes_share_it(tmp_path):
    path = tmp_path / "results.csv"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(n), str(ROOT)]) for n in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    cases = [row["case"] for row in read(path)]
    assert sorted(cases) == sorted(
        [f"{n}-{k}" for n in range(3) for k in range(40)] + [f"shared-{k}" for k in range(5)]
    )
    assert all(row["use"] == module.USE for row in read(path))


def test_summary_counts_by_code_and_keeps_few_names(case):
    summary = CohortSummary()
    summary.add(measured_row(case[1], "s", MADE_WITH))
    for number in range(9):
        summary.add(failed(f"e{number}"))
    summary.add(
        measured_row(Measurement("r", None, None, refused={"code": "no-head", "message": "No."}), "s", MADE_WITH), True
    )
    assert list(summary.lines()) == [
        "11 cases: 1 measured, 1 refused, 9 not measured for an error; 1 of them earlier and unchanged",
        "  9 error, no-such-path: e0, e1, e2, …",
        "      such as: No such file.",
        "  1 refused, no-head: r",
        "      such as: No.",
    ]
    assert summary.to_dict()["reasons"][0]["count"] == 9 and len(summary.to_dict()["reasons"][0]["cases"]) == 3


@pytest.mark.parametrize(
    ("row", "sentence"),
    [("Müller".encode("latin-1"), "not UTF-8"), (b"x" * 200_000, "damaged row"), (b"\0", "damaged row")],
)
def test_a_row_that_cannot_be_read_is_reported_at_once(table, row, sentence):
    content = table.path.read_bytes()
    damaged = content.replace(b"\nb,", b"\n" + row + b",") if row != b"\0" else content + b"\0\n"
    table.path.write_bytes(damaged)
    with pytest.raises(InputError, match=sentence):
        CohortTable(table.path)
    assert table.path.read_bytes() == damaged


def test_a_folder_or_a_header_without_end_is_no_table(tmp_path):
    (tmp_path / "results.csv").mkdir()
    with pytest.raises(InputError, match="not a table of this version"):
        CohortTable(tmp_path / "results.csv")
    (tmp_path / "other.csv").write_bytes(b"x" * 200_000 + b"\n")
    with pytest.raises(InputError, match="not a table of this version"):
        CohortTable(tmp_path / "other.csv")
