"""``midlineshift-train pose`` and ``midlineshift-train deformation``: train the networks that read a slice."""

from __future__ import annotations

from pathlib import Path

import click

from midlineshift_training.cli.run_options import run_options
from midlineshift_training.cli.set_options import of_landmarks, run_settings_of, set_choices, set_options
from midlineshift_training.trainers.presets import AUTHORS, AUTHORS_DEFORMATION, with_preset
from midlineshift_training.trainers.settings import ENGINE

# The frame all networks of one model share: 128 points of 1.8 mm, the falx spanning 198 frame millimetres.
FRAME = {"grid": 128, "pixel_mm": 1.8, "frame_mm": 198.0}
COMMON = (
    FRAME
    | ENGINE
    | {
        "features": [16, 32, 64, 112, 160],
        # the slice is sampled so many times more densely than the grid
        "fineness": 1,
        "batch": 24,
        "bend_mm": 17.0,
        "learning_rate": 2e-3,
        "weight_decay": 1e-3,
        "warm_up": 100,
        "gradient_clip": 3.0,
        "max_steps": 6000,
        "check_every": 250,
        "validation_batches": 12,
        "ema_decay": 0.995,
        "precision": "bf16-mixed",
        "seed": 0,
        "workers": 0,
    }
)
POSE = COMMON | {"broad": True, "max_steps": 3000}
DEFORMATION = COMMON | {
    "broad": False,
    "features": [24, 48, 96, 144, 192],
    "fineness": 2,
    "noise_difference": True,
    # the denoisers see the slice on this grid; at test t = 300, as in Gong et al.; in training t strays around it
    "noise": {"t": 300, "seed": 0, "schedule": "linear", "steps": 1000, "grid": 64, "gain": 5.0},
    "t_range": [200, 400],
    # weights of Gong et al.'s four terms beside the dense truth; the image term's grows with the epochs as theirs
    "loss": {"image": 0.02, "smooth": 0.02, "landmark": 0.05, "hinge": 0.05},
    # the pseudo-healthy image takes 15 double denoiser passes: a few slices every few steps
    "image_every": 8,
    "image_slices": 2,
    "ddim": {"count": 50, "start": 15, "conditional_weight": 3.0},
}


def _options(function):
    for option in reversed(
        [
            click.option(
                "--data",
                required=True,
                multiple=True,
                type=click.Path(path_type=Path),
                help="Phantoms or set; may be repeated.",
            ),
            click.option("--out", required=True, type=click.Path(path_type=Path), help="Run folder."),
            click.option("--config", type=click.Path(path_type=Path), help="YAML whose settings replace the defaults."),
            click.option("--init", type=click.Path(path_type=Path), help="Weights (.safetensors) to start from."),
            click.option(
                "--validation-cases",
                default=24,
                show_default=True,
                type=click.IntRange(min=1),
                help="Last cases of --data, held out.",
            ),
            click.option("--seed", type=int, help="Seed of data order, augmentation and initial weights."),
        ]
    ):
        function = option(function)
    return run_options(function)


def _settings(defaults: dict, choices: dict, out: Path, config, options: dict, resume: bool) -> dict:
    """All settings of a run, with what was chosen for it beside them; those of a resumed run are as it was started."""
    from midlineshift_training.trainers.run_folder import resumed_choices, resumed_settings
    from midlineshift_training.trainers.settings import merge_settings

    settings = merge_settings(resumed_settings(out, defaults) if resume else defaults, config, options)
    return settings | (resumed_choices(out, choices) if resume else choices)


def _slices(settings: dict, data, validation_cases: int, threads: int | None):
    """Phantoms to train on and to check with; their folders and numbers go into ``settings``."""
    import torch

    from midlineshift_training.datasets.phantom_store import load_phantoms, split_phantoms
    from midlineshift_training.trainers.processes import say

    if threads:
        torch.set_num_threads(threads)
    files, held_out = split_phantoms(data, validation_cases)
    settings |= {"data": [str(folder) for folder in data], "cases": len(files), "validation_cases": len(held_out)}
    say(f"{len(files)} phantoms to train on, {len(held_out)} to check with")
    torch.manual_seed(settings["seed"])
    return load_phantoms(files), load_phantoms(held_out)


def _train(stage, out: Path, settings: dict, resume: bool, where: dict) -> None:
    from midlineshift_training.trainers.midline_trainer import load_initial
    from midlineshift_training.trainers.processes import say
    from midlineshift_training.trainers.training_run import train

    # a run killed before its first checkpoint starts anew, from the same weights
    if settings["init"] and not (resume and (out / "last.ckpt").exists()):
        kept = load_initial(stage.network, settings["init"])
        if kept:
            say(f"not in {settings['init']}, left as initialised: {', '.join(kept)}")
    say(train(stage, out, settings, resume, **where), err=False)


@click.command()
@_options
@click.option("--max-steps", type=click.IntRange(min=1), help="Steps to train.")
def pose(data, out, config, init, validation_cases, max_steps, seed, resume, threads, **where):
    """Train the pose network: where the head's mid-plane lies, in any pose."""
    from midlineshift_training.trainers.midline_trainer import ReadingStage

    choices = {"init": str(init) if init else None}
    settings = _settings(POSE, choices, out, config, {"max_steps": max_steps, "seed": seed}, resume)
    stage = ReadingStage(settings, *_slices(settings, data, validation_cases, threads))
    _train(stage, out, settings, resume, where)


@click.command()
@_options
@click.option("--conditional", type=click.Path(path_type=Path), help="Run of the non-MLS denoiser.")
@click.option("--unconditional", type=click.Path(path_type=Path), help="Run of the denoiser of all cases.")
@click.option("--no-noise-difference", is_flag=True, help="Train without the denoisers, for comparison.")
@set_options
def deformation(
    data, out, config, init, validation_cases, seed, resume, threads, conditional, unconditional, no_noise_difference, preset,
    max_steps, epochs, validation_data, spacing, **where,
):  # fmt: skip
    """Train stage 2: the deformation network on the slice and the denoisers' noise difference.

    --data is a folder of phantoms, whose shift is known everywhere, or a set with sparse landmarks: one made by 'convert',
    or the .pkl of Gong et al.'s layout, for which the network and the losses are theirs.
    """
    from midlineshift_training.trainers.deformation_trainer import DeformationStage, check_settings
    from midlineshift_training.trainers.landmark_run import LANDMARKS, train_on_landmarks
    from midlineshift_training.trainers.run_folder import resumed_choices
    from MidlineShiftLogic.errors import InputError

    given = {"init": init, "conditional": conditional, "unconditional": unconditional}
    choices = {name: str(path) if path else None for name, path in given.items()}
    options = {"max_steps": max_steps, "seed": seed, "noise_difference": False if no_noise_difference else None}
    if of_landmarks(data):
        choices |= {"preset": preset} | set_choices(validation_data, spacing)
        defaults = with_preset(LANDMARKS, preset, AUTHORS_DEFORMATION)
        settings = run_settings_of(defaults, choices, out, config, options | {"epochs": epochs}, resume)
        train_on_landmarks(settings, data, out, resume, threads, where)
        return
    if preset == AUTHORS or epochs or validation_data or spacing:
        raise InputError(
            "--preset authors, --epochs, --validation-data and --spacing are for sets with landmarks; 'convert --phantoms' "
            "makes one of phantoms.",
            "usage",
        )
    settings = _settings(DEFORMATION, choices, out, config, options, resume)
    if resume:
        resumed_choices(out, {"noise_difference": settings["noise_difference"]})
    if settings["noise_difference"] and not (settings["conditional"] and settings["unconditional"]):
        raise InputError("Give --conditional and --unconditional runs, or --no-noise-difference.", "denoisers")
    check_settings(settings)
    stage = DeformationStage(settings, *_slices(settings, data, validation_cases, threads))
    _train(stage, out, settings, resume, where)
