"""Calibration on drawn errors: the scale is found, intervals cover in every source, and model.json holds the result."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from drawn_phantoms import draw_cohort, draw_phantom
from small_networks import awake

from midlineshift_training.calibration import samples as sampling
from midlineshift_training.calibration.fit import (
    FOLDS,
    LEVELS,
    check_enough,
    conformal_quantiles,
    cross_validated,
    fit_uncertainty,
    fold_of,
)
from midlineshift_training.calibration.hard_augmentation import degrade_scan
from midlineshift_training.calibration.samples import (
    DEGRADED,
    PHANTOMS,
    READINGS,
    SCANS,
    CalibrationJob,
    Sample,
    sample_of,
)
from midlineshift_training.cli.calibrate import calibrate
from midlineshift_training.datasets.phantoms.files import phantom_scan
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.measurement.uncertainty import parse_uncertainty
from MidlineShiftLogic.measurement.uncertainty_features import FEATURES, REFINEMENT_FEATURES
from MidlineShiftLogic.models.description import ModelDescription
from MidlineShiftLogic.models.folder import load_model, save_model
from MidlineShiftLogic.networks.midline_unet import MidlineUNet


def drawn(
    cases: int, source: str = PHANTOMS, scale: float = 0.5, each: int = 1, short: float = 1.0, seed: int = 0, more=()
):
    """Samples whose error grows with the feature ``readings`` by e^1.5 a unit and with no other; measured too ``short``."""
    rng = np.random.default_rng(seed)
    result = []
    for case in range(cases):
        for _ in range(each):
            features = {name: float(rng.uniform(0, 1)) for name in (*FEATURES, *more)}
            truth = float(rng.uniform(-12, 12))
            error = scale * np.exp(1.5 * features["readings"]) * rng.standard_t(5)
            result.append(Sample(source, f"{source} {case}", truth, short * (truth - error), features))
    return result


def test_what_makes_errors_large_is_found():
    found = fit_uncertainty(drawn(600))
    weights = {name: one.weight / one.sd for name, one in found.features.items()}
    assert weights["readings"] == pytest.approx(1.5, abs=0.4)
    assert max(value for name, value in weights.items() if name != "readings") < 0.35
    assert min(weights.values()) >= 0
    calm, bad = (dict.fromkeys(FEATURES, 0.5) | {"readings": value} for value in (0.1, 0.9))
    assert found.sigma(bad) / found.sigma(calm) == pytest.approx(np.exp(1.2), rel=0.4)


def test_features_of_a_second_look_are_used_where_every_sample_has_them():
    assert set(fit_uncertainty(drawn(50)).features) == set(FEATURES)
    assert set(fit_uncertainty(drawn(50, more=REFINEMENT_FEATURES)).features) == {*FEATURES, *REFINEMENT_FEATURES}
    mixed = drawn(50, more=REFINEMENT_FEATURES) + drawn(50, SCANS)
    fitted = fit_uncertainty(mixed)
    assert set(fitted.features) == set(FEATURES)
    assert parse_uncertainty(fitted.to_json(), refinement=False) == fitted


def test_intervals_cover_what_they_did_not_see_in_every_source():
    samples = drawn(250) + drawn(60, SCANS, scale=1.0, each=3, seed=1)
    predicted = cross_validated(samples)
    for source in (PHANTOMS, SCANS):
        rows = [one for one in predicted if one.sample.source == source]
        covered = np.mean([one.low <= one.sample.truth_mm <= one.high for one in rows])
        assert covered > 0.85, source
    # the worse source decides: the better one's intervals are wider than it would need
    alone = cross_validated(drawn(250))
    assert np.mean([one.high - one.low for one in predicted[:250]]) > 1.2 * np.mean(
        [one.high - one.low for one in alone]
    )
    assert np.mean([one.low <= one.sample.truth_mm <= one.high for one in alone]) == pytest.approx(0.9, abs=0.06)


def test_probabilities_are_those_seen():
    predicted = cross_validated(drawn(800))
    p = np.array([one.p_over_5mm for one in predicted])
    large = np.array([abs(one.sample.truth_mm) > 5 for one in predicted])
    for low, high in ((0.0, 0.2), (0.2, 0.8), (0.8, 1.0)):
        part = (p >= low) & (p <= high)
        assert np.mean(large[part]) == pytest.approx(np.mean(p[part]), abs=0.08)


def test_the_gain_is_learned_only_if_asked():
    samples = drawn(300, scale=0.1, short=0.85)
    assert fit_uncertainty(samples).gain == 1.0
    assert fit_uncertainty(samples, correct_gain=True).gain == pytest.approx(1 / 0.85, rel=0.02)


def test_same_samples_same_calibration_that_model_json_can_hold():
    samples = drawn(60)
    found = fit_uncertainty(samples)
    assert fit_uncertainty(samples) == found
    assert parse_uncertainty(json.loads(json.dumps(found.to_json()))) == found


def test_a_feature_that_never_changes_shows_nothing():
    samples = [replace(one, features=one.features | {"confidence": 0.0}) for one in drawn(60)]
    found = fit_uncertainty(samples)
    assert found.features["confidence"].weight == 0.0
    parse_uncertainty(found.to_json())


def test_samples_of_one_case_stay_together():
    samples = drawn(23, SCANS, each=3)
    folds = fold_of(samples)
    assert sorted(set(folds)) == list(range(FOLDS))
    for case in {one.case for one in samples}:
        assert len({int(k) for one, k in zip(samples, folds, strict=True) if one.case == case}) == 1


def test_conformal_quantiles_are_order_statistics():
    scores = np.arange(1.0, 100.0)[::-1]  # 99 scores: the (100 level)-th smallest
    assert conformal_quantiles(scores)[LEVELS.index(0.9)] == 90
    assert conformal_quantiles(np.array([3.0, 1.0, 2.0])).tolist()[-1] == 3.0


def test_too_few_cases_are_reported():
    with pytest.raises(InputError, match="Only 4 cases of 'phantoms'"):
        check_enough(drawn(4, each=9))
    with pytest.raises(InputError, match="None of the cases"):
        check_enough([Sample(PHANTOMS, "a", 1.0, refused="no-midline")])


def test_degrading_changes_the_brain_and_keeps_the_head(tmp_path):
    draw_phantom(tmp_path / "00000.npz", 1, 6.0)
    ct, _ = phantom_scan(tmp_path / "00000.npz")
    hard = degrade_scan(ct, np.random.default_rng(3))
    np.testing.assert_array_equal(hard.hu, degrade_scan(ct, np.random.default_rng(3)).hu)
    assert hard.hu.shape == ct.hu.shape and hard.hu.dtype == np.float32
    brain, air = (ct.hu > 20) & (ct.hu < 60), ct.hu < -900
    assert 1 < np.abs(hard.hu - ct.hu)[brain].mean() < 25
    assert np.median(hard.hu[air]) == pytest.approx(-1000, abs=15)
    assert np.median(hard.hu[ct.hu > 800]) > 700


class Refusing:
    """A model that would only be asked after the checks."""

    readout: dict = {}  # noqa: RUF012


def test_a_scan_that_fails_its_checks_is_a_refused_sample(tmp_path):
    draw_phantom(tmp_path / "00000.npz", 1, 6.0)
    ct, _ = phantom_scan(tmp_path / "00000.npz")
    found = sample_of(replace(ct, hu=np.full_like(ct.hu, -1000)), 6.0, Refusing(), PHANTOMS, "a")
    assert (found.refused, found.measured_mm, found.features) == ("no-head", None, None)


def test_a_file_that_is_no_scan_is_a_refused_sample(tmp_path):
    (tmp_path / "a.nii.gz").write_bytes(b"not a scan")
    (found,) = sampling.samples_of(CalibrationJob(SCANS, tmp_path / "a.nii.gz", 2), Refusing())
    assert found.source == SCANS and found.refused


@pytest.fixture
def model_folder(tmp_path) -> Path:
    description = ModelDescription(
        name="small", version="1", description="For tests.", licence="Apache-2.0", trained_on="nothing",
        frame={"grid": 128, "pixel_mm": 1.8, "length_mm": 198.0},
    )  # fmt: skip
    return save_model(
        tmp_path / "model", description, {"pose": awake(MidlineUNet(features=(8, 8, 8, 8, 8), flow=False))}
    )


def run(*arguments):
    return CliRunner().invoke(calibrate, [str(argument) for argument in arguments])


def test_the_command_writes_the_calibration_into_the_model(tmp_path, model_folder, monkeypatch):
    draw_cohort(tmp_path / "phantoms", 6)
    asked = []

    def predicted(jobs, folder, workers, cluster):
        asked.extend(jobs)
        yield [*drawn(40), Sample(PHANTOMS, "refused", 1.0, refused="no-midline")]
        yield drawn(40, DEGRADED, seed=1)

    monkeypatch.setattr(sampling, "all_samples", predicted)
    before = json.loads((model_folder / "model.json").read_text())
    done = run("--model", model_folder, "--phantoms", tmp_path / "phantoms", "--first", 2, "--out", tmp_path / "c.json")
    assert done.exit_code == 0, done.output
    assert [job.source for job in asked] == [PHANTOMS, DEGRADED] * 2
    assert [job.path.name for job in asked] == ["00002.npz", "00003.npz", "00004.npz", "00005.npz"]
    assert "| phantoms | 41 | 41 | 1 | " in done.output
    after = json.loads((model_folder / "model.json").read_text())
    calibration = after.pop("uncertainty")
    assert after == {key: value for key, value in before.items() if key != "uncertainty"}
    assert sorted(path.name for path in model_folder.iterdir()) == ["model.json", "pose.safetensors"]
    model = load_model(model_folder)
    assert parse_uncertainty(model.uncertainty) == replace(
        fit_uncertainty([*drawn(40), *drawn(40, DEGRADED, seed=1)]), calibrated_on=calibration["calibrated_on"]
    )
    assert calibration["calibrated_on"][DEGRADED]["cases"] == 40
    written = json.loads((tmp_path / "c.json").read_text())
    assert written["uncertainty"] == calibration and len(written["samples"]) == 81
    assert {"reading_mm", "signs"} <= set(written["samples"][0]), "the file keeps its older names"


def test_a_calibration_that_fails_leaves_the_model_as_it_was(tmp_path, model_folder, monkeypatch):
    draw_cohort(tmp_path / "phantoms", 2)
    monkeypatch.setattr(sampling, "all_samples", lambda *_: [drawn(3)])
    before = (model_folder / "model.json").read_bytes()
    done = run("--model", model_folder, "--phantoms", tmp_path / "phantoms")
    assert isinstance(done.exception, InputError) and "Only 3 cases" in str(done.exception)
    assert (model_folder / "model.json").read_bytes() == before
    assert isinstance(run("--model", model_folder).exception, InputError)


def test_scans_with_readings_are_compared_with_the_readers_mean(tmp_path, model_folder, monkeypatch):
    scans, asked = tmp_path / "scans", []
    scans.mkdir()
    for name in ("a", "b"):
        (scans / f"{name}.nii.gz").touch()
    table = tmp_path / "readings.csv"
    table.write_text("case,reader,slice,shift_mm\na,A,3,-4.0\na,B,3,-5.0\n")

    def predicted(jobs, folder, workers, cluster):
        asked.extend(jobs)
        yield drawn(40)

    monkeypatch.setattr(sampling, "all_samples", predicted)
    done = run("--model", model_folder, "--scans", scans, "--readings", table, "--warps", 2)
    assert done.exit_code == 0, done.output
    assert [(job.source, job.path.name, job.reading_mm, job.warps) for job in asked] == [
        (READINGS, "a.nii.gz", -4.5, 0),
        (SCANS, "b.nii.gz", 0.0, 2),
    ]
    table.write_text("case,reader,slice,shift_mm\nmissing,A,3,-4.0\n")
    refused = run("--model", model_folder, "--scans", scans, "--readings", table)
    assert isinstance(refused.exception, InputError) and "names missing, which is not in" in str(refused.exception)


def test_a_scan_with_a_reading_is_measured_as_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(sampling, "read", lambda path: "the scan")
    monkeypatch.setattr(sampling, "sample_of", lambda ct, truth, model, source, case: (ct, truth, source))
    job = CalibrationJob(READINGS, tmp_path / "a.nii.gz", reading_mm=-4.5)

    model = SimpleNamespace(readout={})
    assert sampling.samples_of(job, model) == [("the scan", -4.5, READINGS)]
