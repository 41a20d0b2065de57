"""What a finished run left: its network and its settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.models.registry import build_network
from MidlineShiftLogic.models.weights import fill, read_weights


def load_run_network(run: Path) -> nn.Module:
    """Network of a finished run with its best averaged weights. InputError if the folder is no finished run."""
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


def load_run_settings(run: Path) -> dict[str, Any]:
    """Settings a run was trained with. InputError if they cannot be read."""
    try:
        settings = yaml.safe_load((run / "settings.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        settings = None
    if not isinstance(settings, dict):
        raise InputError(f"{run} is not a run folder: it has no usable settings.yaml.", "run")
    return settings


def resumed_choices(run: Path, given: dict[str, Any]) -> dict[str, Any]:
    """What a resumed run was started with beside its settings (weights to start from, cohort, denoisers).

    Args:
        given: name -> what was asked for now; None if nothing was.

    Raises:
        InputError: something else is asked for now than the run was started with.
    """
    stored = load_run_settings(run)
    for name, value in given.items():
        if value is not None and not _same(value, stored.get(name)):
            raise InputError(
                f"{run} was started with {name} {stored.get(name)!r}, not {value!r}; leave this out to resume it, or "
                "start another run.",
                "resume",
            )
    return {name: stored.get(name) for name in given}


def _same(given: Any, stored: Any) -> bool:
    """Equal, or the same place given as another path."""
    if given == stored:
        return True
    texts = isinstance(given, str) and isinstance(stored, str) and given and stored
    return bool(texts) and Path(given).resolve() == Path(stored).resolve()


def resumed_settings(run: Path, defaults: dict[str, Any]) -> dict[str, Any]:
    """Settings a resumed run starts from: those it was started with, so that changed defaults do not change it."""
    stored = load_run_settings(run)
    return {key: stored.get(key, value) for key, value in defaults.items()}
