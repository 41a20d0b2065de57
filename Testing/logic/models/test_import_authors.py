"""Checkpoints as the authors save them become a model folder; anything else is refused without being run."""

import os
import pickle

import pytest
import torch
from authors_fill import authors_state
from click.testing import CliRunner
from small_networks import SMALL_DENOISER

from MidlineShiftLogic.cli.model import model as model_command
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.models import load_model
from MidlineShiftLogic.models.import_authors import import_authors, read_authors
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
        assert torch.allclose(model.network("unconditional")(x, steps), expected, atol=0.02 * expected.abs().max())
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


def test_published_size_is_expected_by_default(checkpoints):
    with pytest.raises(InputError, match=r"'time_embed.0.weight' is 128x32 where 512x128 is needed"):
        read_authors(checkpoints["conditional"], "the conditional denoiser", Denoiser)


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


def test_command_line(checkpoints, model_folder, tmp_path, monkeypatch):
    from MidlineShiftLogic.models import import_authors as importing

    monkeypatch.setattr(importing, "Denoiser", lambda **_: Denoiser(**SMALL_DENOISER))
    arguments = ["import-authors", "--out", str(tmp_path / "authors"), "--pixel-mm", "0.85"]
    for name, path in checkpoints.items():
        arguments += [f"--{name}", str(path)]
    result = CliRunner().invoke(model_command, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert load_model(tmp_path / "authors").frame["pixel_mm"] == 0.85


def test_list_and_show(model_folder):
    runner = CliRunner()
    listed = runner.invoke(model_command, ["list"], catch_exceptions=False).output
    assert "A model for tests." in listed
    assert "[default]" in listed
    assert '"frame"' in runner.invoke(model_command, ["show"], catch_exceptions=False).output
