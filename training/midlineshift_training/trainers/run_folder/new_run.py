"""Start of a run in its folder: whether it may begin there, what it is, and what is removed if it fails at once."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning
import torch

from midlineshift_training.trainers.run_folder.atomic_write import clear_partial, write_text_atomic
from midlineshift_training.trainers.run_folder.file_lock import LOCK, lock_run
from midlineshift_training.trainers.settings.common import RunSettings
from midlineshift_training.trainers.settings.stored import FILE, save_run_settings
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.unfinished import remove_if_left_empty

CHECKPOINT, BEST, NETWORK = "last.ckpt", "best.safetensors", "network.json"
_BEFORE_THE_FIRST_STEP = (FILE, NETWORK, "provenance.json", "pseudo_healthy.safetensors", "loggers.json", LOCK)
"""Files that a start writes; ``tensorboard/`` beside them."""


@contextmanager
def new_or_resumed(run: Path, resume: bool) -> Iterator[None]:
    """Hold the run folder; it is free again as soon as this process ends, however it ends.

    If a new run fails before its first checkpoint, its files are removed, so that the folder can be used again. (A run that
    is killed leaves them, and ``--resume`` starts it anew.)

    Raises:
        InputError: the folder already holds a run and ``resume`` is off, there is nothing to resume, the folder cannot be
            made, or another process trains it.
    """
    held = (run / FILE).exists() or (run / CHECKPOINT).exists()
    if resume and not (run / FILE).exists():
        raise InputError(f"{run} holds no run to resume; start without --resume.", "nothing-to-resume")
    if not resume and held:
        raise InputError(f"{run} already holds a run; give --resume to go on, or another --out.", "run-exists")
    with remove_if_left_empty(run):
        try:
            run.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"Cannot make the run folder {run} ({error.strerror}); choose another --out.", "out"
            ) from None
        with lock_run(run):
            clear_partial(run)
            try:
                yield
            except Exception:
                if not resume and not (run / CHECKPOINT).exists():
                    _remove_failed_start(run)
                raise


def _remove_failed_start(run: Path) -> None:
    for name in _BEFORE_THE_FIRST_STEP:
        (run / name).unlink(missing_ok=True)
    shutil.rmtree(run / "tensorboard", ignore_errors=True)


def describe_run(run: Path, settings: RunSettings, kind: str, config: dict[str, Any]) -> None:
    """Write the settings, with the versions they were used with, and the network's kind and configuration."""
    versions = {
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "lightning": lightning.__version__,
    }
    save_run_settings(run, settings | {"versions": versions})
    network = {"kind": kind, "config": config}
    write_text_atomic(run / NETWORK, json.dumps(network, indent=2))
