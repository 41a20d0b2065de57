"""The preset ``authors`` is what Gong et al. trained with, and the training page tells every flag of theirs."""

import re
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from midlineshift_training.cli.main import main
from midlineshift_training.trainers.landmark_trainer import check_settings as check_landmarks
from midlineshift_training.trainers.settings.diffusion import DEFAULTS
from midlineshift_training.trainers.settings.landmarks import LANDMARKS
from midlineshift_training.trainers.settings.presets import AUTHORS_DEFORMATION, AUTHORS_DIFFUSION, with_preset
from midlineshift_training.trainers.start.diffusion import check_settings
from MidlineShiftLogic.networks.denoiser import Denoiser

DOCS = Path(__file__).parents[3] / "docs"
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


def test_the_presets_hold_only_settings_that_exist():
    assert AUTHORS_DIFFUSION.keys() <= DEFAULTS.keys()
    assert AUTHORS_DEFORMATION.keys() <= LANDMARKS.keys()
    assert AUTHORS_DEFORMATION["noise"].keys() == LANDMARKS["noise"].keys()
    check_settings(with_preset(DEFAULTS, "authors", AUTHORS_DIFFUSION))
    check_landmarks(with_preset(LANDMARKS, "authors", AUTHORS_DEFORMATION))
    assert (
        with_preset(DEFAULTS, "ours", AUTHORS_DIFFUSION) == with_preset(DEFAULTS, None, AUTHORS_DIFFUSION) == DEFAULTS
    )


def test_the_denoiser_is_the_published_one():
    with torch.device("meta"):
        network, published = (
            Denoiser(**one) for one in ({"image_size": AUTHORS_DIFFUSION["grid"]} | AUTHORS_DIFFUSION["network"], {})
        )
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(138.3e6, rel=1e-3)
    assert network.config == published.config  # also two output channels: learned variance


def test_the_method_is_theirs():
    one, two = (
        with_preset(ours, "authors", theirs)
        for ours, theirs in ((DEFAULTS, AUTHORS_DIFFUSION), (LANDMARKS, AUTHORS_DEFORMATION))
    )
    assert (one["steps"], one["schedule"], one["batch"], two["batch"]) == (1000, "linear", 2, 16)
    for settings in (one, two):
        assert (settings["ema_decay"], settings["epochs"], settings["learning_rate"]) == (0.9999, 100, 1e-4)
        assert settings["slices"] == "authors" and settings["rate"] == "constant"
    assert two["ddim"] == {"count": 50, "start": 15, "conditional_weight": 3.0}
    assert set(two["loss"].values()) == {1.0} and two["image_growth"] == 1 / 20
    assert two["t_range"] == [0, 999] and two["noise"]["t"] == 300
    assert (two["pseudo_healthy"], two["readout"]) == ("every step", "largest")
    assert two["grid"] == two["noise"]["grid"] == one["grid"] == 256
    assert two["grid"] * two["pixel_mm"] == one["frame_width_mm"]


def test_the_presets_denoisers_fit_the_second_stage_of_the_same_preset():
    """What export asks of runs that belong together."""
    for preset in ("ours", "authors"):
        one = with_preset(DEFAULTS, preset, AUTHORS_DIFFUSION)
        two = with_preset(LANDMARKS, preset, AUTHORS_DEFORMATION)
        assert all(one[key] == two["noise"][key] for key in ("grid", "schedule", "steps"))
        assert one["frame_width_mm"] == pytest.approx(two["grid"] * two["pixel_mm"])
        assert (one["frame_mm"], one["frame"], one["slices"]) == (two["frame_mm"], two["frame"], two["slices"])


def test_the_page_tells_every_flag_of_theirs():
    rows = re.findall(r"^\| `--(\w+)`", (DOCS / "training-from-gong.md").read_text(encoding="utf-8"), re.M)
    assert set(IMAGE_TRAIN + DEFORMATION) <= set(rows)
    assert len(rows) == len(set(rows))


def test_the_page_names_only_options_and_settings_that_exist():
    text = (DOCS / "training-from-gong.md").read_text(encoding="utf-8")
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
            known = DEFAULTS | LANDMARKS
            assert name in known and (not part or part in known[name] or part in LANDMARKS[name]), setting
    assert ours and ours <= options


def test_the_preset_asks_for_a_set(tmp_path):
    arguments = ["--data", str(tmp_path), "--out", str(tmp_path / "run"), "--preset", "authors"]
    result = CliRunner().invoke(main, ["deformation", *arguments])
    assert result.exit_code == 2 and "convert --phantoms" in result.output
    result = CliRunner().invoke(main, ["diffusion", *arguments, "--epochs", "1", "--max-steps", "1", "--cohort", "all"])
    assert result.exit_code == 2 and "not both" in result.output
