"""Where a run runs: on which device, by how many processes, started by whom.

Processes are started by torchrun or by SLURM's srun (one machine or many), or with ``--devices`` by Lightning itself
(one machine).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import torch
from lightning.fabric.plugins.environments import SLURMEnvironment, TorchElasticEnvironment
from lightning.pytorch.accelerators import CUDAAccelerator, MPSAccelerator
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.utilities import rank_zero_only

from midlineshift_training.trainers.deterministic_sampler import MicrobatchShare
from MidlineShiftLogic.errors import InputError

CACHE = "slice-cache"
"""Folder beside the run folders that keeps cut slices, so that all runs of an experiment share it."""


@dataclass(frozen=True)
class Launch:
    """How one call of a training command carries out a run; not part of its settings.

    Attributes:
        resume: go on from the last checkpoint, or from the start if the run was killed before its first check.
        time_limit: minutes after which the next check ends this call; None: no limit.
        accelerator, devices: see ``find_processes``.
        threads: CPU threads of each process; None: torch's choice.
        cache: folder in which cut slices are kept for other runs; None: beside the run folder. no_cache: keep none.
    """

    resume: bool = False
    time_limit: float | None = None
    accelerator: str = "auto"
    devices: int | None = None
    threads: int | None = None
    cache: Path | None = None
    no_cache: bool = False

    def slice_cache(self, run: Path) -> Path | None:
        """Return the folder in which the slices cut for a run are kept; None: they are not."""
        return None if self.no_cache else self.cache or run.resolve().parent / CACHE

    def set_threads(self) -> None:
        """Give torch its threads."""
        if self.threads:
            torch.set_num_threads(self.threads)

    def goes_on(self, run: Path) -> bool:
        """Return whether this call goes on from a checkpoint."""
        return self.resume and (run / "last.ckpt").exists()


@dataclass(frozen=True)
class Processes:
    """Attributes: accelerator: ``auto``, ``cpu`` or ``gpu``. devices: on each machine. machines."""

    accelerator: str = "auto"
    devices: int = 1
    machines: int = 1

    @property
    def count(self) -> int:
        """Return the number of processes in all."""
        return self.devices * self.machines

    def trainer_arguments(self) -> dict[str, Any]:
        """Return arguments of Lightning's ``Trainer``."""
        found = {"accelerator": self.accelerator, "devices": self.devices, "num_nodes": self.machines}
        if SLURMEnvironment.detect() and not TorchElasticEnvironment.detect():
            # requeued jobs go on by --resume, from a check; Lightning's own way would stop in the midst of an epoch
            found["plugins"] = [SLURMEnvironment(auto_requeue=False)]
        if self.count > 1:
            # running statistics are averaged by BatchNormStatistics, not copied from the first process
            found["strategy"] = DDPStrategy(broadcast_buffers=False)
        return found

    def share(self, microbatches: int | None) -> MicrobatchShare:
        """Return this process's part of each step. InputError if the processes cannot share the microbatches evenly."""
        microbatches = microbatches or self.count
        if microbatches % self.count:
            raise InputError(
                f"{self.count} processes cannot share the {microbatches} microbatches of a step evenly; start as many "
                f"processes as divide {microbatches}, or start another run with other microbatches.",
                "microbatches",
            )
        return MicrobatchShare(microbatches, self.count, global_rank())


def find_processes(accelerator: str = "auto", devices: int | None = None) -> Processes:
    """Find what torchrun or SLURM has started, else ``devices`` (1) on this machine.

    Raises:
        InputError: there is no GPU where one is asked for, ``devices`` contradicts what was started, or SLURM was not
            given the tasks of each machine.
    """
    if accelerator == "gpu" and not (CUDAAccelerator.is_available() or MPSAccelerator.is_available()):
        raise InputError(
            "--accelerator gpu: PyTorch finds no GPU here; install a build of it for yours, or leave this option out.",
            "no-gpu",
        )
    env, started = os.environ, None
    if TorchElasticEnvironment.detect():
        local = int(env["LOCAL_WORLD_SIZE"])
        started = (local, int(env["WORLD_SIZE"]) // local)
    elif SLURMEnvironment.detect():
        machines = int(env.get("SLURM_NNODES", env.get("SLURM_JOB_NUM_NODES", "1")))
        tasks = int(env["SLURM_NTASKS"])
        if tasks > 1 and "SLURM_NTASKS_PER_NODE" not in env:
            raise InputError("Start the SLURM job with --ntasks-per-node, not --ntasks alone.", "devices")
        started = (tasks // machines, machines)
    if started is None:
        return Processes(accelerator, devices or 1, 1)
    if devices not in (None, started[0]):
        raise InputError(
            f"--devices {devices} contradicts the {started[0]} processes a machine that were started; leave it out.",
            "devices",
        )
    return Processes(accelerator, *started)


def global_rank() -> int:
    """Return this process's number among all; 0 where it is the only one."""
    return int(rank_zero_only.rank or 0)


def is_first() -> bool:
    """Return whether this is the process that writes and speaks."""
    return global_rank() == 0


def say(text, err: bool = True) -> None:
    """Print a line, once for all processes."""
    if is_first():
        click.echo(text, err=err)
