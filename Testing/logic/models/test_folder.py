import json
import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file
from small_networks import SMALL_DENOISER, awake

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.models import folder as folder_module
from MidlineShiftLogic.models import list_models, load_model, save_model
from MidlineShiftLogic.models.folder import denoiser_pair, read_description, write_uncertainty
from MidlineShiftLogic.models.locate import DEFAULT_MODEL, ENVIRONMENT_VARIABLE
from MidlineShiftLogic.models.weights import sha256
from MidlineShiftLogic.networks.denoiser import NULL_CLASS, UNSHIFTED_CLASS, Denoiser
from MidlineShiftLogic.unfinished import host


def rewrite(folder, change):
    """Change the parsed model.json in place."""
    path = folder / "model.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def refuse(folder):
    with pytest.raises(InputError) as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)
    return str(caught.value)


def test_round_trip(model_folder, description, networks):
    model = load_model(model_folder)
    assert model.name == description.name
    assert model.frame == {"grid": 128, "pixel_mm": 1.8, "length_mm": 198.0}
    assert model.noise["t"] == 300
    assert model.readout == {"quantile": 0.75}
    assert model.description.window_hu == (0.0, 80.0)
    assert model.uses_noise_difference
    x, steps = torch.rand(2, 1, 32, 32), torch.tensor([300, 300])
    loaded = model.network("conditional")
    assert not loaded.training
    assert all(p.dtype == torch.float32 and not p.requires_grad for p in loaded.parameters())
    with torch.no_grad():
        assert torch.allclose(loaded(x, steps), networks["conditional"](x, steps), atol=1e-2)
    assert model.network("conditional") is loaded
    model.network("pose")


def test_one_class_conditional_denoiser_stands_for_both(tmp_path, description, networks):
    one = awake(Denoiser(**SMALL_DENOISER, num_classes=2, height_condition=True), 5)
    model = load_model(save_model(tmp_path / "model", description, {"pose": networks["pose"], "denoiser": one}))
    assert model.uses_noise_difference and model.class_conditional
    x, steps, heights = torch.rand(2, 1, 32, 32), torch.tensor([100, 100]), torch.tensor([0.0, 30.0])
    with torch.no_grad():
        for predict, label in zip(denoiser_pair(model)(heights), (UNSHIFTED_CLASS, NULL_CLASS), strict=True):
            expected = one(x, steps, torch.full((2,), label), heights)
            assert torch.allclose(predict(x, steps), expected, atol=1e-2)


def test_two_denoisers_are_their_own_pair(model_folder):
    model = load_model(model_folder)
    assert not model.class_conditional
    pair = denoiser_pair(model)(torch.tensor([0.0]))
    assert pair == (model.network("conditional"), model.network("unconditional"))


def test_weights_are_half_on_disk_and_vectors_are_not(model_folder):
    stored = load_file(model_folder / "pose.safetensors")
    assert {value.dtype for value in stored.values() if value.ndim > 1} == {torch.float16}
    assert stored["stem.1.running_var"].dtype == torch.float32
    assert stored["stem.1.num_batches_tracked"].dtype == torch.int64


def test_values_too_large_for_half_are_kept(tmp_path, description, networks):
    state = networks["pose"].state_dict()
    before = state["dense.weight"].clone()
    state["dense.weight"][:] = 1e6
    try:
        model = load_model(save_model(tmp_path / "large", description, {"pose": networks["pose"]}))
    finally:
        state["dense.weight"].copy_(before)
    assert model.network("pose").dense.weight.flatten()[0] == 1e6


def test_provenance_is_json_and_names_every_file(model_folder):
    provenance = load_model(model_folder).provenance
    json.dumps(provenance)
    assert provenance["sha256"]["pose"] == sha256(model_folder / "pose.safetensors")


def test_default_model_and_names(model_folder):
    assert list_models()[DEFAULT_MODEL] == model_folder
    assert load_model().folder == model_folder
    assert load_model(DEFAULT_MODEL).folder == model_folder


def test_unknown_name_shows_the_known_ones(model_folder):
    with pytest.raises(InputError, match=f"no model 'other'.*{DEFAULT_MODEL}"):
        load_model("other")


def test_nothing_installed(tmp_path, monkeypatch):
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(tmp_path / "absent"))
    monkeypatch.setattr("MidlineShiftLogic.models.locate._PACKAGE", tmp_path / "package" / "inside")
    assert list_models() == {}
    with pytest.raises(InputError, match="no model is installed by name"):
        load_model()


def test_folder_without_model_json(tmp_path):
    assert "has no model.json" in refuse(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"model"', "\ufeff{}", "[" * 100_000])
def test_model_json_that_is_no_description(model_folder, text):
    (model_folder / "model.json").write_text(text)
    refuse(model_folder)


def test_model_json_that_is_not_text(model_folder):
    (model_folder / "model.json").write_bytes(b"\xff\xfe\x00\x81")
    assert "not valid JSON" in refuse(model_folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c.pop("name"), "'name' is missing"),
        (lambda c: c.update(format=2), "'format' is 2"),
        (lambda c: c["frame"].pop("grid"), "'frame.grid' is missing"),
        (lambda c: c["frame"].update(grid="128"), "'frame.grid' is of the wrong type"),
        (lambda c: c["frame"].update(pixel_mm=0), "'frame.pixel_mm' is 0 and must be positive"),
        (lambda c: c.update(window_hu=[80, 0]), "'window_hu'"),
        (lambda c: c.update(window_hu=[0, 100]), "only reads 0..80 HU"),
        (lambda c: c["noise"].update(t=-1), "'noise.t' is -1"),
        (lambda c: c.update(components=[]), "'components' is of the wrong type"),
        (lambda c: c["components"].update(brain={}), "unknown component 'brain'"),
        (lambda c: c["components"]["pose"].update(kind="pickle"), "known kinds are adm"),
        (lambda c: c["components"]["pose"].pop("sha256"), "'components.pose.sha256' is missing"),
        (lambda c: c["components"]["pose"].update(file="../pose.safetensors"), "not the name of a file"),
        (lambda c: c["components"]["pose"].update(file="/etc/passwd"), "not the name of a file"),
    ],
)
def test_broken_keys_are_named(model_folder, change, said):
    rewrite(model_folder, change)
    assert said in refuse(model_folder)


def test_missing_weights(model_folder):
    (model_folder / "pose.safetensors").unlink()
    assert "pose.safetensors cannot be read" in refuse(model_folder)


def test_changed_weights(model_folder):
    path = model_folder / "pose.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert "SHA-256 differs" in refuse(model_folder)


def replaced_weights(folder, component, write):
    path = folder / f"{component}.safetensors"
    write(path)
    rewrite(folder, lambda c: c["components"][component].update(sha256=sha256(path)))
    return load_model(folder)


def test_weights_that_are_no_safetensors(model_folder):
    model = replaced_weights(model_folder, "pose", lambda path: path.write_bytes(b"not tensors"))
    with pytest.raises(InputError, match="not a readable safetensors file"):
        model.network("pose")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.pop("dense.bias"), "lacks the parameter 'dense.bias'"),
        (lambda s: s.update(extra=torch.zeros(1)), "unexpected parameter 'extra'"),
        (lambda s: s.update({"dense.bias": torch.zeros(4)}), "'dense.bias' as 4 where 5 is needed"),
    ],
)
def test_weights_that_do_not_fit(model_folder, change, said):
    state = load_file(model_folder / "pose.safetensors")
    change(state)
    model = replaced_weights(model_folder, "pose", lambda path: save_file(state, path))
    with pytest.raises(InputError, match=said):
        model.network("pose")


def test_settings_the_network_does_not_know(model_folder):
    rewrite(model_folder, lambda c: c["components"]["pose"]["config"].update(colour="red"))
    with pytest.raises(InputError, match="colour"):
        load_model(model_folder).network("pose")


def test_absent_component(model_folder):
    with pytest.raises(InputError, match="has no deformation network"):
        load_model(model_folder).network("deformation")


def test_component_with_a_frame_of_its_own(tmp_path, description, networks):
    frame = {"grid": 64, "pixel_mm": 3.6, "length_mm": 198.0}
    model = load_model(save_model(tmp_path / "m", description, networks, frames={"pose": frame}))
    assert model.frame_of("pose") == frame
    assert model.frame_of("conditional") == model.frame
    assert model.grid_of("pose") == {"size": frame["grid"], **{name: frame[name] for name in ("pixel_mm", "length_mm")}}


def test_an_existing_folder_is_left_alone(model_folder, description, networks):
    before = (model_folder / "model.json").read_bytes()
    with pytest.raises(InputError, match="already exists"):
        save_model(model_folder, description, networks)
    assert (model_folder / "model.json").read_bytes() == before


def test_nothing_is_left_when_writing_fails(tmp_path, description, networks, monkeypatch):
    def fails(path, state, half):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folder_module, "write_weights", fails)
    with pytest.raises(OSError, match="No space"):
        save_model(tmp_path / "new", description, networks)
    assert list(tmp_path.iterdir()) == []


def test_names_with_spaces_and_other_letters(tmp_path, description, networks):
    folder = save_model(tmp_path / "größe 大脑", description, {"pose": networks["pose"]})
    assert load_model(folder).network("pose") is not None
    assert read_description(folder) == load_model(str(folder)).description


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX systems")
def test_other_users_can_read_an_installed_model(model_folder):
    assert all(path.stat().st_mode & 0o044 for path in (model_folder, *model_folder.iterdir()))


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["components"]["pose"]["config"].update(integration_steps="x"),
        lambda d: d["components"]["pose"]["config"].update(integration_steps=1.5),
        lambda d: d["components"]["pose"]["config"].update(integration_steps=-1),
        lambda d: d["components"]["pose"]["config"].update(features=[10**9]),
        lambda d: d["components"]["pose"]["config"].update(features=[16] * 1000),
        lambda d: d["components"]["pose"]["config"].update(grid={"rows": 80.5}),
        lambda d: d["components"]["pose"]["config"].update(grid={"rows": 0}),
        lambda d: d["components"]["pose"]["config"].update(grid={"columns": 10**9}),
        lambda d: d["components"]["pose"]["config"].update(grid={"column_mm": "wide"}),
        lambda d: d["components"]["pose"]["config"].update(grid={"beyond": -0.5}),
        lambda d: d["components"]["pose"]["config"].update(grid={"beyond": {"deep": 1}}),
        lambda d: d["frame"].update(pixel_mm=float("inf")),
        lambda d: d["frame"].update(grid=10**9),
        lambda d: d["frame"].update(length_mm=float("nan")),
        lambda d: d["readout"].update(anything=float("-inf")),
    ],
)
def test_values_that_no_model_has_are_refused_at_load(model_folder, change):
    path = model_folder / "model.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(InputError) as caught:
        load_model(model_folder)
    assert caught.value.code == "model-json" and "\n" not in str(caught.value)


def test_undefined_weights_are_refused(model_folder):
    path = model_folder / "pose.safetensors"
    state = load_file(path)
    next(value for value in state.values() if value.is_floating_point()).view(-1)[0] = float("nan")
    save_file(state, path)
    rewrite(model_folder, lambda c: c["components"]["pose"].update(sha256=sha256(path)))
    with pytest.raises(InputError, match="undefined numbers"):
        load_model(model_folder).network("pose")


def test_a_calibration_removes_what_a_killed_one_left(model_folder):
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    left = model_folder / f".model.json.partial-{host()}-{process.pid}"
    left.write_text("half")
    before = {path.name for path in model_folder.iterdir()} - {left.name}
    write_uncertainty(model_folder, {"kept": True})
    assert {path.name for path in model_folder.iterdir()} == before
    assert json.loads((model_folder / "model.json").read_text())["uncertainty"] == {"kept": True}
