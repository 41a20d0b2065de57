"""Training of any stage in its run folder: exact resume, averaged weights, the best network kept, many processes.

A run folder holds

* ``settings.yaml`` all settings; ``provenance.json`` versions, git revision, data digests of every start;
* ``network.json`` kind and configuration of the network; ``best.safetensors`` averaged weights of the best check so far;
* ``last.ckpt`` everything needed to go on; ``checkpoints/`` earlier ones, if any are kept;
* ``checks.csv``, ``pictures/``, ``tensorboard/``; ``summary.html`` and ``summary.md`` once a run has ended.

A check (validation, checkpoint) comes every ``check_every`` steps, and a kill costs what was done since the last one.
"""

from __future__ import annotations

import contextlib
import json
import logging
import platform
import warnings
from pathlib import Path
from typing import Any

import lightning
import torch
import yaml
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger

from midlineshift_training.trainers.callbacks.batch_norm_statistics import BatchNormStatistics
from midlineshift_training.trainers.callbacks.figure_writer import FigureWriter
from midlineshift_training.trainers.callbacks.progress_bar import StepProgressBar
from midlineshift_training.trainers.callbacks.stopping import StopEarly, TimeLimit
from midlineshift_training.trainers.callbacks.validation_table import ValidationTable
from midlineshift_training.trainers.callbacks.weight_averaging import WeightAveragingKeepBest
from midlineshift_training.trainers.deterministic_sampler import DeterministicBatches, SeedMicrobatches
from midlineshift_training.trainers.network_trainer import NetworkTrainer
from midlineshift_training.trainers.processes import Processes, find_processes, is_first
from midlineshift_training.trainers.run_folder.atomic_write import (
    AtomicCheckpointIO,
    alone,
    clear_partial,
    write_atomic,
)
from midlineshift_training.trainers.run_folder.provenance import record_session
from midlineshift_training.trainers.run_folder.summary import write_summary
from midlineshift_training.trainers.settings.common import ENGINE
from MidlineShiftLogic.errors import InputError


def train(
    stage: NetworkTrainer,
    run: str | Path,
    settings: dict[str, Any],
    resume: bool = False,
    time_limit: float | None = None,
    accelerator: str = "auto",
    devices: int | None = None,
) -> Path:
    """Train a stage in its run folder.

    Args:
        stage: what to train.
        run: run folder; made if missing.
        settings: plain settings, stored; uses ``seed``, ``max_steps``, ``check_every``, ``precision``,
            ``ema_decay``, ``workers`` and those of ``ENGINE``.
        resume: go on from ``run/last.ckpt``, or from the start if the run was killed before its first check.
        time_limit: minutes after which the next check ends this call.
        accelerator, devices: see ``runs.processes.find_processes``.

    Returns:
        Path of ``best.safetensors``.

    Raises:
        InputError: the folder already holds a run and ``resume`` is off, there is nothing to resume, another process
            trains it, its data have changed, its processes cannot share a step, or training has diverged.
    """
    run = Path(run)
    settings = ENGINE | settings
    processes = find_processes(accelerator, devices)
    share = processes.share(settings["microbatches"])
    settings["microbatches"] = share.microbatches
    _check(settings)
    with contextlib.ExitStack() as stack:
        last = run / "last.ckpt"
        step = _step_of(last) if resume else 0
        if is_first():
            _prepare(run, resume)
            stack.enter_context(alone(run))
            clear_partial(run)
            record_session(run, settings.get("data", []), processes, step)
            _describe(run, settings, stage)
        stage.share = share
        lightning.seed_everything(settings["seed"], verbose=False)
        if settings["compile"]:
            stage.network.compile()
        _hush()
        data = DeterministicBatches(
            stage, settings["check_every"], settings["max_steps"], settings.get("workers", 0), share
        )
        trainer = _trainer(run, settings, processes, data, time_limit, step if resume else None)
        if step < settings["max_steps"]:
            trainer.fit(stage, datamodule=data, ckpt_path=str(last) if step else None, weights_only=True)
        if is_first():
            write_summary(run)
    return run / "best.safetensors"


def _check(settings: dict[str, Any]) -> None:
    for name, least in (("microbatches", 1), ("patience", 1), ("earlier_checkpoints", 0), ("pictures_every", 0)):
        value = settings[name]
        if name == "patience" and value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InputError(f"The setting {name} must be a whole number from {least} on, not {value!r}.", "settings")

    if settings["fused_optimizer"] and settings["precision"] == "16-mixed":
        raise InputError("fused_optimizer does not go with precision 16-mixed: gradients are clipped.", "settings")


def _prepare(run: Path, resume: bool) -> None:
    """Refuse a folder that does not fit ``resume``; make a new one."""
    held = (run / "settings.yaml").exists() or (run / "last.ckpt").exists()
    if resume and not (run / "settings.yaml").exists():
        raise InputError(f"{run} holds no run to resume; start without --resume.", "nothing-to-resume")
    if not resume and held:
        raise InputError(f"{run} already holds a run; give --resume to go on, or another --out.", "run-exists")
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"Cannot make the run folder {run} ({error.strerror}); choose another --out.", "out") from None


def _describe(run: Path, settings: dict[str, Any], stage: NetworkTrainer) -> None:
    versions = {
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "lightning": lightning.__version__,
    }
    record = settings | {"versions": versions}
    write_atomic(run / "settings.yaml", lambda p: p.write_text(yaml.safe_dump(record, sort_keys=False)))
    network = {"kind": stage.network_kind, "config": stage.network.config}
    write_atomic(run / "network.json", lambda p: p.write_text(json.dumps(network, indent=2)))


def _hush() -> None:
    """Lightning's news, and its doubts about what is meant to be so, are not for the user."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    for message in (
        "Checkpoint directory .* exists",
        ".*LeafSpec.* is deprecated",
        "The '.*_dataloader' does not have many workers",
        "The number of training batches",
        "You're resuming from a checkpoint that ended before the epoch ended",
    ):
        warnings.filterwarnings("ignore", message)


def _step_of(checkpoint: Path) -> int:
    """Step of a checkpoint; 0 if there is none. InputError if it cannot be read."""
    if not checkpoint.exists():
        return 0
    try:
        return int(torch.load(checkpoint, map_location="cpu", mmap=True, weights_only=True)["global_step"])
    except Exception as error:  # whatever torch makes of a damaged file
        raise InputError(
            f"{checkpoint} is damaged ({type(error).__name__}); put an earlier checkpoint in its place, or start "
            "another run with --init.",
            "bad-checkpoint",
        ) from None


def _trainer(
    run: Path,
    settings: dict[str, Any],
    processes: Processes,
    data: DeterministicBatches,
    time_limit: float | None,
    first: int | None,
) -> lightning.Trainer:
    # order matters: statistics before they are averaged, pictures before the averaged weights are put away, checkpoints
    # (which Lightning moves to the end) after all that they hold
    callbacks = [
        SeedMicrobatches(settings["seed"], data),
        BatchNormStatistics(data.share),
        FigureWriter(run, settings["pictures_every"]),
        WeightAveragingKeepBest(run, settings["ema_decay"]),
        LearningRateMonitor("step"),
        ValidationTable(run),
        StepProgressBar(run.resolve().name),
        ModelCheckpoint(run, filename="last", save_top_k=1, every_n_epochs=1, enable_version_counter=False),
    ]
    if settings["patience"] is not None:
        callbacks.append(StopEarly(settings["patience"]))
    if time_limit is not None:
        callbacks.append(TimeLimit(time_limit))
    if settings["earlier_checkpoints"]:
        kept = {"save_top_k": settings["earlier_checkpoints"] + 1, "monitor": "step", "mode": "max"}
        kept |= {"auto_insert_metric_name": False, "enable_version_counter": False}
        callbacks.append(ModelCheckpoint(run / "checkpoints", filename="step-{step:07d}", **kept))
    arguments = processes.trainer_arguments()
    return lightning.Trainer(
        **arguments | {"plugins": [*arguments.get("plugins", []), AtomicCheckpointIO()]},
        precision=settings["precision"],
        max_steps=settings["max_steps"],
        max_epochs=-1,
        accumulate_grad_batches=settings["microbatches"] // processes.count,
        reload_dataloaders_every_n_epochs=1,
        use_distributed_sampler=False,
        gradient_clip_val=settings.get("gradient_clip", 3.0),
        num_sanity_val_steps=0,
        log_every_n_steps=min(20, settings["check_every"]),
        # what a killed run logged after its last checkpoint is logged again
        logger=TensorBoardLogger(run, name="", version="tensorboard", purge_step=first),
        callbacks=callbacks,
        enable_model_summary=False,
    )
