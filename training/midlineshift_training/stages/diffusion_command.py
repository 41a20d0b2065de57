"""``midlineshift-train diffusion``: train one of the two denoisers."""

from __future__ import annotations

from pathlib import Path

import click

from midlineshift_training.runs.options import run_options
from midlineshift_training.stages.settings import ENGINE

DEFAULTS = ENGINE | {
    # the frame all networks of one model share; the denoisers see it on 64 points of 3.6 mm
    "grid": 64,
    "frame_width_mm": 230.4,
    "frame_mm": 198.0,
    "network": {
        "base_channels": 32,
        "channel_multipliers": [1, 2, 2, 4],
        "residual_blocks": 1,
        "attention_resolutions": [16, 8],
        "head_channels": 32,
        "dropout": 0.0,
    },
    "schedule": "linear",
    "steps": 1000,
    "heights_mm": [-25.0, 70.0],
    "non_mls_below_mm": 1.5,
    # shifted cases are rare in life: Gong et al. over-sample them for the denoiser of all cases
    "mls_share": 0.5,
    "rotation_deg": 15.0,
    "size_jitter": 0.06,
    "place_jitter_px": 0.7,
    "degraded_share": 0.5,
    "batch": 16,
    "learning_rate": 1e-3,
    "weight_decay": 1e-4,
    "warm_up": 100,
    "max_steps": 3000,
    "check_every": 250,
    "validation_batches": 12,
    "ema_decay": 0.995,
    "gradient_clip": 1.0,
    "precision": "bf16-mixed",
    "seed": 0,
    "workers": 0,
}


@click.command()
@click.option("--data", required=True, multiple=True, type=click.Path(path_type=Path), help="Folder; may be repeated.")
@click.option("--cohort", type=click.Choice(["non-mls", "all"]), help="Cases to learn from; needed to start a run.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Run folder.")
@click.option("--config", type=click.Path(path_type=Path), help="YAML whose settings replace the defaults.")
@click.option("--init", type=click.Path(path_type=Path), help="Weights (.safetensors) or run folder to start from.")
@click.option(
    "--validation-cases",
    default=24,
    show_default=True,
    type=click.IntRange(min=1),
    help="Last cases of --data, held out.",
)
@click.option("--max-steps", type=int, help="Steps to train.")
@click.option("--seed", type=int, help="Seed of data order, augmentation, noise and initial weights.")
@run_options
def diffusion(data, cohort, out, config, init, validation_cases, max_steps, seed, resume, threads, **where):
    """Train stage 1: a denoiser of unshifted cases (non-mls, "conditional") or of all ("unconditional").

    The run folder gets best.safetensors (averaged weights), network.json, settings.yaml, provenance.json, last.ckpt,
    checks.csv, pictures, TensorBoard events and, at the end, summary.html. Research use only.
    """
    import torch

    from midlineshift_training.cohorts.phantom_store import split_phantoms
    from midlineshift_training.runs.processes import say
    from midlineshift_training.stages.diffusion import DiffusionStage
    from midlineshift_training.stages.engine import train
    from midlineshift_training.stages.run_folder import resumed_choices, resumed_settings
    from midlineshift_training.stages.settings import merge_settings
    from MidlineShiftLogic.errors import InputError

    defaults = resumed_settings(out, DEFAULTS) if resume else DEFAULTS
    settings = merge_settings(defaults, config, {"max_steps": max_steps, "seed": seed})
    check_settings(settings)
    choices = {"cohort": cohort, "init": str(init) if init else None}
    if resume:
        choices = resumed_choices(out, choices)
    elif cohort is None:
        raise InputError("Give --cohort non-mls or --cohort all.", "usage")
    if threads:
        torch.set_num_threads(threads)
    files, held_out = split_phantoms(data, validation_cases)
    settings |= choices | {
        "data": [str(folder) for folder in data],
        "cases": len(files),
        "validation_cases": len(held_out),
    }
    slices, validation = (cut(part, choices["cohort"], settings) for part in (files, held_out))
    say(f"{len(slices)} slices to train on, {len(validation)} to check with")
    torch.manual_seed(settings["seed"])
    stage = DiffusionStage(settings, slices, validation)
    if choices["init"] and not (resume and (out / "last.ckpt").exists()):
        start_from(stage.network, Path(choices["init"]))
    say(train(stage, out, settings, resume, **where), err=False)


def check_settings(settings: dict) -> None:
    """InputError if settings contradict one another."""
    from MidlineShiftLogic.errors import InputError

    if settings["degraded_share"] > 0 and settings["grid"] not in (64, 128):
        message = f"Degradations are made for a grid of 64 or 128, not {settings['grid']}; set degraded_share to 0."
        raise InputError(message, "settings")


def cut(files: list[Path], cohort: str, settings: dict):
    """The cohort's slices on twice the denoisers' grid (up to 256), so that turning them blurs little."""
    from midlineshift_training.cohorts.aligned_slices import load_aligned

    size = max(settings["grid"], min(2 * settings["grid"], 256))
    pixel_mm = settings["frame_width_mm"] / size
    return load_aligned(
        files, cohort, size, pixel_mm, settings["frame_mm"], settings["non_mls_below_mm"], settings["heights_mm"]
    )


def start_from(network, source: Path) -> None:
    """Take over the weights of a run folder or safetensors file. InputError if they do not fit."""
    import torch

    from MidlineShiftLogic.models.weights import fill, read_weights

    path = source / "best.safetensors" if source.is_dir() else source
    fill(network, read_weights(path), str(path)).to(memory_format=torch.channels_last)
