"""Weights that a run starts from: those of another run, as far as they fit."""

from __future__ import annotations

from pathlib import Path

import torch

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.models.folder import read_description
from MidlineShiftLogic.models.locate import find_model, list_models
from MidlineShiftLogic.models.weights import fill, read_weights


def load_exactly(network: torch.nn.Module, source: Path) -> None:
    """Take over the weights of a run folder or safetensors file. InputError if they do not fit."""
    path = _weights_file(source)
    fill(network, read_weights(path), str(path)).to(memory_format=torch.channels_last)


def _weights_file(source: Path, component: str = "deformation") -> Path:
    """Return the weights that ``--init`` means: a file, a run folder's, or a network of a model given by name or folder."""
    if source.is_file() or (source / "best.safetensors").exists():
        return source if source.is_file() else source / "best.safetensors"
    if (source / "model.json").exists() or str(source) in list_models():
        folder = find_model(source)
        described = read_description(folder).components.get(component)
        if described is None:
            raise InputError(f"The model {source} has no {component} network to start from.", "init")
        return folder / described.file
    raise InputError(f"{source} is no weights file, no run folder with weights, and no model to start from.", "init")


def load_what_fits(network: torch.nn.Module, checkpoint: str | Path, component: str = "deformation") -> list[str]:
    """Fill a network as far as names and shapes fit; further input channels start at zero.

    Args:
        network: to fill. checkpoint: run folder, safetensors file, or model by name or folder, whose network
            ``component`` is taken.

    Returns:
        Names of the parameters that kept their own initial values.

    Raises:
        InputError: the file cannot be read, or fills no parameter at all.
    """
    own, given = network.state_dict(), read_weights(_weights_file(Path(checkpoint), component))
    kept = []
    for name, value in own.items():
        other = given.get(name)
        if other is not None and other.shape == value.shape:
            value.copy_(other)
        elif (
            other is not None
            and other.ndim == 4
            and other.shape[0] == value.shape[0]
            and other.shape[1] < value.shape[1]
        ):
            value.zero_()
            value[:, : other.shape[1]] = other
        else:
            kept.append(name)
    if len(kept) == len(own):
        raise InputError(f"{checkpoint} fits this network nowhere; give the weights of a midline network.", "init")
    return kept
