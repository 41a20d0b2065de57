"""The preset ``authors`` is what Gong et al. trained with, and the training page tells every flag of theirs."""

import re
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from midlineshift_training.cli.main import main
from midlineshift_training.trainers.settings.diffusion import DiffusionSettings
from midlineshift_training.trainers.settings.landmarks import LandmarkSettings
from midlineshift_training.trainers.settings.presets import AUTHORS_DIFFUSION, AUTHORS_LANDMARKS, with_preset
from MidlineShiftLogic.networks.denoiser import Denoiser

PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "differences-from-the-paper.md"
# guided-diffusion's flags that image_train.py takes, and those that the deformation scripts add
IMAGE_TRAIN = (
    "data_dir", "schedule_sampler", "lr", "weight_decay", "lr_anneal_steps", "batch_size", "microbatch", "ema_rate",
    "log_interval", "save_interval", "resume_checkpoint", "use_fp16", "fp16_scale_growth", "image_size", "num_channels",
    "num_res_blocks", "num_heads", "num_heads_upsample", "num_head_channels", "attention_resolutions", "channel_mult",
    "dropout", "class_cond", "use_checkpoint", "use_scale_shift_norm", "resblock_updown", "use_new_attention_order",
    "learn_sigma", "diffusion_steps", "noise_schedule", "timestep_respacing", "use_kl", "predict_xstart",
    "rescale_timesteps", "rescale_learned_sigmas",
)  # fmt: skip
DEFORMATION = ("val_data_dir", "model_con_path", "model_uncon_path", "model_path")


def test_the_preset_is_taken_only_when_it_is_asked_for():
    ours = DiffusionSettings()
    assert with_preset(ours, "authors", AUTHORS_DIFFUSION) == AUTHORS_DIFFUSION != ours
    assert with_preset(ours, "ours", AUTHORS_DIFFUSION) == with_preset(ours, None, AUTHORS_DIFFUSION) == ours


def test_the_denoiser_is_the_published_one():
    with torch.device("meta"):
        network, published = (
            Denoiser(**one)
            for one in ({"image_size": AUTHORS_DIFFUSION.grid} | AUTHORS_DIFFUSION.network.model_dump(), {})
        )
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(138.3e6, rel=1e-3)
    assert network.config == published.config  # also two output channels: learned variance


def test_the_method_is_theirs():
    one, two = AUTHORS_DIFFUSION, AUTHORS_LANDMARKS
    assert (one.steps, one.schedule, one.batch, two.batch) == (1000, "linear", 2, 16)
    for settings in (one, two):
        assert (settings.ema_decay, settings.epochs, settings.learning_rate) == (0.9999, 100, 1e-4)
        assert settings.slices == "authors" and settings.rate == "constant"
    assert two.ddim.model_dump() == {
        "count": 50, "start": 15, "conditional_weight": 3.0, "own_level": False, "noises": 1,
        "by_difference": False,
    }  # fmt: skip
    assert (
        two.loss.model_dump() == {"image": 1.0, "smooth": 1.0, "landmark": 1.0, "hinge": 1.0, "bending": 0.0}
        and two.image_growth == 1 / 20
    )
    assert two.t_range == (0, 999) and two.noise.t == 300
    assert (two.pseudo_healthy, two.readout) == ("every step", "largest")
    assert two.grid == two.noise.grid == one.grid == 256
    assert two.grid * two.pixel_mm == one.frame_width_mm


def test_the_presets_denoisers_fit_the_second_stage_of_the_same_preset():
    """What export asks of runs that belong together."""
    for preset in ("ours", "authors"):
        one = with_preset(DiffusionSettings(), preset, AUTHORS_DIFFUSION)
        two = with_preset(LandmarkSettings(), preset, AUTHORS_LANDMARKS)
        assert all(getattr(one, key) == getattr(two.noise, key) for key in ("grid", "schedule", "steps"))
        assert one.frame_width_mm == pytest.approx(two.grid * two.pixel_mm)
        assert (one.frame_mm, one.frame, one.slices) == (two.frame_mm, two.frame, two.slices)


def test_the_page_shows_every_flag_of_theirs():
    rows = re.findall(r"^\| `--(\w+)`", PAGE.read_text(encoding="utf-8"), re.M)
    assert set(IMAGE_TRAIN + DEFORMATION) <= set(rows)
    assert len(rows) == len(set(rows))


def test_the_page_names_only_options_and_settings_that_exist():
    text = PAGE.read_text(encoding="utf-8")
    options = {
        option
        for name in ("diffusion", "deformation", "evaluate", "export", "convert")
        for parameter in main.get_command(None, name).params
        for option in parameter.opts
    }
    ours = set()
    for row in re.findall(r"^\| `--\w+` \|[^|]*\|([^|]*)\|", text, re.M):
        ours |= set(re.findall(r"`(--[\w-]+)", row))
        for setting in re.findall(r"`(\w+(?:\.\w+)?)`", row):
            name, _, part = setting.partition(".")
            known = DiffusionSettings().model_dump() | LandmarkSettings().model_dump()
            assert name in known and (not part or part in known[name]), setting
    assert ours and ours <= options


def test_the_preset_asks_for_a_set(tmp_path):
    arguments = ["--data", str(tmp_path), "--out", str(tmp_path / "run"), "--preset", "authors"]
    result = CliRunner().invoke(main, ["deformation", *arguments])
    assert result.exit_code == 2 and "convert --phantoms" in result.output
    result = CliRunner().invoke(main, ["diffusion", *arguments, "--epochs", "1", "--max-steps", "1", "--cohort", "all"])
    assert result.exit_code == 2 and "not both" in result.output
