"""What a run left in its folder: its network, and what it was started with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from midlineshift_training.trainers.settings.stored import load_run_settings
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.models.registry import build_network
from MidlineShiftLogic.models.weights import fill, read_weights


def load_run_network(run: Path) -> nn.Module:
    """Load the network of a finished run with its best averaged weights. InputError if the folder is no finished run."""
    try:
        described = json.loads((run / "network.json").read_text(encoding="utf-8"))
        kind, config = described["kind"], described["config"]
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{run} is not a run folder: it has no usable network.json.", "run") from None
    best = run / "best.safetensors"
    if not best.is_file():
        raise InputError(f"{run} is not finished: it has no best.safetensors yet.", "run")
    with torch.device("meta"):
        network = build_network(kind, config)
    return fill(network, read_weights(best), str(best)).eval()


def load_denoiser_pair(conditional: str | None, unconditional: str | None) -> list[nn.Module]:
    """Load the denoisers of unshifted and of all cases from their run folders. InputError if one is not given or no run."""
    if conditional is None or unconditional is None:
        raise InputError("The noise difference needs two denoisers: give --conditional and --unconditional.", "usage")
    return [load_run_network(Path(run)) for run in (conditional, unconditional)]


def resumed_choices(run: Path, given: dict[str, Any]) -> dict[str, Any]:
    """Return what a resumed run was started with beside its settings (weights to start from, cohort, denoisers).

    Args:
        given: name -> what was asked for now; None if nothing was.

    Raises:
        InputError: something else is asked for now than the run was started with.
    """
    stored = load_run_settings(run)
    for name, value in given.items():
        before = getattr(stored, name)
        if value is not None and not _same(value, before):
            raise InputError(
                f"{run} was started with {name} {before!r}, not {value!r}; leave this out to resume it, or start another "
                "run.",
                "resume",
            )
    return {name: getattr(stored, name) for name in given}


def _same(given: Any, stored: Any) -> bool:
    """Return whether two values are equal, or the same place given as another path."""
    if given == stored or (isinstance(given, list) and isinstance(stored, tuple) and given == list(stored)):
        return True
    texts = isinstance(given, str) and isinstance(stored, str) and given and stored
    return bool(texts) and Path(given).resolve() == Path(stored).resolve()
