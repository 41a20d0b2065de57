"""``midlineshift-train diffusion``: train one of the two denoisers."""

from __future__ import annotations

from pathlib import Path

import click

from midlineshift_training.cli.run_options import run_options
from midlineshift_training.cli.set_options import of_landmarks, run_settings_of, set_choices, set_options
from midlineshift_training.trainers.presets import AUTHORS_DIFFUSION, with_preset
from midlineshift_training.trainers.settings import ENGINE

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
    # of a set with sparse landmarks: frame, and which slices of a case are taken (``cohorts.set_slices``)
    "frame": "aligned",
    "slices": "brain",
    "heights_mm": [-25.0, 70.0],
    "non_mls_below_mm": 1.5,
    # shifted cases are rare in life: Gong et al. over-sample them for the denoiser of all cases
    "mls_share": 0.5,
    # how noise levels are drawn (``stages.timesteps``)
    "sampler": "uniform",
    "rotation_deg": 15.0,
    "size_jitter": 0.06,
    "place_jitter_px": 0.7,
    "degraded_share": 0.5,
    "batch": 16,
    "learning_rate": 1e-3,
    "rate": "cosine",
    "weight_decay": 1e-4,
    "warm_up": 100,
    "max_steps": 3000,
    # in place of max_steps: passes over the slices, with a check after each
    "epochs": None,
    "check_every": 250,
    "validation_batches": 12,
    "ema_decay": 0.995,
    "gradient_clip": 1.0,
    "precision": "bf16-mixed",
    "seed": 0,
    "workers": 0,
}


# real scans look degraded enough, and what is pasted into phantoms would hide what they show
FROM_SET = {"degraded_share": 0.0}


@click.command()
@click.option(
    "--data", required=True, multiple=True, type=click.Path(path_type=Path), help="Phantoms or set; may be repeated."
)
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
@click.option("--seed", type=int, help="Seed of data order, augmentation, noise and initial weights.")
@set_options
@run_options
def diffusion(
    data, cohort, out, config, init, validation_cases, seed, preset, max_steps, epochs, validation_data, spacing, resume,
    threads, **where,
):  # fmt: skip
    """Train stage 1: a denoiser of unshifted cases (non-mls, "conditional") or of all ("unconditional").

    --data is a folder of phantoms, a set made by 'convert', or the .pkl of Gong et al.'s layout. The run folder gets
    best.safetensors (averaged weights), network.json, settings.yaml, provenance.json, last.ckpt, checks.csv, pictures,
    TensorBoard events and, at the end, summary.html. Research use only.
    """
    import torch

    from midlineshift_training.trainers.diffusion_trainer import DiffusionStage
    from midlineshift_training.trainers.epochs import steps_of_epochs
    from midlineshift_training.trainers.processes import say
    from midlineshift_training.trainers.training_run import train
    from MidlineShiftLogic.errors import InputError

    from_set = of_landmarks(data)
    defaults = with_preset(DEFAULTS | (FROM_SET if from_set else {}), preset, AUTHORS_DIFFUSION)
    choices = {"cohort": cohort, "init": str(init) if init else None, "preset": preset}
    choices |= set_choices(validation_data, spacing)
    options = {"max_steps": max_steps, "epochs": epochs, "seed": seed}
    settings = run_settings_of(defaults, choices, out, config, options, resume)
    check_settings(settings)
    if settings["cohort"] is None:
        raise InputError("Give --cohort non-mls or --cohort all.", "usage")
    if threads:
        torch.set_num_threads(threads)
    settings["data"] = [str(folder) for folder in data]
    slices, validation = _of_set(settings) if from_set else _of_phantoms(settings, data, validation_cases)
    settings |= steps_of_epochs(settings, len(slices))
    say(f"{len(slices)} slices to train on, {len(validation)} to check with")
    torch.manual_seed(settings["seed"])
    stage = DiffusionStage(settings, slices, validation)
    if settings["init"] and not (resume and (out / "last.ckpt").exists()):
        start_from(stage.network, Path(settings["init"]))
    say(train(stage, out, settings, resume, **where), err=False)


def _of_phantoms(settings: dict, data: tuple[Path, ...], validation_cases: int):
    from midlineshift_training.datasets.phantom_store import split_phantoms

    files, held_out = split_phantoms(data, validation_cases)
    settings |= {"cases": len(files), "validation_cases": len(held_out), "frame": "aligned", "slices": "brain"}
    return (cut(part, settings["cohort"], settings) for part in (files, held_out))


def _of_set(settings: dict):
    from midlineshift_training.datasets.set_slices import for_denoiser
    from midlineshift_training.trainers.set_data import cut_cases, set_cases
    from MidlineShiftLogic.errors import InputError

    if settings["degraded_share"] > 0:
        raise InputError("Degradations are made for phantoms; set degraded_share to 0 for a set.", "settings")
    size = max(settings["grid"], min(2 * settings["grid"], 256))
    pixel_mm = settings["frame_width_mm"] / size
    parts = set_cases(settings)
    cut_parts = (cut_cases(part, settings, size, pixel_mm, settings["cohort"]) for part in parts)
    return [for_denoiser(part, settings["non_mls_below_mm"]) for part in cut_parts]


def check_settings(settings: dict) -> None:
    """InputError if settings contradict one another."""
    from MidlineShiftLogic.errors import InputError

    if settings["degraded_share"] > 0 and settings["grid"] not in (64, 128):
        message = f"Degradations are made for a grid of 64 or 128, not {settings['grid']}; set degraded_share to 0."
        raise InputError(message, "settings")


def cut(files: list[Path], cohort: str, settings: dict):
    """The cohort's slices on twice the denoisers' grid (up to 256), so that turning them blurs little."""
    from midlineshift_training.datasets.denoiser_slices import load_aligned

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
