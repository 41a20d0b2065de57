"""Training of any network in its run folder: exact resume, averaged weights, the best network kept, many processes.

A run folder holds

* ``settings.yaml`` all settings; ``provenance.json`` versions, git revision, data digests of every start;
* ``network.json`` kind and configuration of the network; ``best.safetensors`` averaged weights of the best check so far;
* ``last.ckpt`` everything needed to go on; ``checkpoints/`` earlier ones, if any are kept;
* ``validation.csv``, ``pictures/``, ``tensorboard/``; ``summary.html`` and ``summary.md`` once a run has ended.

A check (validation, checkpoint) comes every ``check_every`` steps, and a kill costs what was done since the last one.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from midlineshift_training.trainers.callbacks.batch_norm_statistics import BatchNormStatistics
from midlineshift_training.trainers.callbacks.figure_writer import FigureWriter
from midlineshift_training.trainers.callbacks.metric_logger import MetricLogger
from midlineshift_training.trainers.callbacks.progress_bar import StepProgressBar
from midlineshift_training.trainers.callbacks.seed_microbatches import SeedMicrobatches
from midlineshift_training.trainers.callbacks.stopping import StopEarly, TimeLimit
from midlineshift_training.trainers.callbacks.validation_table import ValidationTable
from midlineshift_training.trainers.callbacks.weight_averaging import WeightAveragingKeepBest
from midlineshift_training.trainers.deterministic_sampler import DeterministicBatches
from midlineshift_training.trainers.loggers import check_loggers, make_loggers
from midlineshift_training.trainers.network_trainer import NetworkTrainer
from midlineshift_training.trainers.processes import Launch, Processes, find_processes, is_first
from midlineshift_training.trainers.run_folder.atomic_write import AtomicCheckpointIO
from midlineshift_training.trainers.run_folder.new_run import BEST, CHECKPOINT, describe_run, new_or_resumed
from midlineshift_training.trainers.run_folder.provenance import record_session
from midlineshift_training.trainers.run_folder.summary import write_summary
from midlineshift_training.trainers.run_folder.trained_on import weights_trained_on
from midlineshift_training.trainers.settings.common import RunSettings
from MidlineShiftLogic.errors import InputError

LOG_EVERY = 20
"""Steps between two entries of the training terms in the loggers (each waits for the device)."""


def train(module: NetworkTrainer, run: str | Path, settings: RunSettings, launch: Launch | None = None) -> Path:
    """Train a network in its run folder.

    A run that fails before its first step leaves nothing in the folder that would be in the way of another try.

    Args:
        module: what to train. run: run folder; made if missing. settings: stored in the folder.
        launch: where and how the run is carried out; by default anew, on what there is.

    Returns:
        Path of ``best.safetensors``.

    Raises:
        InputError: the folder already holds a run and is not to be resumed, there is nothing to resume, another process
            trains it, its data have changed, its processes cannot share a step, or training has diverged.
    """
    run, launch = Path(run), launch or Launch()
    check_loggers(settings)
    processes = find_processes(launch.accelerator, launch.devices)
    share = processes.share(settings.microbatches)
    settings |= {"microbatches": share.microbatches}
    last = run / CHECKPOINT
    step = _step_of(last) if launch.resume else 0
    with contextlib.ExitStack() as stack:
        if is_first():
            stack.enter_context(new_or_resumed(run, launch.resume))
            initial = weights_trained_on(Path(settings.init)).to_json() if settings.init else None
            record_session(run, settings.data, processes, step, initial)
            describe_run(run, settings, module.network_kind, module.network.config)
        module.share = share
        lightning.seed_everything(settings.seed, verbose=False)
        if settings.compile:
            module.network.compile()
        _suppress_news()
        data = DeterministicBatches(module, settings.check_every, settings.max_steps, settings.workers, share, step > 0)
        trainer = _trainer(run, settings, processes, data, launch, step)
        if step < settings.max_steps:
            with _memory_errors():
                trainer.fit(module, datamodule=data, ckpt_path=str(last) if step else None, weights_only=True)
        if is_first():
            write_summary(run)
    return run / BEST


@contextlib.contextmanager
def _memory_errors() -> Iterator[None]:
    """Say what to do when a GPU's memory is used up."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise InputError(
            "The GPU has too little free memory for this batch: lower batch and raise microbatches by the same factor, "
            "or choose smaller networks.",
            "out-of-memory",
        ) from None


def _suppress_news() -> None:
    """Keep Lightning's news, and its doubts about what is meant to be so, from the user."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    for message in (
        "Checkpoint directory .* exists",
        ".*LeafSpec.* is deprecated",
        "The '.*_dataloader' does not have many workers",
        "The number of training batches",
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
    run: Path, settings: RunSettings, processes: Processes, data: DeterministicBatches, launch: Launch, first: int
) -> lightning.Trainer:
    arguments = processes.trainer_arguments()
    return lightning.Trainer(
        **arguments | {"plugins": [*arguments.get("plugins", []), AtomicCheckpointIO()]},
        precision=settings.precision,
        max_steps=settings.max_steps,
        max_epochs=-1,
        accumulate_grad_batches=data.share.own,
        reload_dataloaders_every_n_epochs=1,
        use_distributed_sampler=False,
        gradient_clip_val=settings.gradient_clip,
        num_sanity_val_steps=0,
        logger=make_loggers(run, settings, first if launch.resume else None) if is_first() else False,
        callbacks=_callbacks(run, settings, data, launch),
        enable_model_summary=False,
    )


def _callbacks(
    run: Path, settings: RunSettings, data: DeterministicBatches, launch: Launch
) -> list[lightning.Callback]:
    # order matters: statistics before they are averaged, pictures before the averaged weights are put away, checkpoints
    # (which Lightning moves to the end) after all that they hold
    callbacks = [
        SeedMicrobatches(settings.seed),
        BatchNormStatistics(data.share),
        FigureWriter(run, settings.pictures_every),
        WeightAveragingKeepBest(run, settings.ema_decay),
        MetricLogger(min(LOG_EVERY, settings.check_every)),
        ValidationTable(run),
        StepProgressBar(run.resolve().name),
        ModelCheckpoint(run, filename="last", save_top_k=1, every_n_epochs=1, enable_version_counter=False),
    ]
    if settings.patience is not None:
        callbacks.append(StopEarly(settings.patience))
    if launch.time_limit is not None:
        callbacks.append(TimeLimit(launch.time_limit))
    if settings.earlier_checkpoints:
        kept = {"save_top_k": settings.earlier_checkpoints + 1, "monitor": "step", "mode": "max"}
        kept |= {"auto_insert_metric_name": False, "enable_version_counter": False}
        callbacks.append(ModelCheckpoint(run / "checkpoints", filename="step-{step:07d}", **kept))
    return callbacks
