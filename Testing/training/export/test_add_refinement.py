"""A refinement network goes into a model beside the others, or in the place of an earlier one."""

import json

import pytest
import torch
import yaml
from click.testing import CliRunner
from safetensors.torch import save_file
from small_networks import awake

from midlineshift_training.cli.main import main
from midlineshift_training.export.card_tables import WHAT
from midlineshift_training.export.model_card import PARTS
from midlineshift_training.trainers.settings.stored import load_run_settings
from MidlineShiftLogic.measurement.shift_settings import ShiftSettings
from MidlineShiftLogic.models import load_model
from MidlineShiftLogic.models.description import COMPONENTS
from MidlineShiftLogic.models.folder import write_uncertainty
from MidlineShiftLogic.models.registry import kind_of
from MidlineShiftLogic.networks.midline_unet import MidlineUNet
from MidlineShiftLogic.networks.strip_unet import StripUNet

FRAME = {"grid": 64, "pixel_mm": 3.6, "frame_mm": 198.0}
FEATURES = (8, 8, 8, 8, 8)
REFINEMENT = FRAME | {"task": "refinement"}


def write_run(folder, network, settings):
    folder.mkdir()
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings))
    (folder / "network.json").write_text(json.dumps({"kind": kind_of(network), "config": network.config}))
    save_file(network.state_dict(), folder / "best.safetensors")
    sources = [{"kind": "phantoms", "cases": 20}]
    (folder / "provenance.json").write_text(json.dumps({"data": [{"path": "data", "sources": sources}]}))
    return folder


@pytest.fixture
def runs(tmp_path):
    plain = awake(MidlineUNet(in_channels=2, features=FEATURES), 1)
    return {
        "pose": write_run(tmp_path / "pose", awake(MidlineUNet(features=FEATURES, flow=False)), FRAME),
        "deformation": write_run(tmp_path / "def", plain, FRAME | {"noise_difference": False}),
        "refinement": write_run(tmp_path / "ref", awake(StripUNet((8, 8)), 2), REFINEMENT),
    }


def export(out, *more, **runs):
    places = [part for name, run in runs.items() for part in (f"--{name}", str(run))]
    return CliRunner().invoke(main, ["export", "--out", str(out), *places, *more])


def same(network, other):
    return all(torch.equal(value, other.state_dict()[name]) for name, value in network.state_dict().items())


def test_a_model_with_all_three_networks(runs, tmp_path):
    result = export(tmp_path / "model", **runs)
    assert result.exit_code == 0, result.output
    model = load_model(tmp_path / "model")
    assert set(model.description.components) == set(runs)
    network = model.network("refinement")
    assert isinstance(network, StripUNet) and network.grid == StripUNet((8, 8)).grid
    assert model.description.trained_on == "synthetic phantoms (20 cases); no patient data"


def test_only_the_refinement_is_replaced(runs, tmp_path):
    assert export(tmp_path / "base", **runs).exit_code == 0
    write_uncertainty(tmp_path / "base", {"of": "the base"})
    other = write_run(tmp_path / "other", awake(StripUNet((8, 16)), 3), REFINEMENT)
    content = json.loads((tmp_path / "base" / "model.json").read_text())
    del content["readout"]["refinement_passes"]  # a model of before the second look
    (tmp_path / "base" / "model.json").write_text(json.dumps(content))
    (tmp_path / "readout.json").write_text('{"refined_plane_share": 0.25}')
    more = ["--model", str(tmp_path / "base"), "--model-version", "5", "--readout", str(tmp_path / "readout.json")]
    result = export(tmp_path / "model", *more, refinement=other)
    assert result.exit_code == 0, result.output
    base, model = load_model(tmp_path / "base"), load_model(tmp_path / "model")
    for name in ("pose", "deformation"):
        assert model.provenance["sha256"][name] == base.provenance["sha256"][name]
        assert same(model.network(name), base.network(name))
    assert model.network("refinement").config["features"] == [8, 16]
    second_look = {"refined_plane_share": 0.25, "refinement_passes": ShiftSettings().refinement_passes}
    assert (model.frame, model.readout) == (base.frame, base.readout | second_look), "every setting is written out"
    assert model.uncertainty is None, "it was learnt from other numbers"
    assert model.description.version == "5"
    said = model.description.trained_on
    assert "other networks of base 1" in said and said.endswith(
        "refinement network: synthetic phantoms (20 cases); no patient data"
    )


def test_a_fine_tuned_deformation_network_keeps_the_models_other_networks(runs, tmp_path):
    assert export(tmp_path / "base", **runs).exit_code == 0
    tuned = {"deformation": runs["deformation"]}
    more = ["--pose-from", str(tmp_path / "base")]
    result = export(tmp_path / "model", *more, **tuned)
    assert result.exit_code == 0, result.output
    base, model = load_model(tmp_path / "base"), load_model(tmp_path / "model")
    assert same(model.network("refinement"), base.network("refinement"))
    assert "pose and refinement networks of base 1" in model.description.trained_on
    # a pose run of one's own stands for a model of one's own
    own = export(tmp_path / "own", **tuned, pose=runs["pose"])
    assert own.exit_code == 0, own.output
    assert set(load_model(tmp_path / "own").description.components) == {"pose", "deformation"}


def test_a_run_of_another_network_or_frame_is_refused(runs, tmp_path):
    assert export(tmp_path / "base", **runs).exit_code == 0
    model = ["--model", str(tmp_path / "base")]
    other = write_run(tmp_path / "wide", awake(StripUNet((8, 8))), REFINEMENT | {"pixel_mm": 2.0})
    cases = [
        (model, {"refinement": runs["pose"]}, "must be trained by 'refinement'"),
        (model, {"refinement": other}, "another frame than the model 'base'"),
        (model, {"refinement": tmp_path}, "is not a run folder"),
        (model, {"refinement": runs["refinement"], "pose": runs["pose"]}, "leave out all else"),
        ([], runs | {"refinement": runs["pose"]}, "--refinement does not fit there"),
        ([], runs | {"refinement": other}, "another frame than the deformation run"),
        ([], runs | {"deformation": runs["refinement"]}, "--deformation does not fit there"),
        ([], {"refinement": runs["refinement"]}, "--deformation"),
    ]
    for more, given, sentence in cases:
        result = export(tmp_path / "model", *more, **given)
        assert result.exit_code == 2 and sentence in result.output, (sentence, result.output)
        assert not (tmp_path / "model").exists()


def test_every_component_has_its_row_on_the_card():
    assert set(PARTS) == set(WHAT) == set(COMPONENTS)


def test_a_run_of_before_tasks_were_stored_is_known_by_its_network(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "settings.yaml").write_text(yaml.safe_dump({"clean_share": 0.4}))
    (run / "network.json").write_text('{"kind": "strip_unet", "config": {}}')
    save_file({}, run / "best.safetensors")
    assert load_run_settings(run).task == "refinement"
