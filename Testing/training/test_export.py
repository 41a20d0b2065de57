"""Runs become a model folder; runs that do not belong together are refused."""

import json

import pytest
import torch
import yaml
from click.testing import CliRunner
from safetensors.torch import save_file
from small_networks import SMALL_DENOISER, awake

from midlineshift_training.cli import main
from MidlineShiftLogic.models import load_model
from MidlineShiftLogic.models.registry import kind_of
from MidlineShiftLogic.networks.denoiser import Denoiser
from MidlineShiftLogic.networks.midline_unet import MidlineUNet

NOISE = {"t": 300, "seed": 0, "schedule": "linear", "steps": 1000, "grid": 32, "gain": 5.0}
FRAME = {"grid": 128, "pixel_mm": 1.8, "frame_mm": 198.0}
FEATURES = (8, 8, 8, 8, 8)


def write_run(folder, network, settings):
    folder.mkdir()
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings))
    (folder / "network.json").write_text(json.dumps({"kind": kind_of(network), "config": network.config}))
    save_file(network.state_dict(), folder / "best.safetensors")
    return folder


def denoiser_settings(cohort):
    return {"cohort": cohort, "grid": 32, "schedule": "linear", "steps": 1000}


@pytest.fixture
def runs(tmp_path):
    deformation = awake(MidlineUNet(in_channels=3, features=FEATURES), 1)
    return {
        "pose": write_run(tmp_path / "pose", awake(MidlineUNet(features=FEATURES, flow=False)), FRAME),
        "conditional": write_run(tmp_path / "con", awake(Denoiser(**SMALL_DENOISER), 2), denoiser_settings("non-mls")),
        "unconditional": write_run(tmp_path / "unc", awake(Denoiser(**SMALL_DENOISER), 3), denoiser_settings("all")),
        "deformation": write_run(tmp_path / "def", deformation, FRAME | {"noise_difference": True, "noise": NOISE}),
    }


def export(runs, out, *more):
    places = [part for name, run in runs.items() for part in (f"--{name}", str(run))]
    return CliRunner().invoke(main, ["export", "--out", str(out), *places, *more])


def refused(runs, tmp_path):
    result = export(runs, tmp_path / "model")
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "model").exists()
    return result.output


def change(run, **settings):
    path = run / "settings.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | settings))


def test_the_folder_holds_the_runs_networks(runs, tmp_path):
    (tmp_path / "readout.json").write_text('{"quantile": 0.5}')
    result = export(runs, tmp_path / "model", "--readout", str(tmp_path / "readout.json"))
    assert result.exit_code == 0, result.output
    model = load_model(tmp_path / "model")
    assert model.name == "model"
    assert model.frame == {"grid": 128, "pixel_mm": 1.8, "length_mm": 198.0}
    assert model.noise == NOISE
    assert model.readout == {"quantile": 0.5}
    x, steps = torch.rand(1, 1, 32, 32), torch.tensor([300])
    with torch.no_grad():
        expected = awake(Denoiser(**SMALL_DENOISER), 2)
        assert model.network("conditional")(x, steps).shape == expected(x, steps).shape
        assert model.network("deformation")(torch.rand(1, 3, 64, 64)).displacement is not None


def test_without_denoisers(runs, tmp_path):
    change(runs["deformation"], noise_difference=False)
    assert "leave them out" in refused(runs, tmp_path)
    two = {name: runs[name] for name in ("pose", "deformation")}
    assert export(two, tmp_path / "model").exit_code == 0
    assert not load_model(tmp_path / "model").uses_noise_difference


def test_runs_that_do_not_belong_together(runs, tmp_path):
    assert "not 'non-mls'" in refused(runs | {"conditional": runs["unconditional"]}, tmp_path)
    assert "needs --conditional" in refused({n: r for n, r in runs.items() if n != "conditional"}, tmp_path)
    change(runs["unconditional"], grid=64)
    assert "another grid" in refused(runs, tmp_path)
    change(runs["unconditional"], grid=32)
    change(runs["pose"], pixel_mm=2.0)
    assert "different frames" in refused(runs, tmp_path)


@pytest.mark.parametrize(
    ("file", "said"),
    [("network.json", "network.json"), ("settings.yaml", "settings.yaml"), ("best.safetensors", "not finished")],
)
def test_unfinished_runs(runs, tmp_path, file, said):
    (runs["pose"] / file).unlink()
    assert said in refused(runs, tmp_path)
