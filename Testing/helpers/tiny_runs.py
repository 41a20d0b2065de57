"""Runs of every stage, small enough for tests, from any process; and processes that die in the midst of them."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from small_networks import SMALL_DENOISER, awake

from midlineshift_training.datasets.annotated_slices import AnnotatedSlices
from midlineshift_training.datasets.phantom_slices import load_phantoms
from midlineshift_training.datasets.phantoms.files import phantom_files
from midlineshift_training.trainers.callbacks import weight_averaging
from midlineshift_training.trainers.deformation_trainer import DeformationTrainer
from midlineshift_training.trainers.diffusion_trainer import DiffusionTrainer
from midlineshift_training.trainers.landmark_trainer import LandmarkTrainer
from midlineshift_training.trainers.midline_trainer import MidlineTrainer
from midlineshift_training.trainers.network_trainer import NetworkTrainer
from midlineshift_training.trainers.processes import Launch
from midlineshift_training.trainers.refinement_trainer import RefinementTrainer
from midlineshift_training.trainers.run_folder import atomic_write, summary
from midlineshift_training.trainers.settings.common import RunSettings
from midlineshift_training.trainers.settings.diffusion import DiffusionSettings
from midlineshift_training.trainers.settings.landmarks import LandmarkSettings
from midlineshift_training.trainers.settings.midline import DeformationSettings, PoseSettings, RefinementSettings
from midlineshift_training.trainers.start.diffusion import cut_phantoms
from midlineshift_training.trainers.training_run import train
from MidlineShiftLogic.networks.denoiser import Denoiser

STEPS = {"max_steps": 6, "check_every": 3, "batch": 2, "pictures_every": 0, "warm_up": 2}
READING = STEPS | {"features": [8, 8, 8, 8, 8], "validation_batches": 1}
NOISE = {"t": 300, "seed": 0, "schedule": "linear", "steps": 1000, "grid": 64, "gain": 5.0}
DDIM = {"count": 50, "start": 1, "conditional_weight": 3.0}
"""One step: what the runs have in common is not how a pseudo-healthy slice is made."""
NETWORK = {name: value for name, value in SMALL_DENOISER.items() if name != "image_size"} | {"dropout": 0.2}


def write_denoiser(run: Path, seed: int) -> Path:
    """A finished run of a denoiser, as the deformation stage reads it."""
    torch.manual_seed(seed)
    network = awake(Denoiser(**SMALL_DENOISER | {"image_size": 64}), seed)
    run.mkdir(parents=True, exist_ok=True)
    (run / "network.json").write_text(json.dumps({"kind": "adm", "config": network.config}))
    save_file(network.state_dict(), run / "best.safetensors")
    return run


def settings_of(kind: str, folder: Path, **more) -> RunSettings:
    """Settings of a tiny run of ``kind``; ``folder`` holds ``cohort``, and ``con`` and ``unc`` for the deformation."""
    if kind == "diffusion":
        own = {
            "grid": 32,
            "network": NETWORK,
            "degraded_share": 0.0,
            "validation_batches": 1,
            "cohort": "all",
            "image_metrics": False,
        }
        return DiffusionSettings(**STEPS | own | more)
    if kind == "pose":
        return PoseSettings(**READING | more)
    if kind == "refinement":
        return RefinementSettings(**READING | {"features": [8, 8]} | more)
    method = {"noise": NOISE, "ddim": DDIM, "conditional": str(folder / "con"), "unconditional": str(folder / "unc")}
    if kind == "landmarks":
        return LandmarkSettings(**STEPS | method | {"grid": 64} | more)
    return DeformationSettings(**READING | method | {"image_every": 2} | more)


def drawn_slices(count: int, seed: int) -> AnnotatedSlices:
    """Elliptic slices of 64 px, every second one with landmarks."""
    g = torch.Generator().manual_seed(seed)
    y, x = torch.meshgrid(torch.linspace(-1, 1, 64), torch.linspace(-1, 1, 64), indexing="ij")
    head = (x / 0.7) ** 2 + (y / 0.9) ** 2 < 1
    shift = torch.rand(count, generator=g) * 6
    points = torch.tensor([[0.0, -25.0], [0.0, 25.0], [0.0, -5.0], [0.0, -5.0]]).expand(count, 4, 2).clone()
    points[:, 2, 0] = shift
    points[1::2] = torch.nan
    return AnnotatedSlices(
        hu=torch.where(head, 35.0 + 8 * torch.randn(count, 64, 64, generator=g), torch.tensor(-1000.0)).half(),
        head=head.expand(count, -1, -1).clone(),
        landmarks=points,
        limit_mm=shift,
        shifted=(shift > 1.5).to(torch.int8),
        pixel_mm=torch.ones(count),
        weight=torch.ones(count),
        height=torch.full((count,), torch.nan),
        case=torch.arange(count) // 2,
    )


def stage_of(kind: str, folder: Path, settings: RunSettings, seed: int = 0) -> NetworkTrainer:
    """The stage with its data, initialised by ``seed``."""
    files = phantom_files(folder / "cohort")
    torch.manual_seed(seed)
    if kind == "diffusion":
        return DiffusionTrainer(settings, cut_phantoms(files[:3], settings), cut_phantoms(files[3:], settings))
    if kind == "landmarks":
        return LandmarkTrainer(settings, drawn_slices(9, 0), drawn_slices(4, 1))
    one = {"pose": MidlineTrainer, "deformation": DeformationTrainer, "refinement": RefinementTrainer}[kind]
    return one(settings, load_phantoms(files[:3]), load_phantoms(files[3:]))


def run(kind: str, folder: Path, out: Path, moment: str = "", resume: bool = False, more: dict | None = None) -> None:
    """Train a tiny run; at ``moment`` the process kills itself. What goes on from a checkpoint has other initial
    weights, which must not matter."""
    torch.set_num_threads(1)
    settings = settings_of(kind, folder, **(more or {}))
    stage = stage_of(kind, folder, settings, seed=99 if (out / "last.ckpt").exists() else 0)
    if moment:
        MOMENTS[moment.split()[0]](stage, int(moment.split()[1]))
    train(stage, out, settings, Launch(resume=resume))


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _at_step(stage, step: int) -> None:
    original = stage.training_step

    def training_step(*arguments):
        if stage.trainer.global_step == step:
            _die()
        return original(*arguments)

    stage.training_step = training_step


def _half_checkpoint(stage, step: int) -> None:
    original = torch.save

    def save(contents, path, *more, **options):
        original(contents, path, *more, **options)
        if contents["global_step"] == step:
            os.truncate(path, Path(path).stat().st_size // 2)
            _die()

    torch.save = save


def _half_best(stage, step: int) -> None:
    original = weight_averaging.save_file

    def save(tensors, path, metadata):
        original(tensors, path, metadata=metadata)
        if metadata["step"] == str(step):
            os.truncate(path, Path(path).stat().st_size // 2)
            _die()

    weight_averaging.save_file = save


def _after(name: str):
    def plant(stage, step: int) -> None:
        original = atomic_write.os.replace

        def replace(source, target):
            original(source, target)
            if Path(target).name == name and stage.trainer.global_step == step:
                _die()

        atomic_write.os.replace = replace

    return plant


MOMENTS = {
    "step": _at_step,
    "half-checkpoint": _half_checkpoint,
    "half-best": _half_best,
    "after-best": _after("best.safetensors"),
    "after-checks": _after("validation.csv"),
    "after-checkpoint": _after("last.ckpt"),
}


if __name__ == "__main__":  # under torchrun: FOLDER OUT MOMENT KIND ..., each kind a run OUT/KIND, and OUT/killed
    data, out, planned, *kinds = sys.argv[1:]
    summary.draw_curves = lambda rows: b""  # a plot takes longer than the steps
    for name in kinds:
        run(name, Path(data), Path(out) / name, more={"precision": "32-true"})
    if planned:
        run("pose", Path(data), Path(out) / "killed", planned, more={"precision": "32-true"})
