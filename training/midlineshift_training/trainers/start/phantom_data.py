"""Phantoms of a run: which to train on, and which are held out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from midlineshift_training.datasets.phantoms.files import split_phantoms
from midlineshift_training.trainers.settings.common import RunSettings

Settings = TypeVar("Settings", bound=RunSettings)


def split_training_phantoms(
    settings: Settings, data: Sequence[Path], validation_cases: int
) -> tuple[Settings, list[Path], list[Path]]:
    """Split the phantoms of folders for a run.

    Returns:
        The settings with the numbers of cases, files to train on, files to validate with.
    """
    files, held_out = split_phantoms(list(data), validation_cases)
    numbers: dict[str, Any] = {"cases": len(files), "validation_cases": len(held_out)}
    numbers["held_out"] = [f"{path.parent.name}/{path.stem}" for path in held_out]
    return settings | numbers, files, held_out
