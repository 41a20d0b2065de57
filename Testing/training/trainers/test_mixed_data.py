"""Phantoms, unlabelled scans and a set with sparse landmarks in one run of the midline networks."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from drawn_phantoms import PIXEL_MM, draw_cohort, draw_phantom
from landmark_sets import landmark_row, write_scan, write_table

from midlineshift_training.cli.main import main
from midlineshift_training.datasets import landmark_slices
from midlineshift_training.datasets.annotated.load import load_dataset
from midlineshift_training.trainers.initial_weights import load_what_fits
from midlineshift_training.trainers.settings.midline import DeformationSettings
from midlineshift_training.trainers.settings.stored import load_run_settings
from midlineshift_training.trainers.start import midline_data
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.geometry.frame import Frame
from MidlineShiftLogic.networks.midline_unet import MidlineUNet

TINY = ("features=[8,8,8,8,8]", "batch=2", "max_steps=2", "check_every=2", "validation_batches=1", "pictures_every=0")


def outputs(ct, model, device):
    """What a model would say of the head: where it is and what is inside the skull."""
    middle = (np.array(ct.hu.shape[:0:-1]) - 1) / 2 * PIXEL_MM
    frame = Frame(128, 1.8, 0.0, 1.0, np.tile(middle, (ct.n_slices, 1)))
    return SimpleNamespace(
        frame=frame,
        chosen=np.arange(ct.n_slices),
        maps=SimpleNamespace(inside=np.ones((ct.n_slices, 64, 64), np.float32)),
        pose=SimpleNamespace(falx_length_mm=150.0),
        height=ct.heights * 1.0,
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Folder with phantoms, an unlabelled scan of the case "b" and a set of the cases a (fold 0), b and c (fold 1)."""
    folder = tmp_path_factory.mktemp("world")
    draw_cohort(folder / "phantoms", 4)
    rows = []
    for number, name in enumerate("abc"):
        _, landmarks = write_scan(folder / "scans", name, number, 5.0)
        rows += [landmark_row(name, *one) | {"fold": min(number, 1)} for one in list(landmarks.items())[2:5]]
    table = write_table(folder / "points.csv", rows)
    arguments = ["--scans", folder / "scans", "--landmarks", table, "--out", folder / "set", "--no-align"]
    result = CliRunner().invoke(main, ["convert", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    (folder / "unlabelled").mkdir()
    draw_phantom(folder / "unlabelled" / "00000.npz", 9, 0.0)
    with np.load(folder / "unlabelled" / "00000.npz") as archive:
        entries = dict(archive)
    meta = np.array(json.dumps({"scan": "b"}))
    np.savez(folder / "unlabelled" / "00000.npz", **entries | {"pseudo": np.array(True), "meta": meta})
    return folder


@pytest.fixture(autouse=True)
def known_heads(monkeypatch):
    monkeypatch.setattr(landmark_slices, "run_networks", outputs)


def deformation(world, *arguments, code=0):
    data = [f"--data={world / name}" for name in ("unlabelled", "phantoms", "set")]
    tiny = [part for assignment in TINY for part in ("--set", assignment)]
    result = CliRunner().invoke(main, ["deformation", "--no-noise-difference", *data, *tiny, *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.output


def test_a_fold_is_left_out_with_everything_of_its_patients(world, tmp_path, monkeypatch):
    seen = {}
    load = midline_data.load_phantoms
    monkeypatch.setattr(midline_data, "load_phantoms", lambda files: seen.setdefault(str(files), load(files)))
    deformation(world, "--leave-out-fold", 1, "--out", tmp_path / "run")
    settings = load_run_settings(tmp_path / "run")
    assert settings.leave_out_fold == 1
    assert {"b", "c"} <= set(settings.held_out) and "a" not in settings.held_out
    assert not any("unlabelled" in files for files in seen), "the unlabelled scan is of a patient of the fold"
    assert (tmp_path / "run" / "best.safetensors").exists()


def test_refinement_runs_are_trained_and_averaged_on_mixed_data(world, tmp_path, monkeypatch):
    data = [f"--data={world / name}" for name in ("unlabelled", "phantoms", "set")]
    tiny = [part for one in ("features=[8,8]", *TINY[1:]) for part in ("--set", one)]
    for seed in "12":
        more = ["--leave-out-fold", "1", "--seed", seed, "--out", str(tmp_path / seed)]
        result = CliRunner().invoke(main, ["refinement", *data, *tiny, *more])
        assert result.exit_code == 0, result.output
    assert load_run_settings(tmp_path / "1").leave_out_fold == 1
    labelled, seen = [], {}
    load, load_set = midline_data.load_phantoms, midline_data.load_labelled
    monkeypatch.setattr(midline_data, "load_phantoms", lambda files: seen.setdefault(str(files), load(files)))
    monkeypatch.setattr(
        midline_data,
        "load_labelled",
        lambda cases, *more: labelled.extend(c.name for c in cases) or load_set(cases, *more),
    )
    runs = [part for seed in "12" for part in ("--run", str(tmp_path / seed))]
    result = CliRunner().invoke(main, ["average", *runs, "--batches", "2", "--out", str(tmp_path / "mean")])
    assert result.exit_code == 0, result.output
    assert labelled == ["a"], "the statistics are not taken from the fold that was left out"
    assert not any("unlabelled" in files for files in seen)
    assert (tmp_path / "mean" / "best.safetensors").exists()


def test_without_a_fold_the_sets_own_split_counts(world):
    data = [world / name for name in ("unlabelled", "phantoms", "set")]
    settings, slices, validation = midline_data.load_midline_data(DeformationSettings(), data, 1)
    splits = {case.name: case.split for case in load_dataset(world / "set")}
    assert settings.held_out[1:] == [name for name, split in splits.items() if split == "validation"]
    assert slices.labelled.any() and validation.labelled.any()
    assert bool(slices.unlabelled.any()) == (splits["b"] == "train")


def test_an_unknown_fold_is_reported(world, tmp_path):
    output = deformation(world, "--leave-out-fold", 7, "--out", tmp_path / "run", code=2)
    assert "no fold 7" in output and "0, 1" in output
    assert not (tmp_path / "run").exists()


def test_a_fold_needs_a_set(world, tmp_path):
    arguments = ["deformation", "--no-noise-difference", "--data", world / "phantoms", "--leave-out-fold", 1]
    result = CliRunner().invoke(main, [*map(str, arguments), "--out", str(tmp_path / "run")])
    assert result.exit_code == 2 and "sets with landmarks" in result.output


def test_a_model_can_be_started_from_by_name(tmp_path):
    network = MidlineUNet(features=(24, 48, 96, 144, 192), upsampling=2)
    assert load_what_fits(network, "midlineshift") == []
    with pytest.raises(InputError, match="no conditional network"):
        load_what_fits(network, "midlineshift", "conditional")
