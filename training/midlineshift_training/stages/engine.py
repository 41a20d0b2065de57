"""What every training stage shares: one run folder, exact resume, averaged weights, the best network kept.

A run folder holds ``settings.yaml`` (all settings, versions), ``network.json`` (kind and configuration of the network),
``best.safetensors`` (averaged weights of the best check so far), ``last.ckpt`` (everything needed to go on) and
TensorBoard events. Data come as numbered batches that depend on (seed, number) alone, so a run that was killed and
resumed sees exactly what an undisturbed one would have seen.
"""

from __future__ import annotations

import json
import math
import os
import platform
from pathlib import Path
from typing import Protocol

import lightning
import torch
import yaml
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint, TQDMProgressBar, WeightAveraging
from lightning.pytorch.loggers import TensorBoardLogger
from safetensors.torch import save_file
from torch.utils.data import DataLoader, Dataset

from MidlineShiftLogic.errors import InputError


class Stage(Protocol):
    """What the engine asks of a LightningModule beside Lightning's own hooks."""

    network: torch.nn.Module
    network_kind: str

    def training_batches(self, first: int, count: int) -> Dataset:
        """Data set of ready batches number ``first`` .. ``first + count - 1`` of the run."""

    def validation_batches(self) -> Dataset:
        """Data set of ready, fixed validation batches."""

    def validation_score(self) -> float:
        """Figure of the validation just run; lower is better."""


def write_atomic(path: Path, write) -> None:
    """Call ``write(temporary path)`` and move the result onto ``path``; nothing half-written stays under that name."""
    temporary = path.with_name(f".{path.name}.partial")
    write(temporary)
    temporary.chmod(0o644)  # safetensors writes privately
    os.replace(temporary, path)


class AverageAndKeepBest(WeightAveraging):
    """Exponential moving average of the weights; after each validation of the average, the best is written out.

    Args:
        run: run folder.
        decay: of the average; early on it is lower, (1 + step) / (10 + step), so that the start is forgotten.
    """

    def __init__(self, run: Path, decay: float):
        super().__init__(avg_fn=lambda average, current, n: average + (1 - self._decay(int(n))) * (current - average))
        self.run, self.decay, self.best = run, decay, math.inf

    def _decay(self, step: int) -> float:
        return min(self.decay, (1 + step) / (10 + step))

    def on_validation_epoch_end(self, trainer, pl_module):
        score = pl_module.validation_score()
        if math.isfinite(score) and score < self.best:
            self.best = score
            weights = {
                name: value.detach().cpu().contiguous() for name, value in pl_module.network.state_dict().items()
            }
            metadata = {"score": f"{score:.6g}", "step": str(trainer.global_step)}
            write_atomic(self.run / "best.safetensors", lambda path: save_file(weights, path, metadata=metadata))
        super().on_validation_epoch_end(trainer, pl_module)

    def state_dict(self):
        return super().state_dict() | {"best": self.best}

    def load_state_dict(self, state_dict):
        super().load_state_dict(state_dict)
        self.best = state_dict["best"]


class _NumberedBatches(lightning.LightningDataModule):
    """Hands the trainer ``check_every`` batches an epoch, numbered on from the trainer's step."""

    def __init__(self, stage, check_every: int, max_steps: int, workers: int):
        super().__init__()
        self.stage, self.check_every, self.max_steps, self.workers = stage, check_every, max_steps, workers

    def train_dataloader(self):
        first = self.trainer.global_step
        count = min(self.check_every, self.max_steps - first)
        return DataLoader(self.stage.training_batches(first, count), batch_size=None, num_workers=self.workers)

    def val_dataloader(self):
        return DataLoader(self.stage.validation_batches(), batch_size=None)


def cosine_schedule(optimizer: torch.optim.Optimizer, max_steps: int, warm_up: int) -> dict:
    """Linear warm-up, then half a cosine down to 1 % of the rate, by step."""

    def factor(step: int) -> float:
        if step < warm_up:
            return (step + 1) / warm_up
        return 0.01 + 0.99 * (0.5 + 0.5 * math.cos(math.pi * min(1.0, (step - warm_up) / max(1, max_steps - warm_up))))

    return {"scheduler": torch.optim.lr_scheduler.LambdaLR(optimizer, factor), "interval": "step"}


def train(stage: lightning.LightningModule, run: str | Path, settings: dict, resume: bool = False) -> Path:
    """Train a stage in its run folder.

    Args:
        stage: LightningModule that also is a ``Stage``.
        run: run folder; made if missing.
        settings: plain settings, stored; uses ``seed``, ``max_steps``, ``check_every``, ``precision``,
            ``ema_decay``, ``workers``.
        resume: go on from ``run/last.ckpt``, or from the start if the run was killed before its first check.

    Returns:
        Path of ``best.safetensors``.

    Raises:
        InputError: the folder already holds a run and ``resume`` is off, or there is nothing to resume.
    """
    run = Path(run)
    last = run / "last.ckpt"
    if resume and not (run / "settings.yaml").exists():
        raise InputError(f"{run} holds no run to resume; start without --resume.", "nothing-to-resume")
    if not resume and (last.exists() or (run / "settings.yaml").exists()):
        raise InputError(f"{run} already holds a run; give --resume to go on, or another --out.", "run-exists")
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"Cannot make the run folder {run} ({error.strerror}); choose another --out.", "out") from None
    versions = {
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "lightning": lightning.__version__,
    }
    record = settings | {"versions": versions}
    write_atomic(run / "settings.yaml", lambda p: p.write_text(yaml.safe_dump(record, sort_keys=False)))
    network = {"kind": stage.network_kind, "config": stage.network.config}
    write_atomic(run / "network.json", lambda p: p.write_text(json.dumps(network, indent=2)))
    lightning.seed_everything(settings["seed"], verbose=False)
    trainer = lightning.Trainer(
        accelerator="auto",
        devices=1,
        precision=settings["precision"],
        max_steps=settings["max_steps"],
        max_epochs=-1,
        reload_dataloaders_every_n_epochs=1,
        gradient_clip_val=settings.get("gradient_clip", 3.0),
        num_sanity_val_steps=0,
        log_every_n_steps=20,
        logger=TensorBoardLogger(run, name="", version="tensorboard"),
        callbacks=[
            AverageAndKeepBest(run, settings["ema_decay"]),
            ModelCheckpoint(run, filename="last", save_top_k=1, every_n_epochs=1, enable_version_counter=False),
            LearningRateMonitor("step"),
            TQDMProgressBar(refresh_rate=20),
        ],
        enable_model_summary=False,
    )
    data = _NumberedBatches(stage, settings["check_every"], settings["max_steps"], settings.get("workers", 0))
    trainer.fit(stage, datamodule=data, ckpt_path=str(last) if resume and last.exists() else None, weights_only=True)
    return run / "best.safetensors"
