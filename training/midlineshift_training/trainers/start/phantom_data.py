"""Phantoms of a run, as its settings name them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from midlineshift_training.datasets.phantom_slices import PhantomSlices, load_phantoms
from midlineshift_training.datasets.phantoms.files import split_phantoms
from midlineshift_training.trainers.processes import say


def load_training_phantoms(
    settings: dict[str, Any], data: Sequence[Path], validation_cases: int
) -> tuple[PhantomSlices, PhantomSlices]:
    """Load the phantoms to train on and those to validate with; their folders and numbers go into ``settings``."""
    files, held_out = split_phantoms(data, validation_cases)
    settings |= {"data": [str(folder) for folder in data], "cases": len(files), "validation_cases": len(held_out)}
    say(f"{len(files)} phantoms to train on, {len(held_out)} to check with")
    return load_phantoms(files), load_phantoms(held_out)
