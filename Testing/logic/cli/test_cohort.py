"""Many cases at the command: trees and lists in, ``results.csv`` out, gone on with after a stop, in several processes."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from child_path import python_path
from scan_files import save_nifti

from MidlineShiftLogic.batch.work_list import list_cases
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.reporting.results_csv import TABLE_FILE

# What a worker's process starts with too: the stand-ins for pictures and pipeline, which ends the process for some cases,
# and with others does not come to an end as long as there is a parent that waits.
SITE = """
import os
from MidlineShiftLogic.reporting.figures import overlay, sheet
overlay.write_overlay = sheet.write_sheet = lambda path, *_: path.touch()
if "FAKE_ENDLESS" in os.environ:
    import sys, time
    import synthetic_case
    synthetic_case.install_fake_pipeline()
    module = sys.modules["MidlineShiftLogic.inference.pipeline"]
    original = module.measure_ct
    def measure_ct(*arguments, **options):
        case = str(arguments[6:]) + str(options)
        if "deadly" in case:
            os._exit(9)
        while os.environ["FAKE_ENDLESS"] and os.environ["FAKE_ENDLESS"] in case:
            time.sleep(0.02)
        return original(*arguments, **options)
    module.measure_ct = measure_ct
"""


@pytest.fixture(autouse=True)
def quick_pictures(monkeypatch):
    """The table is what matters here; drawing takes most of a stand-in case's time."""
    from PIL import Image

    from MidlineShiftLogic.reporting.figures import overlay, sheet

    def draw(path, *_arguments):
        Image.new("RGB", (4, 2)).save(path)

    monkeypatch.setattr(overlay, "write_overlay", draw)
    monkeypatch.setattr(sheet, "write_sheet", draw)


@pytest.fixture
def tree(tmp_path, head_hu):
    """Three patients' scans, one that is no scan, one that must be refused."""
    tree = tmp_path / "tree"
    for name in ("p1/ct.nii.gz", "p2/day 1/ct.nii.gz", "p2/day 2/ct.nii.gz", "p3/cut.nii.gz"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
    first = save_nifti(tree / "p1" / "ct.nii.gz", head_hu)
    for day in ("day 1", "day 2"):
        shutil.copy(first, tree / "p2" / day / "ct.nii.gz")
    save_nifti(tree / "p3" / "cut.nii.gz", head_hu[:3])
    (tree / "p3" / "bad.nii").write_text("dear diary")
    return tree


def rows(out):
    with (out / "results.csv").open(encoding="utf-8", newline="") as stream:
        return {row["case"]: row for row in csv.DictReader(stream)}


def statuses(out):
    return {case: row["status"] for case, row in rows(out).items()}


ALL = {
    "p1_ct": "measured", "p2_day 1_ct": "measured", "p2_day 2_ct": "measured", "p3_bad": "error", "p3_cut": "refused",
}  # fmt: skip


def test_folder_tree_becomes_a_table(midlineshift, fake_pipeline, tree, tmp_path):
    out = tmp_path / "out"
    done = midlineshift("measure", tree, "--out", out)
    assert done.code == 2 and statuses(out) == ALL
    assert len(fake_pipeline) == 1, "the model is loaded once"
    first = rows(out)["p1_ct"]
    assert (first["side"], first["source"]) == ("left", str(tree / "p1" / "ct.nii.gz"))
    assert json.loads((out / "p1_ct" / "measurement.json").read_text())["case"]["id"] == "p1_ct"
    assert not (out / "p3_bad").exists() and (out / "p3_cut" / "measurement.json").exists()
    summary = done.out.splitlines()[4:]
    assert summary[0] == "5 cases: 3 measured, 1 refused, 1 not measured for an error"
    assert "  1 error, unknown-format: p3_bad" in summary and "  1 refused, too-few-slices: p3_cut" in summary
    assert summary[-1] == str(out / "results.csv")


def test_json_lines_end_with_the_summary(midlineshift, fake_pipeline, tree, tmp_path):
    done = midlineshift("measure", tree, "--out", tmp_path / "out", "--json-lines")
    last = json.loads(done.out.splitlines()[-1])
    assert last["type"] == "summary" and last["measured"] == 3 and last["of"] == last["cases"] == 5
    assert {reason["code"] for reason in last["reasons"]} == {"unknown-format", "too-few-slices"}
    results = [json.loads(line) for line in done.out.splitlines() if '"result"' in line]
    assert [one["case"] for one in results] == ["p1_ct", "p2_day 1_ct", "p2_day 2_ct", "p3_cut"]


def test_one_case_by_itself_has_no_table_unless_there_is_one(midlineshift, fake_pipeline, tree, tmp_path):
    out = tmp_path / "out"
    midlineshift("measure", tree / "p1" / "ct.nii.gz", "--out", out)
    assert [path.name for path in out.iterdir()] == ["ct"]
    midlineshift("measure", tree, "--out", out)
    midlineshift("measure", tree / "p1" / "ct.nii.gz", "--out", out)
    assert statuses(out) == ALL | {"ct": "measured"}


@pytest.mark.slow
def test_resume_leaves_alone_only_what_did_not_change(
    midlineshift, fake_pipeline, tree, tmp_path, monkeypatch, head_hu
):
    out = tmp_path / "out"

    def again(*options):
        before = {name: row["measured_at"] + row["seconds"] for name, row in rows(out).items()}
        time.sleep(1.1)  # rows tell the second they were written in
        done = midlineshift("measure", tree, "--out", out, "--resume", *options)
        after = {name: row["measured_at"] + row["seconds"] for name, row in rows(out).items()}
        return done, {name for name in after if after[name] != before.get(name)}

    midlineshift("measure", tree, "--out", out)
    done, changed = again()
    assert changed == {"p3_bad"}, "errors are tried again"
    assert done.code == 2 and "4 of them earlier and unchanged" in done.out

    save_nifti(tree / "p1" / "ct.nii.gz", head_hu + 1)
    shutil.rmtree(out / "p2_day 1_ct")
    (tree / "p3" / "bad.nii").unlink()
    save_nifti(tree / "p3" / "new.nii.gz", head_hu)
    done, changed = again()
    assert changed == {"p1_ct", "p2_day 1_ct", "p3_new"}
    assert done.code == 3, "the refusal of an earlier run counts"
    assert "5 cases: 4 measured, 1 refused, 0 not measured" in done.out

    done, changed = again("--report")
    assert changed == {"p1_ct", "p2_day 1_ct", "p2_day 2_ct", "p3_new", "p3_cut"}, "reports were wanting"
    assert again("--report")[1] == set()
    done, changed = again("--report", "--authors-readout")
    assert len(changed) == 5, "another option"

    from MidlineShiftLogic.models import fingerprint as identity

    monkeypatch.setattr(identity, "model_identity", lambda _: {"name": "m", "version": "3", "digest": "other"})
    assert len(again("--report", "--authors-readout")[1]) == 5, "another model"


def test_without_resume_everything_is_measured_again(midlineshift, fake_pipeline, tree, tmp_path):
    out = tmp_path / "out"
    midlineshift("measure", tree, "--out", out)
    done = midlineshift("measure", tree, "--out", out)
    assert "earlier" not in done.out and statuses(out) == ALL
    assert sum(1 for _ in (out / "results.csv").open()) == 6


@pytest.mark.parametrize("resume", [False, True])
def test_the_row_of_a_reviewed_case_stays(midlineshift, fake_pipeline, tree, tmp_path, head_hu, resume):
    out = tmp_path / "out"
    midlineshift("measure", tree, "--out", out)
    before = rows(out)
    file = out / "p1_ct" / "measurement.json"
    data = json.loads(file.read_text(encoding="utf-8"))
    data["review"] = {"decision": "accepted", "reader": "Ada", "time": "2026-01-01T00:00:00+00:00", "reason": ""}
    file.write_text(json.dumps(data), encoding="utf-8")
    save_nifti(tree / "p1" / "ct.nii.gz", head_hu + 1)
    done = midlineshift("measure", tree, "--out", out, *["--resume"][: int(resume)])
    assert done.code == 2 and "accepted by Ada" in done.err
    assert rows(out)["p1_ct"] == before["p1_ct"] and statuses(out) == ALL
    (out / "results.csv").unlink()
    midlineshift("measure", tree, "--out", out)
    assert statuses(out) == ALL and rows(out)["p1_ct"]["shift_mm"] == before["p1_ct"]["shift_mm"]


def test_list_with_ids_spacing_and_priors(midlineshift, fake_pipeline, tree, tmp_path, head_hu):
    import numpy as np

    np.save(tree / "array.npy", head_hu)
    out = tmp_path / "out"
    midlineshift("measure", tree / "p1" / "ct.nii.gz", "--out", tmp_path / "first")
    # another scan: of the same one a report would refuse to show a timeline
    save_nifti(tree / "p2" / "day 2" / "ct.nii.gz", head_hu + 1)
    table = tree / "cases.csv"
    table.write_text(
        "\ufeffPath;ID;age;spacing;prior\n"
        f"array.npy;Jane;44;5 0.9 0.9;\n\n{tree / 'p2' / 'day 2' / 'ct.nii.gz'};second;45;;../first/ct\np3/none.nii;;;;\n",
        encoding="utf-8",
    )
    done = midlineshift("measure", table, "--out", out, "--report")
    assert done.code == 2 and statuses(out) == {"Jane": "measured", "second": "measured", "none": "error"}
    assert rows(out)["Jane"]["options"] == "spacing=5,0.9,0.9"
    html = (out / "second" / "report.html").read_text(encoding="utf-8")
    assert '<h2 id="timeline">Timeline</h2>' in html and "<td>this scan</td>" in html


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("id,age\na,1\n", "no column 'path'"),
        ("", "no column 'path'"),
        ("path\n\n", "names no scan"),
        ("path,id\na.nii,x\nb.nii,X\n", "line 3: the id 'X' is already used on line 2"),
        ("path,spacing\na.npy,1x0\n", "line 2: '1x0' is not three positive millimetres"),
        ("path,id\n,x\n", "line 2: there is no path"),
        (b"path\n\xff\xfe\n", "not a CSV list in UTF-8"),
        (b"path\n\x00\n", "binary"),
    ],
)
def test_list_that_cannot_be_used_is_reported_before_anything(midlineshift, tmp_path, content, why):
    table = tmp_path / "cases.csv"
    table.write_bytes(content if isinstance(content, bytes) else content.encode())
    done = midlineshift("measure", table, "--out", tmp_path / "out")
    assert done.code == 2 and why in done.sentence and not (tmp_path / "out").exists()


def test_names_stay_when_scans_are_added(tree, tmp_path):
    def names():
        return {case.source: case.name for case in list_cases([tree], None, tmp_path / "out")}

    before = names()
    (tree / "a").mkdir()
    (tree / "a" / "ct.nii.gz").touch()
    assert before.items() <= names().items() and len(names()) == len(before) + 1


def test_results_among_the_scans_are_not_measured(midlineshift, fake_pipeline, tree):
    (tree / "p3" / "bad.nii").unlink()
    for _ in range(2):
        assert midlineshift("measure", tree, "--out", tree).code == 3
    assert set(rows(tree)) == set(ALL) - {"p3_bad"}


def test_heap_of_several_studies_is_an_error_of_its_own(midlineshift, fake_pipeline, tree, tmp_path, monkeypatch):
    from MidlineShiftLogic.headct import find_scans as finding

    monkeypatch.setattr(finding, "_study", lambda file: file.stem if file.suffix == "" else None)
    (tree / "heap").mkdir()
    for name in ("one", "two"):
        (tree / "heap" / name).touch()
    midlineshift("measure", tree, "--out", tmp_path / "out")
    row = rows(tmp_path / "out")["heap"]
    assert (row["status"], row["code"]) == ("error", "mixed-studies") and "2 studies together" in row["message"]


def test_unknown_model_ends_the_run_before_the_first(midlineshift, fake_pipeline, tree, tmp_path):
    done = midlineshift("measure", tree, "--out", tmp_path / "out", "--model", "no-such")
    assert done.code == 2 and "There is no model 'no-such'" in done.sentence and done.out == ""
    (tmp_path / "out2").mkdir()
    (tmp_path / "out2" / "results.csv").write_text("mine\n")
    done = midlineshift("measure", tree, "--out", tmp_path / "out2")
    assert (
        done.code == 2
        and "not a table" in done.sentence
        and (tmp_path / "out2" / "results.csv").read_text() == "mine\n"
    )


# ---- in other processes


def start(tmp_path, *arguments, endless=""):
    (tmp_path / "site").mkdir(exist_ok=True)
    (tmp_path / "site" / "sitecustomize.py").write_text(SITE)
    return subprocess.Popen(
        [sys.executable, "-m", "MidlineShiftLogic", "measure", *map(str, arguments), "--device", "cpu"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": python_path(tmp_path / "site"), "FAKE_ENDLESS": endless},
        preexec_fn=(lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)) if os.name == "posix" else None,
    )


@pytest.mark.slow
def test_workers_give_the_same_table_and_survive_a_death(tree, tmp_path, head_hu):
    save_nifti(tree / "p1" / "deadly.nii.gz", head_hu)
    out = tmp_path / "out"
    process = start(tmp_path, tree, "--out", out, "--workers", 2)
    said, err = process.communicate(timeout=300)
    assert process.returncode == 1, err
    assert statuses(out) == ALL | {"p1_deadly": "error"}
    died = rows(out)["p1_deadly"]
    assert died["code"] == "process-died" and "exit status 9" in died["message"]
    assert "6 cases: 3 measured, 1 refused, 2 not measured" in said and "Traceback" not in err
    (tree / "p1" / "deadly.nii.gz").rename(tree / "p1" / "lively.nii.gz")
    process = start(tmp_path, tree, "--out", out, "--workers", 2, "--resume", "--json-lines", "--quiet")
    said, err = process.communicate(timeout=300)
    assert process.returncode == 2, err
    lines = [json.loads(line) for line in said.splitlines()]
    assert [(line["type"], line["case"]) for line in lines if line["type"] == "result"] == [("result", "p1_lively")]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_stopped_or_killed_it_leaves_whole_rows_and_goes_on(tree, tmp_path, workers, sent):
    out = tmp_path / "out"
    process = start(tmp_path, tree, "--out", out, "--workers", workers, endless="day 2")
    end = time.monotonic() + 300
    while not (out / "results.csv").exists() or len((out / "results.csv").read_bytes().splitlines()) < 2:
        assert process.poll() is None and time.monotonic() < end, process.communicate()
        time.sleep(0.005)
    process.send_signal(sent)
    said, err = process.communicate(timeout=300)
    assert process.returncode == (130 if sent == signal.SIGINT else -signal.SIGKILL)
    assert "Traceback" not in err, err
    done = rows(out)
    assert 1 <= len(done) < 5 and {row["use"] for row in done.values()} == {"research use only"}
    for name, row in done.items():
        assert (out / name / "measurement.json").is_file() == (row["status"] != "error")
    if sent == signal.SIGINT:
        assert "left; go on with --resume" in said
        assert {path.name for path in out.iterdir()} <= set(ALL) | {"results.csv", ".results.csv.lock"}
    again = start(tmp_path, tree, "--out", out, "--resume")
    said, err = again.communicate(timeout=300)
    assert again.returncode == 2, err
    assert statuses(out) == ALL and "earlier and unchanged" in said
    assert {path.name for path in out.iterdir()} == set(ALL) - {"p3_bad"} | {"results.csv", ".results.csv.lock"}


def test_table_file_is_the_documented_one():
    assert TABLE_FILE == "results.csv"
    with pytest.raises(InputError):
        list_cases([Path("missing.csv")], None, Path("out"))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("path,id\na.nii," + "x" * 200_000, "line 2: this is not a row"),
        ("path," + "x" * 200_000 + "\na.nii,1", "line 1: this is not a row"),
        ("path,spacing\na.npy," + "1;" * 50_000, "not three positive millimetres"),
        ('path,id\n"a.nii,1\nb.nii,2\nc.nii,3', "quotation mark is not closed"),
    ],
)
def test_a_list_with_a_value_without_end_is_one_short_sentence(tmp_path, content, sentence):
    (tmp_path / "list.csv").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=sentence) as caught:
        list_cases([tmp_path / "list.csv"], None, tmp_path / "out")
    assert len(str(caught.value)) < len(str(tmp_path)) + 200


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="makes a named pipe")
def test_a_pipe_is_no_list(tmp_path):
    os.mkfifo(tmp_path / "list.csv")
    with pytest.raises(InputError, match="not a CSV list"):
        list_cases([tmp_path / "list.csv"], None, tmp_path / "out")


def test_quotation_marks_that_are_closed_are_part_of_no_value(tmp_path):
    (tmp_path / "list.csv").write_text('path,id\n"a, b.nii","1"\n"c"d.nii,2\n', encoding="utf-8")
    found = list_cases([tmp_path / "list.csv"], None, tmp_path / "out")
    assert [case.source.name for case in found] == ["a, b.nii", "cd.nii"]
