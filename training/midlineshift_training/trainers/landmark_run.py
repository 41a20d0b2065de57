"""Settings of stage 2 on sets with sparse landmarks, and the run that ``midlineshift-train deformation`` starts there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from midlineshift_training.cli.midline import DEFORMATION, FRAME
from midlineshift_training.trainers.settings import ENGINE

LANDMARKS = (
    FRAME
    | ENGINE
    | {
        # which slices are taken and in what frame (``cohorts.set_slices``)
        "frame": "aligned",
        "slices": "brain",
        "heights_mm": [-25.0, 70.0],
        "non_mls_below_mm": 1.5,
        # shares of MLS cases and of labelled slices among all draws; null: as they are in the set
        "mls_share": 0.5,
        "labelled_share": 0.5,
        "mirror": 0.5,
        "rotation_deg": 6.0,
        "size_jitter": 0.06,
        "place_jitter_px": 1.0,
        "batch": 16,
        "learning_rate": 1e-3,
        "rate": "cosine",
        "weight_decay": 1e-4,
        "warm_up": 100,
        "gradient_clip": 3.0,
        "max_steps": 3000,
        # in place of max_steps: passes over the slices, with a check after each
        "epochs": None,
        "check_every": 250,
        "ema_decay": 0.995,
        "precision": "bf16-mixed",
        "seed": 0,
        "workers": 0,
        "noise_difference": True,
        "noise": DEFORMATION["noise"],
        "t_range": DEFORMATION["t_range"],
        # weights of Gong et al.'s terms; the image term's grows by image_growth an epoch
        "loss": {"image": 1.0, "smooth": 1.0, "landmark": 1.0, "hinge": 1.0},
        "image_growth": 1 / 20,
        "ddim": DEFORMATION["ddim"],
        # targets of the image term: "once" or "every step" (docs/adr/0014)
        "pseudo_healthy": "once",
        # what the best check is chosen by: "landmark" or "largest"
        "readout": "landmark",
    }
)


def train_on_landmarks(
    settings: dict[str, Any],
    data: tuple[Path, ...],
    out: Path,
    resume: bool,
    threads: int | None,
    where: dict[str, Any],
) -> None:
    """Train stage 2 on sets; ``settings`` are those of ``LANDMARKS`` with the run's choices."""
    import torch

    from midlineshift_training.trainers.epochs import steps_of_epochs
    from midlineshift_training.trainers.landmark_trainer import LandmarkStage, check_settings
    from midlineshift_training.trainers.midline_trainer import load_initial
    from midlineshift_training.trainers.processes import say
    from midlineshift_training.trainers.set_data import cut_cases, set_cases
    from midlineshift_training.trainers.training_run import train
    from MidlineShiftLogic.errors import InputError

    if not (settings["noise_difference"] and settings["conditional"] and settings["unconditional"]):
        raise InputError(
            "A set has no dense truth, so stage 2 cannot do without the denoisers there: give --conditional and "
            "--unconditional runs.",
            "denoisers",
        )
    check_settings(settings)
    if threads:
        torch.set_num_threads(threads)
    settings["data"] = [str(path) for path in data]
    parts = (cut_cases(part, settings, settings["grid"], settings["pixel_mm"]) for part in set_cases(settings))
    slices, validation = parts
    settings |= steps_of_epochs(settings, len(slices))
    say(
        f"{len(slices)} slices to train on, {int(slices.labelled.sum())} of them labelled; {len(validation)} to check "
        f"with, {int(validation.labelled.sum())} labelled"
    )
    torch.manual_seed(settings["seed"])
    stage = LandmarkStage(settings, slices, validation, out)
    if settings["init"] and not (resume and (out / "last.ckpt").exists()):
        load_initial(stage.network, settings["init"])
    say(train(stage, out, settings, resume, **where), err=False)
