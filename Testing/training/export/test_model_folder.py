"""Runs become a model folder; runs that do not belong together are refused."""

import json
from pathlib import Path

import pytest
import torch
import yaml
from click.testing import CliRunner
from safetensors.torch import load_file, save_file
from small_networks import SMALL_DENOISER, awake

from midlineshift_training.cli.main import main
from midlineshift_training.export.model_folder import read_json_object
from midlineshift_training.trainers.run_folder.trained_on import trained_on, weights_trained_on
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.measurement.shift_settings import NEW_MODEL_SETTINGS
from MidlineShiftLogic.models import load_model
from MidlineShiftLogic.models.registry import kind_of
from MidlineShiftLogic.networks.denoiser import Denoiser
from MidlineShiftLogic.networks.midline_unet import MidlineUNet

NOISE = {"t": 300, "seed": 0, "schedule": "linear", "steps": 1000, "grid": 32, "gain": 5.0}
FRAME = {"grid": 64, "pixel_mm": 3.6, "frame_mm": 198.0}
FEATURES = (8, 8, 8, 8, 8)


def write_run(folder, network, settings):
    folder.mkdir()
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings))
    (folder / "network.json").write_text(json.dumps({"kind": kind_of(network), "config": network.config}))
    save_file(network.state_dict(), folder / "best.safetensors")
    record(folder, {"kind": "phantoms", "cases": 20})
    return folder


def record(run, *sources, **more):
    data = [{"path": "data", "sources": list(sources) or None}]
    (run / "provenance.json").write_text(json.dumps({"data": data, **more}))


def denoiser_settings(cohort):
    frame = {"frame_width_mm": FRAME["grid"] * FRAME["pixel_mm"], "frame_mm": FRAME["frame_mm"]}
    return frame | {"cohort": cohort, "grid": 32, "schedule": "linear", "steps": 1000, "degraded_share": 0.0}


@pytest.fixture
def runs(tmp_path):
    deformation = awake(MidlineUNet(in_channels=3, features=FEATURES), 1)
    method = {"noise_difference": True, "noise": NOISE, "ddim": {"start": 7}}
    return {
        "pose": write_run(tmp_path / "pose", awake(MidlineUNet(features=FEATURES, flow=False)), FRAME),
        "conditional": write_run(tmp_path / "con", awake(Denoiser(**SMALL_DENOISER), 2), denoiser_settings("non-mls")),
        "unconditional": write_run(tmp_path / "unc", awake(Denoiser(**SMALL_DENOISER), 3), denoiser_settings("all")),
        "deformation": write_run(tmp_path / "def", deformation, FRAME | method),
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
    assert model.frame == {"grid": 64, "pixel_mm": 3.6, "length_mm": 198.0}
    assert model.noise == NOISE | {"ddim": {"count": 50, "start": 7, "conditional_weight": 3.0}}
    assert model.description.trained_on == "synthetic phantoms (20 cases); no patient data"
    assert model.readout["quantile"] == 0.5
    assert model.readout["smooth_mm"] == NEW_MODEL_SETTINGS.smooth_mm, "what was not given is written out too"
    assert model.readout["agreement"] == NEW_MODEL_SETTINGS.agreement
    for name, run in runs.items():
        own = load_file(run / "best.safetensors")
        found = model.network(name).state_dict()
        assert own.keys() == found.keys()
        # matrices are kept in half precision
        assert all(torch.allclose(value.float(), found[key].float(), atol=2e-2) for key, value in own.items()), name
    other = load_file(runs["unconditional"] / "best.safetensors")
    conditional = model.network("conditional").state_dict()
    assert not all(torch.allclose(value, conditional[key], atol=2e-2) for key, value in other.items())


def test_the_model_says_what_all_its_weights_have_seen(runs, tmp_path):
    real = {"kind": "unlabelled scans", "cases": 24, "name": "CT-ICH", "licence": "CC BY 4.0"}
    started_from = {"sources": [real], "models": ["weights of old 3 (a set of 9 cases)"], "unknown": []}
    record(runs["pose"], {"kind": "phantoms", "cases": 30}, initial=started_from)
    assert export(runs, tmp_path / "model").exit_code == 0
    trained_on = load_model(tmp_path / "model").description.trained_on
    assert trained_on == (
        "synthetic phantoms (30 cases); unshifted real scans without annotations of CT-ICH (24 cases, CC BY 4.0); "
        "weights of old 3 (a set of 9 cases)"
    )


def test_data_that_nobody_recorded_have_to_be_said(runs, tmp_path):
    record(runs["conditional"])
    assert "con was trained on is recorded nowhere; say it with --trained-on" in refused(runs, tmp_path)
    assert export(runs, tmp_path / "model", "--trained-on", "scans of ours").exit_code == 0
    assert load_model(tmp_path / "model").description.trained_on == "scans of ours"


def test_weights_that_a_run_starts_from_are_followed(runs, tmp_path):
    assert weights_trained_on(runs["pose"]).text() == "synthetic phantoms (20 cases); no patient data"
    assert weights_trained_on(runs["pose"] / "best.safetensors").sources == trained_on([runs["pose"]]).sources
    assert export(runs, tmp_path / "model").exit_code == 0
    assert (
        weights_trained_on(tmp_path / "model" / "pose.safetensors").text().startswith("weights of model 1 (synthetic")
    )
    assert weights_trained_on(Path("midlineshift")).text().startswith("weights of midlineshift 5 (")
    assert weights_trained_on(Path("no-such-model")).unknown == ["no-such-model"]
    save_file({"a": torch.zeros(1)}, tmp_path / "loose.safetensors")
    assert weights_trained_on(tmp_path / "loose.safetensors").unknown == [str(tmp_path / "loose.safetensors")]
    assert weights_trained_on(Path("midlineshift")).text().startswith("weights of midlineshift ")
    (runs["pose"] / "provenance.json").unlink()  # a run of before there was one
    change(runs["pose"], init=str(runs["deformation"]))
    assert trained_on([runs["pose"]]).unknown == []
    change(runs["pose"], init=None)
    assert trained_on([runs["pose"]]).unknown == [str(runs["pose"])]


def test_without_denoisers(runs, tmp_path):
    settings = FRAME | {"noise_difference": False}
    runs["deformation"] = write_run(tmp_path / "def2", awake(MidlineUNet(features=FEATURES), 1), settings)
    assert "leave them out" in refused(runs, tmp_path)
    two = {name: runs[name] for name in ("pose", "deformation")}
    assert export(two, tmp_path / "model").exit_code == 0
    assert not load_model(tmp_path / "model").uses_noise_difference


@pytest.mark.parametrize(
    ("place", "other"),
    [
        ("pose", "deformation"),
        ("pose", "conditional"),
        ("deformation", "pose"),
        ("deformation", "unconditional"),
        ("conditional", "pose"),
        ("unconditional", "deformation"),
    ],
)
def test_a_run_in_the_wrong_place(runs, tmp_path, place, other):
    assert f"--{place} does not fit there" in refused(runs | {place: runs[other]}, tmp_path)


def test_a_deformation_network_of_the_wrong_input(runs, tmp_path):
    change(runs["deformation"], noise_difference=False)
    assert "2 input channels" in refused(runs, tmp_path)


def test_unknown_readout_parameters(runs, tmp_path):
    (tmp_path / "readout.json").write_text('{"quantil": 0.5}')
    result = export(runs, tmp_path / "model", "--readout", str(tmp_path / "readout.json"))
    assert result.exit_code == 2
    assert "--readout sets 'quantil'" in result.output


def test_runs_that_do_not_belong_together(runs, tmp_path):
    assert "not 'non-mls'" in refused(runs | {"conditional": runs["unconditional"]}, tmp_path)
    assert "needs --conditional" in refused({n: r for n, r in runs.items() if n != "conditional"}, tmp_path)
    change(runs["unconditional"], grid=64)
    assert "another grid" in refused(runs, tmp_path)
    change(runs["unconditional"], grid=32, frame_width_mm=250.0)
    assert "another frame" in refused(runs, tmp_path)
    change(runs["unconditional"], frame_width_mm=230.4, frame_mm=180.0)
    assert "another frame" in refused(runs, tmp_path)
    change(runs["unconditional"], frame_mm=198.0)
    change(runs["pose"], pixel_mm=2.0)
    assert "different frames" in refused(runs, tmp_path)


@pytest.mark.parametrize(
    ("file", "said"),
    [("network.json", "network.json"), ("settings.yaml", "settings.yaml"), ("best.safetensors", "not finished")],
)
def test_unfinished_runs(runs, tmp_path, file, said):
    (runs["pose"] / file).unlink()
    assert said in refused(runs, tmp_path)


def test_the_shipped_pose_network_goes_along_where_frames_are_equal(tmp_path):
    """What was fine-tuned from the shipped model needs no pose run; another frame does."""
    network = awake(MidlineUNet(in_channels=2, features=FEATURES), 1)
    frame = {"grid": 128, "pixel_mm": 1.8, "frame_mm": 198.0, "noise_difference": False}
    run = write_run(tmp_path / "tuned", network, frame)
    done = export({"deformation": run}, tmp_path / "model")
    assert done.exit_code == 0, done.output
    assert load_model(tmp_path / "model").frame_of("pose") == load_model("midlineshift").frame_of("pose")
    other = write_run(tmp_path / "other", network, frame | {"grid": 64, "pixel_mm": 3.6})
    done = export({"deformation": other}, tmp_path / "refused")
    assert done.exit_code == 2 and "Give --pose" in done.output and not (tmp_path / "refused").exists()


@pytest.mark.parametrize("text", ["[" * 200_000, "{", "[1]"])
def test_a_file_without_a_json_object_is_refused(tmp_path, text):
    (tmp_path / "readout.json").write_text(text)
    with pytest.raises(InputError, match=r"readout\.json (is not a readable JSON file|must hold a JSON object)"):
        read_json_object(tmp_path / "readout.json")
