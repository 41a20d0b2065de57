"""The table of the diffusion protocol: errors are paired, only folds that all arms have finished count, folds are left out."""

import json
import sys
from dataclasses import fields
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parent))

import diffusion_table
from diffusion_protocol import DENOISED, _inputs, _load
from diffusion_table import compare, errors_of

from midlineshift_training.datasets.midline_dataset import MidlineBatch


def result(error, fold):
    """Of two scans with a true shift of 4 mm; known shifts follow exactly."""
    scan = {"shift_mm": 4 + error, "interval_mm": None, "slices": {"7": 4 + error, "9": 50.0}}
    return {
        "scans": {f"a{fold}": scan, f"b{fold}": scan},
        "phantoms": {f"p{fold}": {"shift_mm": -3.0 - error, "truth_mm": -3.0}},
        "known": [{"case": f"a{fold}", "amplitude_mm": 5.0, "change_mm": 5.0}],
    }


def test_errors_are_paired():
    truth = {name: {7: 4.0} for name in ("a0", "b0")}
    readings = {"a0": [{"shift_mm": 3.0}, {"shift_mm": 5.0}]}
    one, other = (errors_of([result(error, 0)], truth, readings) for error in (0.5, 1.0))
    assert one["slices"] == {("a0", "7"): 0.5, ("b0", "7"): 0.5}, "slices without a reading do not count"
    assert one["readings"] == {("a0", ""): 0.5} and one["phantoms"] == {("p0", ""): 0.5}
    assert one["known shifts"] == {("a0", "5.00"): 0.0}
    del other["slices"]["a0", "7"]
    found = compare(one["slices"], other["slices"])
    assert (found["count"], found["mean"], found["value"]) == (1, 0.5, -0.5)


def test_only_folds_that_all_have_finished_count(tmp_path, monkeypatch):
    for name, folds in (("none", (0, 1)), ("input", (0,))):
        for fold in folds:
            (tmp_path / f"{name}.{fold}.json").write_text(json.dumps(result(1.0 if name == "none" else 0.4, fold)))
    monkeypatch.setattr(
        diffusion_table, "slice_truth", lambda path: {f"{n}{f}": {7: 4.0} for n in "ab" for f in (0, 1)}
    )
    monkeypatch.setattr(diffusion_table, "load_readings", lambda path: {})
    arguments = ["--work", tmp_path, "--set", tmp_path, "--readings", tmp_path, "--arm", "none", "--arm", "input"]
    done = CliRunner().invoke(diffusion_table.main, [str(one) for one in arguments], catch_exceptions=False)
    assert "| slices of 3 mm or more (2) | 1.00 |" in done.output
    assert "1 folds" in done.output and "| slices (2) | 1.00 | 0.40: -0.600" in done.output


@pytest.fixture
def batch_file(tmp_path):
    shape = {"hu": (3, 8, 8), "displacement": (3, 2, 2, 2)}
    content = {one.name: torch.ones(shape.get(one.name, (3, 2, 2))).half() for one in fields(MidlineBatch)}
    content |= {"fold": torch.tensor([0, 1, -1]), "real": torch.tensor([True, True, False])}
    made = {"difference": torch.ones(3, 1, 4, 4).half(), "healthy": torch.ones(3, 1, 2, 2).half()}
    for folder, values in (("batches", content), (DENOISED, made)):
        (tmp_path / folder).mkdir()
        torch.save(values, tmp_path / folder / "0000.pt")
    return tmp_path / "batches" / "0000.pt"


def test_slices_of_the_fold_are_left_out(batch_file):
    batch, more = _load(batch_file, 1, denoised=True)
    assert more["fold"].tolist() == [0, -1] and len(batch.hu) == len(more["healthy"]) == 2
    assert _inputs(batch, more, False).shape == (2, 2, 8, 8)
    with_difference = _inputs(batch, more, True)
    assert with_difference.shape == (2, 3, 8, 8) and (with_difference[:, 2] == 1).all()
