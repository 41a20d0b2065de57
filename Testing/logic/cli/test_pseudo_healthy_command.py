"""``midlineshift pseudo-healthy``: what it prints, what it writes, what it leaves alone, and how it ends."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import MidlineShiftLogic.inference.pseudo_healthy as module
import MidlineShiftLogic.models
from MidlineShiftLogic.errors import RefusedError
from MidlineShiftLogic.headct import read
from MidlineShiftLogic.measurement.pseudo_healthy import PseudoHealthy
from MidlineShiftLogic.reporting.healthy_files import read_healthy

FILES = ["pseudo_healthy.npz", "pseudo_healthy.png"]


@pytest.fixture
def painter(monkeypatch):
    """A model that paints every slice with 20 HU and the slice's number; the slices that were asked for."""
    asked = []
    model = SimpleNamespace(
        name="painter", has_denoisers=True, provenance={"name": "painter", "version": "1", "sha256": {}}
    )

    def make(ct, model, device, slices, progress, cancelled):
        asked.append(slices)
        slices = np.array(slices or (10, 11))
        for done in range(1, 4):
            progress(done, 3, module.WHAT)
        hu = np.tile(20.0 + slices[:, None, None], (1, *ct.hu.shape[1:])).astype(np.float32)
        brain = np.zeros_like(hu)
        brain[:, 100:150, 90:140] = 1
        return PseudoHealthy(slices, hu, brain, model.provenance)

    monkeypatch.setattr(MidlineShiftLogic.models, "load_model", lambda *_: model)
    monkeypatch.setattr(module, "make_pseudo_healthy", make)
    return SimpleNamespace(model=model, asked=asked)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_makes_and_writes_the_slices(midlineshift, painter, scan, tmp_path):
    done = midlineshift("pseudo-healthy", scan, "--out", tmp_path / "out", "--slices", "3,10-12", "--device", "cpu")
    assert done.code == 0 and done.err == ""
    assert done.out.startswith("head  pseudo-healthy, 4 slices from 3 to 12  (")
    assert painter.asked == [(3, 10, 11, 12)] and names(tmp_path / "out" / "head") == FILES
    healthy = read_healthy(tmp_path / "out" / "head" / "pseudo_healthy.npz")
    assert healthy.slices.tolist() == [3, 10, 11, 12] and healthy.model["name"] == "painter"
    ct = read(scan)
    shown = healthy.over(1, ct.hu[10])
    assert shown[120, 110] == pytest.approx(30) and np.array_equal(shown[:100], ct.hu[10, :100])
    picture = np.asarray(Image.open(tmp_path / "out" / "head" / "pseudo_healthy.png").convert("L"), float)
    assert picture.std() > 20


def test_a_measurement_of_the_case_stays(midlineshift, painter, scan, tmp_path):
    folder = tmp_path / "out" / "head"
    folder.mkdir(parents=True)
    for name in ("measurement.json", "overlay.png", "pseudo_healthy.npz"):
        (folder / name).write_text("old")
    assert midlineshift("pseudo-healthy", scan, "--out", tmp_path / "out").code == 0
    assert names(folder) == ["measurement.json", "overlay.png", *FILES]
    assert (folder / "measurement.json").read_text() == "old"
    assert read_healthy(folder / "pseudo_healthy.npz").slices.tolist() == [10, 11]
    (folder / "notes.txt").write_text("mine")
    done = midlineshift("pseudo-healthy", scan, "--out", tmp_path / "out")
    assert done.code == 2 and "notes.txt" in done.sentence


def test_json_lines(midlineshift, painter, scan, tmp_path):
    done = midlineshift("pseudo-healthy", scan, tmp_path / "no", "--out", tmp_path / "out", "--json-lines")
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert done.code == 2 and {line["type"] for line in lines} == {"status", "progress", "result", "error"}
    result = next(line for line in lines if line["type"] == "result")
    assert result["slices"] == [10, 11] and result["model"] == {"name": "painter", "version": "1"}
    assert result["refused"] is None and sorted(result["files"]) == FILES and result["seconds"] > 0
    assert [line["done"] for line in lines if line.get("what") == module.WHAT] == [1, 2, 3]
    assert next(line for line in lines if line["type"] == "error")["case"] == "no"


def test_a_refused_scan_leaves_nothing(midlineshift, painter, scan, tmp_path, monkeypatch):
    def refuse(*_):
        raise RefusedError("No midline was found.", "no-midline")

    monkeypatch.setattr(module, "make_pseudo_healthy", refuse)
    done = midlineshift("pseudo-healthy", scan, "--out", tmp_path / "out")
    assert done.code == 3 and done.sentence == "head  error: No midline was found." and not (tmp_path / "out").exists()


def test_a_model_without_denoisers_is_reported_at_once(midlineshift, painter, scan, tmp_path):
    painter.model.has_denoisers = False
    done = midlineshift("pseudo-healthy", scan, "--out", tmp_path / "out")
    assert done.code == 2 and "no denoisers" in done.sentence and "midlineshift-diffusion" in done.sentence
    assert not painter.asked


@pytest.mark.parametrize("slices", ["", "a", "9-3", "-4", "3,,4", "1-2-3", "0-99999"])
def test_wrong_slices_are_reported(midlineshift, painter, scan, tmp_path, slices):
    done = midlineshift("pseudo-healthy", scan, "--out", tmp_path / "out", "--slices", slices)
    assert done.code == 2 and "list of slices such as 14" in done.err and not painter.asked


@pytest.mark.slow
def test_the_shipped_model_makes_the_same_image_twice(midlineshift, tmp_path):
    """For real: the scan outside the brain, soft tissue within, bit for bit the same."""
    from pathlib import Path

    sample = Path(__file__).parents[3] / "Resources" / "SampleScans" / "sample_shifted.nii.gz"
    made = []
    for name in ("one", "two"):
        done = midlineshift("pseudo-healthy", sample, "--out", tmp_path / name, "--slices", "14", "--device", "cpu")
        assert done.code == 0, done.err
        made.append(read_healthy(tmp_path / name / sample.name.partition(".")[0] / "pseudo_healthy.npz"))
    assert np.array_equal(made[0].hu, made[1].hu) and np.array_equal(made[0].brain, made[1].brain)
    scan = read(sample).hu[14]
    brain = made[0].brain[0] == 1
    painted = made[0].over(0, scan)[brain]
    area = brain.sum() * 1.03**2
    assert 8_000 < area < 22_000 and 20 < np.median(painted) < 45
    assert abs(np.median(painted) - np.median(scan[brain])) < 6
