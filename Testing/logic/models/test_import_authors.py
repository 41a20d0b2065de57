"""Checkpoints as the authors save them become a model folder; anything else is refused without being run."""

import os
import pickle
from dataclasses import replace

import pytest
import torch
from authors_fill import authors_state
from click.testing import CliRunner
from small_networks import SMALL_DENOISER

from MidlineShiftLogic.cli.model import model as model_command
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.models import load_model
from MidlineShiftLogic.models.authors_names import authors_name
from MidlineShiftLogic.models.checkpoint_size import deformation_config, denoiser_config
from MidlineShiftLogic.models.folder import save_model
from MidlineShiftLogic.models.import_authors import import_authors, read_authors
from MidlineShiftLogic.models.locate import DEFAULT_MODEL
from MidlineShiftLogic.networks.denoiser import Denoiser
from MidlineShiftLogic.networks.voxelmorph import DeformationNet


@pytest.fixture
def checkpoints(tmp_path):
    """The three files, of a small denoiser, as the authors' training writes them."""
    deformation = authors_state(DeformationNet(), "deform.")
    deformation["transformer.grid"] = torch.zeros(1, 2, 256, 256)
    states = {
        "conditional": authors_state(Denoiser(**SMALL_DENOISER), "con."),
        "unconditional": authors_state(Denoiser(**SMALL_DENOISER), "unc."),
        "deformation": deformation,
    }
    paths = {name: tmp_path / f"{name}.pt" for name in states}
    for name, state in states.items():
        torch.save(state, paths[name])
    return paths


def run(checkpoints, out, **more):
    return import_authors(**checkpoints, out=out, denoiser_config=SMALL_DENOISER, **more)


def refused(checkpoints, out):
    with pytest.raises(InputError) as caught:
        run(checkpoints, out)
    assert not out.exists()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def changed(path, change):
    state = torch.load(path, weights_only=True)
    change(state)
    torch.save(state, path)


def test_the_folder_computes_what_the_checkpoints_do(checkpoints, model_folder, tmp_path):
    model = load_model(run(checkpoints, tmp_path / "authors", pixel_mm=0.8))
    assert model.frame["pixel_mm"] == 0.8
    assert model.uses_noise_difference
    direct = read_authors(checkpoints["unconditional"], "it", Denoiser, SMALL_DENOISER)
    x, steps = torch.rand(1, 1, 32, 32), torch.tensor([300])
    with torch.no_grad():
        expected = direct(x, steps)
        found = model.network("unconditional")(x, steps)
        assert torch.allclose(found, expected, atol=1e-5 * float(expected.abs().max())), "float32 is kept"
        assert model.network("deformation")(torch.rand(1, 2, 64, 64)).shape == (1, 2, 64, 64)


def test_the_pose_network_comes_from_the_released_model(checkpoints, model_folder, tmp_path):
    model, released = load_model(run(checkpoints, tmp_path / "authors")), load_model()
    ours, theirs = model.network("pose").state_dict(), released.network("pose").state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert model.frame_of("pose") == released.frame
    assert model.readout == released.readout


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {f"module.{name}": value for name, value in state.items()},
        lambda state: {"state_dict": state, "epoch": 7},
        lambda state: {name: value.half() for name, value in state.items()},
    ],
)
def test_other_ways_to_save_the_same(checkpoints, model_folder, tmp_path, wrap):
    torch.save(wrap(torch.load(checkpoints["conditional"], weights_only=True)), checkpoints["conditional"])
    run(checkpoints, tmp_path / "authors")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.pop("middle_block.1.qkv.bias"), "'middle_block.1.qkv.bias' is missing"),
        (lambda s: s.update({"out.2.bias": torch.zeros(3)}), "'out.2.bias' is 3 where 2 is needed"),
        (lambda s: s.update({"extra.weight": torch.zeros(3)}), "'extra.weight' is unexpected"),
        (lambda s: s.update({"out.2.bias": torch.tensor([1, 2])}), "'out.2.bias' is no array of numbers"),
        (lambda s: s.update({"out.2.bias": torch.tensor([1, torch.nan])}), "'out.2.bias' holds values"),
    ],
)
def test_the_first_parameter_that_does_not_fit_is_named(checkpoints, model_folder, tmp_path, change, said):
    changed(checkpoints["conditional"], change)
    message = refused(checkpoints, tmp_path / "authors")
    assert said in message
    assert "the conditional denoiser" in message


def test_files_in_the_wrong_place(checkpoints, model_folder, tmp_path):
    swapped = checkpoints | {"deformation": checkpoints["conditional"]}
    assert "'encoder.0.0.main.weight' is missing" in refused(swapped, tmp_path / "authors")


def test_other_sizes_are_reported_from_the_weights(checkpoints, model_folder, tmp_path):
    model = load_model(import_authors(**checkpoints, out=tmp_path / "authors", grid=32, head_channels=16))
    assert model.network("conditional").config == Denoiser(**SMALL_DENOISER).config
    assert model.frame == {"grid": 32, "pixel_mm": 7.2, "length_mm": 165.0}
    assert model.noise["grid"] == 32


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"base_channels": 32, "residual_blocks": 3, "head_channels": 16, "channel_multipliers": [1, 2, 2]},
        {"base_channels": 64, "channel_multipliers": [1], "attention_resolutions": [], "out_channels": 1},
        {"base_channels": 32, "channel_multipliers": [1, 1], "num_classes": 2, "in_channels": 3, "head_channels": 32},
    ],
)
def test_the_size_of_a_denoiser_shows_in_its_shapes(config):
    with torch.device("meta"):
        network = Denoiser(**config)
        state = {authors_name(network, name): value for name, value in network.state_dict().items()}
    wanted = network.config
    config = denoiser_config(state, head_channels=wanted["head_channels"])
    levels = [256 // 2**k for k in range(len(wanted["channel_multipliers"]))]
    wanted["attention_resolutions"] = [side for side in levels if side in wanted["attention_resolutions"]]
    assert config == {name: value for name, value in wanted.items() if name != "dropout"}


def test_the_size_of_a_deformation_network_shows_in_its_shapes():
    network = DeformationNet(3, (8, 16, 16, 16), (16, 16, 16, 16, 16, 8, 8))
    state = {authors_name(network, name): value for name, value in network.state_dict().items()}
    assert deformation_config(state) == network.config


def test_heads_that_do_not_divide_the_channels_are_reported(checkpoints):
    with pytest.raises(InputError, match="heads of 64; give the channels of its attention heads"):
        read_authors(checkpoints["conditional"], "the conditional denoiser", Denoiser)


def test_how_the_pseudo_healthy_image_is_made_is_written_down(checkpoints, model_folder, tmp_path):
    model = load_model(run(checkpoints, tmp_path / "authors"))
    assert model.noise["ddim"] == {"count": 50, "start": 15, "conditional_weight": 3.0}


class Attack:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch '{self.marker}'",)


@pytest.mark.parametrize("plain_pickle", [False, True])
def test_code_in_a_checkpoint_is_not_run(checkpoints, model_folder, tmp_path, plain_pickle):
    marker, path = tmp_path / "marker", checkpoints["deformation"]
    if plain_pickle:
        path.write_bytes(pickle.dumps(Attack(marker)))
    else:
        torch.save({"weight": Attack(marker)}, path)
    assert "could run code" in refused(checkpoints, tmp_path / "authors")
    assert not marker.exists()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
def test_truncated_file(checkpoints, model_folder, tmp_path, share):
    content = checkpoints["unconditional"].read_bytes()
    checkpoints["unconditional"].write_bytes(content[: int(share * len(content))])
    assert str(checkpoints["unconditional"]) in refused(checkpoints, tmp_path / "authors")


def test_a_file_that_is_no_checkpoint(checkpoints, model_folder, tmp_path):
    checkpoints["unconditional"].write_text("<html>not found</html>")
    assert "not a" in refused(checkpoints, tmp_path / "authors")
    torch.save([1, 2], checkpoints["unconditional"])
    assert "no parameters by name" in refused(checkpoints, tmp_path / "authors")
    checkpoints["unconditional"].unlink()
    assert "There is no checkpoint file" in refused(checkpoints, tmp_path / "authors")


def test_command_line(checkpoints, model_folder, tmp_path):
    arguments = ["import-authors", "--out", str(tmp_path / "authors"), "--pixel-mm", "0.85"]
    arguments += ["--grid", "32", "--head-channels", "16"]
    for name, path in checkpoints.items():
        arguments += [f"--{name}", str(path)]
    result = CliRunner().invoke(model_command, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert load_model(tmp_path / "authors").frame["pixel_mm"] == 0.85


def test_the_list_has_a_line_a_model(model_folder, description, networks):
    long = replace(
        description, description="A fast one. It has a past. " + "And more. " * 50, speed={"cpu_seconds": 1.23}
    )
    save_model(model_folder.parent / "another", long, {"pose": networks["pose"]})
    broken = model_folder.parent / "broken"
    broken.mkdir()
    (broken / "model.json").write_text("{}")
    lines = CliRunner().invoke(model_command, ["list"], catch_exceptions=False).output.splitlines()
    of = {line.split()[0]: line for line in lines}
    assert of["another"].split() == ["another", "1.0", "1.2", "s", "A", "fast", "one."]
    assert of[DEFAULT_MODEL].startswith(f"{DEFAULT_MODEL} [default]") and of[DEFAULT_MODEL].endswith(
        "A model for tests."
    )
    assert "broken: " in of["broken"]


def test_show_has_the_rest(model_folder):
    assert '"frame"' in CliRunner().invoke(model_command, ["show"], catch_exceptions=False).output
