"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO


def write_atomic(path: Path, write: Callable[[Path], Any]) -> None:
    """Call ``write(temporary path)`` and move the result onto ``path``; nothing half-written stays under that name.

    The temporary file is in the same folder, so that the move is one step, and reaches the disk before it is moved: a
    power cut leaves the old file or the new one.
    """
    temporary = path.with_name(f".{path.name}.partial")
    write(temporary)
    temporary.chmod(0o644)  # safetensors writes privately
    _to_disk(temporary)
    os.replace(temporary, path)
    if os.name == "posix":
        _to_disk(path.parent)


def write_text_atomic(path: Path, text: str) -> None:
    """Write a text as UTF-8 by ``write_atomic``."""
    write_atomic(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def _to_disk(path: Path) -> None:
    # Windows lets only what is open for writing be flushed, POSIX also a folder that is open for reading
    handle = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def clear_partial(run: Path) -> None:
    """Remove what killed writers left."""
    for path in run.rglob(".*.partial"):
        path.unlink(missing_ok=True)


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes checkpoints by ``write_atomic``.

    Lightning's own way writes to the machine's folder for temporary files and moves the file from there: on another
    disk that is a copy, and a kill in the middle of it leaves half a file in the place of the last good checkpoint.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path, storage_options=None) -> None:
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, lambda temporary: torch.save(checkpoint, temporary))
