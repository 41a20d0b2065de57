"""One class-conditional denoiser, trained on phantoms with twins and exported for the pseudo-healthy image."""

from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from drawn_phantoms import draw_phantom

from midlineshift_training.cli.main import main
from midlineshift_training.trainers.settings.stored import load_run_settings
from MidlineShiftLogic.models import load_model
from MidlineShiftLogic.models.folder import save_model
from MidlineShiftLogic.networks.strip_unet import StripUNet

TINY = (
    "grid=64",
    "network.channel_multipliers=[1,1]",
    "network.attention_resolutions=[16]",
    "batch=4",
    "max_steps=2",
    "check_every=2",
    "validation_batches=1",
    "ddim.start=1",
    "ddim.count=20",
    "degraded_share=0",
)


def run(*arguments, code=0):
    result = CliRunner().invoke(main, [*map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantoms")
    for number in range(3):
        path = folder / f"{number:05d}.npz"
        draw_phantom(folder / "twin.npz", number, 0.0)
        draw_phantom(path, number, 8.0)
        with np.load(path) as arrays, np.load(folder / "twin.npz") as twin:
            np.savez(path, **dict(arrays), twin_hu=twin["hu"])
    (folder / "twin.npz").unlink()
    return folder


def test_from_phantoms_to_a_model_with_one_denoiser(phantoms, tmp_path):
    tiny = [part for assignment in TINY for part in ("--set", assignment)]
    run("diffusion", "--class-conditional", "--data", phantoms, "--validation-cases", 1, "--out", tmp_path / "d", *tiny)
    settings = load_run_settings(tmp_path / "d")
    assert settings.task == "class-conditional" and settings.held_out
    assert (tmp_path / "d" / "best.safetensors").exists() and list((tmp_path / "d").rglob("*pseudo_healthy*"))
    small = ["--set", "features=[8,8,8,8,8]", "--set", "batch=2", "--set", "max_steps=1", "--set", "check_every=1"]
    small += ["--set", "validation_batches=1", "--set", "pictures_every=0", "--data", phantoms]
    run("pose", "--out", tmp_path / "p", *small)
    run("deformation", "--no-noise-difference", "--out", tmp_path / "f", *small)
    places = ["--pose", tmp_path / "p", "--deformation", tmp_path / "f", "--denoiser", tmp_path / "d"]
    run("export", "--out", tmp_path / "model", *places)
    model = load_model(tmp_path / "model")
    assert model.has_denoisers and model.class_conditional and not model.uses_noise_difference
    assert model.noise["grid"] == 64 and model.noise["t"] == settings.t
    assert model.noise["ddim"] == settings.ddim.model_dump()
    assert model.network("denoiser").config["height_condition"]

    # its noise difference as input of the deformation network, its image as target; new channels change nothing at first
    more = ["--denoiser", tmp_path / "d", "--init", tmp_path / "model", "--set", "image_every=1"]
    run("deformation", "--out", tmp_path / "f2", *small, *more)
    settings = load_run_settings(tmp_path / "f2")
    assert settings.noise.grid == 64 and settings.noise.t == model.noise["t"] and settings.ddim.own_level
    for source, out in ((tmp_path / "d", "m2"), (tmp_path / "model", "m3")):
        places = ["--pose", tmp_path / "p", "--deformation", tmp_path / "f2", "--denoiser", source]
        run("export", "--out", tmp_path / out, *places)
        exported = load_model(tmp_path / out)
        assert exported.uses_noise_difference and exported.noise["gain"] == settings.noise.gain
    # a finished model gets a denoiser beside it, and measures as before
    save_model(
        tmp_path / "base",
        replace(model.description, noise=None),
        {n: model.network(n) for n in ("pose", "deformation")} | {"refinement": StripUNet((8, 8, 8))},
    )
    one = ["--model", tmp_path / "base", "--denoiser", tmp_path / "d"]
    run("export", "--out", tmp_path / "m5", *one)
    added = load_model(tmp_path / "m5")
    assert added.class_conditional and not added.uses_noise_difference and added.noise["grid"] == 64
    assert load_model(tmp_path / "base").provenance["sha256"].items() <= added.provenance["sha256"].items()
    assert added.has_refinement
    assert "denoiser: synthetic" in added.description.trained_on
    assert "--model" in run("export", "--out", tmp_path / "m6", *one, "--pose", tmp_path / "p", code=2)
    assert "another frame" in run(
        "export", "--out", tmp_path / "m6", *one[2:], "--model", other_frame(tmp_path), code=2
    )
    plain = [*places[:4], "--out", tmp_path / "m4"]
    assert "--denoiser that it was trained with" in run("export", *plain, code=2)
    assert "leave out" in run("deformation", "--out", tmp_path / "f3", *small, *more, "--conditional", "d", code=2)
    assert "no class-conditional" in run(
        "deformation", "--out", tmp_path / "f3", *small, "--denoiser", "midlineshift", code=2
    )


def other_frame(folder):
    """The model of ``folder / "base"`` with another falx length."""
    model = load_model(folder / "base")
    description = replace(model.description, frame=model.frame | {"length_mm": 190.0})
    return save_model(folder / "other", description, {name: model.network(name) for name in ("pose", "deformation")})


def test_options_that_do_not_go_together(phantoms, tmp_path):
    start = ["diffusion", "--class-conditional", "--data", phantoms, "--out", tmp_path / "d"]
    assert "--class-conditional" in run(*start, "--cohort", "all", code=2)
    assert "more than 1" in run(*start, "--set", "null_share=0.7", "--set", "paired_share=0.7", code=2)
    assert not (tmp_path / "d").exists()
