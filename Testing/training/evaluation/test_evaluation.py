"""An evaluation measures what it says, in every way it says, and writes it down whole or not at all."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from drawn_phantoms import draw_cohort, draw_phantom
from scan_files import save_nifti
from synthetic_case import drawn_head, measured

from midlineshift_training.cli.main import main
from midlineshift_training.datasets.phantoms.files import phantom_scan
from midlineshift_training.datasets.scan_files import scan_paths
from midlineshift_training.evaluation import alterations, measure_jobs, run
from midlineshift_training.evaluation import plan as plan_module
from midlineshift_training.evaluation.groups import NEVER_SEEN, SEEN, phantom_groups, size_group
from midlineshift_training.evaluation.jobs import (
    CASE_SIZES,
    LABELLED,
    NO_READING,
    PHANTOMS,
    READINGS,
    SIZES,
    THIS_MODEL,
    Job,
    ModelResult,
)
from midlineshift_training.evaluation.plan import Plan, find_fold_models, plan_jobs
from midlineshift_training.evaluation.summary import summarise, summarise_set
from midlineshift_training.evaluation.targets import Target, judge, load_targets
from midlineshift_training.evaluation.truth import (
    labelled_truth,
    phantom_slice_truth,
    phantom_truth,
    reader_slice_truth,
)
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.measurement.shift_settings import ShiftSettings
from MidlineShiftLogic.models import load_model

TARGETS = Path(__file__).parents[2] / "benchmarks" / "targets.yaml"
SAMPLES = Path(__file__).parents[3] / "Resources" / "SampleScans"


def result(case, truth, value, **more):
    entries = {"set": READINGS, "model": THIS_MODEL, "slice": 5, "refused": "", "flags": "", "seconds": 1.0} | more
    return ModelResult(case=case, truth_mm=truth, measured_mm=value, **entries)


@pytest.fixture
def model_knows(monkeypatch):
    """Replace the networks by a measurement that knows the drawn heads and phantoms: it gives their shift x 0.9."""

    def known(ct, model, case):
        found, _ = measured(ct, 6.0, case)
        slices = tuple(replace(one, signed_shift_mm=0.9 * one.signed_shift_mm) for one in found.slices)
        value = 0.9 * found.signed_shift_mm
        interval = (value - 1.0, value + 1.0)
        return replace(found, signed_shift_mm=value, interval_mm=interval, slices=slices, authors_readout_mm=9.0)

    monkeypatch.setattr(measure_jobs, "measure_scan", known)
    fake = SimpleNamespace(readout={}, provenance={"name": "fake", "version": "0", "sha256": {}})
    monkeypatch.setattr(measure_jobs, "cached_model", lambda *_: fake)
    monkeypatch.setattr(measure_jobs, "model_fingerprint", lambda *_: "")
    monkeypatch.setattr(run, "load_model", lambda *_: fake)
    monkeypatch.setattr(run, "draw_worst", lambda *_: {})


def test_a_case_with_a_fold_is_measured_by_the_model_that_did_not_see_it(tmp_path, monkeypatch):
    cases = [
        SimpleNamespace(name=name, fold=fold, split="train", path=tmp_path / name, landmarks={3: {}}, shift_mm=1.0)
        for name, fold in (("a", 0), ("b", 1), ("c", None))
    ]
    (tmp_path / "scans").mkdir()
    for name in ("b", "d"):
        (tmp_path / "scans" / f"{name}.nii.gz").touch()
    monkeypatch.setattr(plan_module, "load_dataset", lambda *_: cases)
    monkeypatch.setattr(plan_module, "labelled_truth", lambda case: case.shift_mm)
    plan = Plan(labelled=tmp_path / "set", split="all", scans=tmp_path / "scans", fold_models=tmp_path / "folds")
    jobs = plan_jobs(plan, {})
    with pytest.raises(InputError, match="holds no model '0' for fold 0"):
        find_fold_models(plan, jobs)
    for fold in (0, 1):
        (tmp_path / "folds" / str(fold)).mkdir(parents=True)
    folders = find_fold_models(plan, jobs)
    assert folders == {fold: str(tmp_path / "folds" / str(fold)) for fold in (0, 1)}
    monkeypatch.setattr(measure_jobs, "model_fingerprint", lambda folder: "")
    monkeypatch.setattr(measure_jobs, "cached_model", lambda folder, _: folder)
    monkeypatch.setattr(measure_jobs, "measure_job", lambda job, models: (job.set, job.case, models))
    done = list(measure_jobs.measure_jobs(jobs, {THIS_MODEL: "final", "other": "other"}, fold_models=folders))
    assert [(which, case, Path(models[THIS_MODEL]).name) for which, case, models in done] == [
        (NO_READING, "b", "1"),
        (NO_READING, "d", "final"),
        (LABELLED, "a", "0"),
        (LABELLED, "b", "1"),
        (LABELLED, "c", "final"),
    ]
    assert {models["other"] for _, _, models in done} == {"other"}
    assert {job.fold for job in plan_jobs(replace(plan, fold_models=None), {})} == {None}
    for case in cases:
        case.fold = None
    with pytest.raises(InputError, match="needs a --set whose cases have folds"):
        find_fold_models(plan, plan_jobs(plan, {}))


def test_the_truth_is_taken_where_the_model_measures(tmp_path):
    draw_phantom(tmp_path / "00000.npz", 1, 6.0)
    _, q = phantom_scan(tmp_path / "00000.npz")
    middle, front = (phantom_truth(q, ShiftSettings(septum=septum)) for septum in ((0.30, 0.46), (0.10, 0.16)))
    fractions = np.linspace(0.10, 0.90, 41)
    profile = q["midline_shift_mm"][q["has_midline"]][0]
    assert middle == pytest.approx(profile[(fractions >= 0.30) & (fractions <= 0.46)].mean(), abs=1e-4)
    assert front == pytest.approx(profile[(fractions >= 0.10) & (fractions <= 0.16)].mean(), abs=1e-4)
    assert abs(front) < abs(middle)


def test_slices_have_a_truth_where_the_model_measures(tmp_path):
    draw_phantom(tmp_path / "00000.npz", 1, 6.0)
    _, q = phantom_scan(tmp_path / "00000.npz")
    truth = phantom_slice_truth(q, ShiftSettings())
    measured_heights = q["has_midline"] & (q["height_mm"] >= -8) & (q["height_mm"] <= 45)
    assert np.array_equal(np.isfinite(truth), measured_heights)
    assert truth[measured_heights] == pytest.approx(phantom_truth(q, ShiftSettings()), abs=1e-4)


def test_an_incomplete_phantom_is_named(tmp_path):
    np.savez(tmp_path / "00000.npz", hu=np.zeros((3, 4, 4)))
    with pytest.raises(InputError, match=r"00000\.npz is not a complete phantom file \(it has no pixel_mm\)"):
        phantom_scan(tmp_path / "00000.npz")


def test_scans_are_files_with_geometry_and_folders(tmp_path):
    for name in ("a.nii.gz", "b.MHD", "b.raw", "c.npy", "readings.csv", ".hidden.nii"):
        (tmp_path / name).touch()
    (tmp_path / "series").mkdir()
    assert [path.name for path in scan_paths(tmp_path)] == ["a.nii.gz", "b.MHD", "series"]
    with pytest.raises(InputError, match="no folder of scans"):
        scan_paths(tmp_path / "absent")
    with pytest.raises(InputError, match="No scans"):
        scan_paths(tmp_path / "series")


def test_readers_slices_are_found_in_slabs():
    rows = [{"slice": 4, "shift_mm": 2.0}, {"slice": 5, "shift_mm": 3.0}, {"slice": 6, "shift_mm": -1.0}]
    ct = drawn_head(shape=(4, 20, 20))
    slabs = replace(ct, source_slices=((7, 6), (5, 4), (3, 2), (1, 0)))
    assert reader_slice_truth(slabs, rows)[2] == 2.5, "slices 4 and 5 from below are in the third slab"
    assert reader_slice_truth(slabs, rows)[3] == -1.0
    assert np.isnan(reader_slice_truth(ct, [{"slice": 99, "shift_mm": 1.0}])).all()


def test_groups():
    assert [size_group(value) for value in (0.0, -1.0, 2.9, -3.0, 9.99, 10.0)] == [
        "0-1 mm", "1-3 mm", "1-3 mm", "3-5 mm", "5-10 mm", "10 mm and more",
    ]  # fmt: skip
    meta = json.dumps({"kinds": ["bleed", "bleed", "infarct"], "age": "child", "surgery": None})
    assert phantom_groups({"meta": np.array(meta)}) == {
        "lesion": ("bleed", "infarct"),
        "age": ("child",),
        "surgery": ("no surgery",),
    }
    assert phantom_groups({}) == {}


def test_a_scan_that_cannot_be_read_is_a_refused_row(tmp_path):
    (tmp_path / "a.nii.gz").write_bytes(b"not a scan")
    found = measure_jobs.measure_job(
        Job(NO_READING, tmp_path / "a.nii.gz", "a"), {THIS_MODEL: SimpleNamespace(readout={})}
    )
    (row,) = found.results
    assert row.measured_mm is None and row.refused
    assert summarise([row], {})["sets"][NO_READING]["codes"] == {row.refused: 1}


def test_refused_cases_are_counted_not_measured():
    rows = [result("a", 6.0, 5.0), result("b", -4.0, -4.5), result("c", 9.0, None, refused="no-midline")]
    found = summarise_set(rows)
    assert (found["cases"], found["n"], found["refused"], found["codes"]) == (3, 2, 1, {"no-midline": 1})
    assert found["mae"]["value"] == pytest.approx(0.75)
    assert found["largest_shift"] == {"case": "a", "truth_mm": 6.0, "measured_mm": 5.0, "ratio": pytest.approx(5 / 6)}


def test_baselines_are_measured_on_the_same_cases():
    rows, truth = [], [6.0, -4.0, 1.0, 0.2]
    for k, true in enumerate(truth):
        rows.append(result(str(k), true, true + 1.0, authors_mm=abs(true) + 2.0, interval_mm=(true - 1, true + 2)))
        rows.append(result(str(k), true, true - 0.25, model="other"))
    readers = {
        str(k): [{"reader": "B", "shift_mm": t + 0.5}, {"reader": "A", "shift_mm": t}] for k, t in enumerate(truth)
    }
    found = summarise(rows, readers)
    methods = found["baselines"][READINGS]
    assert methods["always zero"]["mae"]["value"] == pytest.approx(np.mean(np.abs(truth)))
    assert methods["largest displacement (Gong et al.)"]["bias"]["value"] == pytest.approx(2.0)
    assert methods["other"]["mae"]["value"] == pytest.approx(0.25)
    assert methods["other"]["mae_more_than_this_model"]["value"] == pytest.approx(-0.75)
    assert found["sets"][READINGS]["intervals"]["coverage"]["value"] == 1.0
    assert found["readers"]["bias"]["value"] == pytest.approx(-0.5), "reader A against reader B"


def test_targets_are_missed_met_or_not_measured():
    rows = [result(str(k), t, t) for k, t in enumerate([6.0, -4.0, 1.0, 0.2])] + [result("far", 12.0, 7.0)]
    judged = {(row["set"], row["what"]): row["met"] for row in judge(summarise(rows, {}), load_targets(TARGETS))}
    assert judged["readings", "MAE, mm"] is False
    assert judged["readings", "largest shift, reading over readers"] is False
    assert judged["readings", "5 mm and more missed"] is True
    assert judged["phantoms", "ICC"] is None


def test_a_target_gives_its_range_and_what_a_share_lacks():
    share = {"sets": {"readings": {"side": {"count": 7, "of": 9}}}}
    (row,) = judge(share, [Target("readings", "wrong side", "sets/readings/side/missed", high=0)])
    assert (row["wanted"], row["measured"], row["met"]) == ("0", 2, False)
    assert Target("", "", "a", low=1, high=2).wanted == "1 to 2"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "cannot be read"),
        ("set: a", "not a list"),
        ("- {set: a, what: b, number: c}", "Target 1 of"),
        ("- {set: a, what: b, number: c, high: often}", "high: 'often'"),
    ],
)
def test_a_wrong_list_of_targets_is_named(tmp_path, text, message):
    (tmp_path / "targets.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        load_targets(tmp_path / "targets.yaml")


def evaluate(*arguments):
    return CliRunner().invoke(main, ["evaluate", *map(str, arguments)])


@pytest.fixture
def cohort(tmp_path):
    """Phantoms, three scans, one of which has readings, and a list of those that training saw."""
    draw_cohort(tmp_path / "phantoms", 4)
    scans = tmp_path / "scans"
    scans.mkdir()
    for k in range(3):
        save_nifti(scans / f"scan{k}.nii.gz", drawn_head(seed=k).hu, (5.0, 0.8, 0.9))
    header = "case,reader,slice,shift_mm_at_0_68\n"
    (tmp_path / "readings.csv").write_text(header + "scan1,A,12,6.0\nscan1,B,13,5.0\n")
    (tmp_path / "seen.txt").write_text("scan2  # unlabelled\n\n")
    return tmp_path


@pytest.mark.usefixtures("model_knows")
def test_everything_is_measured_and_written(cohort):
    out = cohort / "out"
    done = evaluate(
        "--phantoms", cohort / "phantoms", "--first", 1, "--scans", cohort / "scans", "--readings", cohort / "readings.csv",
        "--seen", cohort / "seen.txt", "--compare", "other=elsewhere", "--warps-per-case", 2, "--robustness-cases", 1,
        "--targets", TARGETS, "--out", out,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "Research use only" in done.output and "| Targets" not in done.output and "## Targets" in done.output
    content = json.loads((out / "evaluation.json").read_text())
    sets = content["sets"]
    assert {name: found["cases"] for name, found in sets.items()} == {PHANTOMS: 3, NO_READING: 2, READINGS: 1}
    assert set(sets[NO_READING]["by"]["training"]) == {SEEN, NEVER_SEEN}
    assert content["seen"] == ["scan2"]
    assert sets[READINGS]["slices"]["n"] == 2
    assert content["known_shifts"]["warps"] == 4
    # the reading that is replaced does not look at the scan
    assert content["known_shifts"]["slope"]["value"] == pytest.approx(0.0)
    assert content["robustness"]["cases"] == 1
    mirrored = content["robustness"]["alterations"]["left and right exchanged"]
    assert mirrored["largest"] > 5, "this reading does not change side with the scan"
    assert set(content["baselines"][PHANTOMS]) == {"other", "largest displacement (Gong et al.)", "always zero"}
    for name in content["figures"]:
        assert (out / "figures" / name).read_bytes().startswith(b"\x89PNG")
    assert {"scatter.png", "bland_altman.png", "known_shifts.png", "robustness.png"} <= set(content["figures"])
    rows = list(csv.DictReader((out / "cases.csv").open()))
    assert len(rows) == 2 * 6
    assert "Not a medical device" in (out / "short.md").read_text()
    assert sorted(path.name for path in out.iterdir()) == [
        "cases.csv", "changes.csv", "evaluation.json", "figures", "known_shifts.csv", "short.md", "slices.csv", "table.md",
    ]  # fmt: skip


@pytest.mark.usefixtures("model_knows")
def test_a_failure_leaves_the_older_evaluation_as_it_was(cohort, monkeypatch):
    out = cohort / "out"
    assert evaluate("--phantoms", cohort / "phantoms", "--out", out).exit_code == 0
    before = {path.name: path.read_bytes() for path in out.glob("*.*")}

    def broken(*_):
        raise InputError("The disk is gone.")

    monkeypatch.setattr(run, "draw_figures", broken)
    assert evaluate("--phantoms", cohort / "phantoms", "--first", 2, "--out", out).exit_code == 2
    assert {path.name: path.read_bytes() for path in out.glob("*.*")} == before
    assert not list(out.glob(".partial*"))


@pytest.mark.usefixtures("model_knows")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Give --phantoms, --scans, --set, or several"),
        (["--phantoms", "phantoms", "--readings", "readings.csv"], "give --scans, too"),
        (["--phantoms", "phantoms", "--first", "40"], "no phantom from number 40"),
        (["--scans", "scans", "--seen", "wrong.txt"], "name scan9, not among the scans"),
        (["--scans", "scans", "--seen", "absent.txt"], "absent.txt cannot be read"),
        (["--scans", "scans", "--readings", "empty.csv"], "needs the columns case, reader, slice and shift_mm"),
        (["--scans", "scans", "--readings", "headings.csv"], "headings.csv holds no readings"),
        (["--scans", "scans", "--readings", "short.csv"], "short.csv, line 3: slice '' or shift_mm '' is not a number"),
        (["--scans", "scans", "--readings", "scans"], "Is a directory"),
        (["--scans", "scans", "--compare", "nameless"], "NAME=FOLDER"),
        (["--scans", "scans", "--compare", "this model=x"], "cannot be called"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_sentence(cohort, monkeypatch, arguments, message):
    monkeypatch.chdir(cohort)
    (cohort / "wrong.txt").write_text("scan9\n")
    (cohort / "empty.csv").touch()
    (cohort / "headings.csv").write_text("case,reader,slice,shift_mm\n")
    (cohort / "short.csv").write_text("case,reader,slice,shift_mm\nscan1,A,12,6.0\nscan1,A\n")
    done = evaluate(*arguments, "--out", cohort / "out")
    assert done.exit_code == 2 and message in done.output
    assert "Traceback" not in done.output
    assert not (cohort / "out" / "evaluation.json").exists()


@pytest.mark.slow
def test_the_released_model_measures_altered_samples_alike(tmp_path):
    """With real networks: an untouched copy reads the same, the mirror image negates, a second process says the same."""
    model = load_model(None)
    ct = measure_jobs.read(SAMPLES / "sample_shifted.nii.gz")
    own = measure_jobs.measure_scan(ct, model, "own").signed_shift_mm
    copy = measure_jobs.measure_scan(alterations.in_plane(ct, 0.0, 0.0, 20.0), model, "copy").signed_shift_mm
    mirror = measure_jobs.measure_scan(alterations.mirrored(ct), model, "mirror").signed_shift_mm
    assert abs(own) > 3
    assert copy == pytest.approx(own, abs=0.05)
    assert mirror == pytest.approx(-own, abs=0.05)
    draw_cohort(tmp_path, 2)
    jobs = [Job(PHANTOMS, path, path.stem) for path in sorted(tmp_path.glob("*.npz"))]
    one, two = (list(measure_jobs.measure_jobs(jobs, {THIS_MODEL: None}, workers)) for workers in (1, 2))
    for a, b in zip(one, two, strict=True):
        assert [replace(r, seconds=0) for r in a.results] == [replace(r, seconds=0) for r in b.results]


def test_cases_of_a_set_are_held_against_what_is_known_of_them(model_knows, tmp_path):
    import pickle

    from landmark_sets import SPACING, write_authors_layout

    path = write_authors_layout(tmp_path, cases=6)
    records = pickle.loads(path.read_bytes())
    records["patient_2"][1:] = []  # nothing known
    path.write_bytes(pickle.dumps(records))
    jobs = plan_jobs(Plan(labelled=path, spacing=SPACING), {})
    assert [job.set for job in jobs] == [LABELLED, LABELLED, NO_READING, LABELLED, LABELLED, SIZES]
    assert [labelled_truth(job.labels) for job in jobs] == [
        0, pytest.approx(7.2, abs=0.01), None, pytest.approx(7.2, abs=0.01), 0, pytest.approx(7.2, abs=0.01),
    ]  # fmt: skip
    evaluation = run.run(Plan(labelled=path, spacing=SPACING), tmp_path / "out")
    assert evaluation["sets"][LABELLED]["cases"] == 4
    assert {"scatter.png", "intervals.png"} <= set(evaluation["figures"])
    assert evaluation["sets"][LABELLED]["side"]["of"] == 2 and "side" not in evaluation["sets"][SIZES]
    assert evaluation["sets"][LABELLED]["slices"]["n"] + evaluation["sets"][LABELLED]["slices"]["unread"] == 3


@pytest.mark.parametrize("side", [1, -1])
def test_a_number_without_side_is_held_against_the_size(tmp_path, side):
    job = Job(SIZES, tmp_path, "a")
    found, _ = measured(drawn_head(side * 6.0), side * 6.0)
    low, high = sorted((side * 5.0, side * 8.0))
    held = measure_jobs._result_of(
        job, THIS_MODEL, 6.0, np.full(24, np.nan), {}, replace(found, interval_mm=(low, high))
    )
    assert held.measured_mm == pytest.approx(abs(found.signed_shift_mm))
    assert held.interval_mm == (5.0, 8.0)


@pytest.mark.usefixtures("model_knows")
def test_scans_with_a_table_of_sizes_are_measured_and_drawn(cohort):
    """A table as spreadsheet programs write it, with more columns than are needed, and the scan of a name in capitals."""
    table = cohort / "sizes.csv"
    table.write_text("patient,case,shift_mm\nx,SCAN1,5.0\ny,scan-2,6.0\n", encoding="utf-8-sig")
    out = cohort / "a folder"
    done = evaluate("--scans", cohort / "scans", "--sizes", table, "--warps-per-case", 0, "--out", out)
    assert done.exit_code == 0, done.output
    content = json.loads((out / "evaluation.json").read_text())
    found = content["sets"][CASE_SIZES]
    assert (found["cases"], found["mae"]["value"]) == (2, pytest.approx(0.5, abs=0.2))
    assert found["intervals"]["coverage"]["count"] == 2
    assert {"scatter.png", "bland_altman.png", "error_by_size.png", "intervals.png"} <= set(content["figures"])
    assert "F1 at 5 mm" in done.output
