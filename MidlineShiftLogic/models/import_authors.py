"""The checkpoints published by Gong et al. (``.pt``) -> a model folder. Nothing of a checkpoint is ever executed."""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.models.authors_names import authors_name, authors_shape, is_sampling_grid
from MidlineShiftLogic.models.description import ModelDescription
from MidlineShiftLogic.models.empty_init import empty_init
from MidlineShiftLogic.models.folder import load_model, save_model
from MidlineShiftLogic.networks.denoiser import Denoiser
from MidlineShiftLogic.networks.voxelmorph import DeformationNet

GRID = 256
PIXEL_MM = 0.9
"""Frame millimetres a pixel, unless told: their files record none; 256 px of 0.9 mm show a head of usual size whole."""
LENGTH_MM = 165.0
"""Falx length that keeps an average adult head at its own size: they did not scale heads."""

_SAFE_TORCH = (2, 6)
_NESTED = ("state_dict", "model_state_dict", "model")


def import_authors(
    conditional: str | os.PathLike,
    unconditional: str | os.PathLike,
    deformation: str | os.PathLike,
    out: str | os.PathLike,
    pixel_mm: float = PIXEL_MM,
    pose_from: str | os.PathLike | None = None,
    denoiser_config: Mapping[str, Any] | None = None,
    deformation_config: Mapping[str, Any] | None = None,
) -> Path:
    """Convert three checkpoints to a model folder.

    Args:
        conditional, unconditional: denoisers of non-MLS cases and of all cases.
        deformation: deformation network.
        out: the model folder to write; must not exist yet.
        pixel_mm: millimetres a pixel of the frame.
        pose_from: model whose pose network is taken along, since theirs has none (None: the default model).
        denoiser_config, deformation_config: sizes other than the published ones.

    Returns:
        The model folder.

    Raises:
        InputError: a file is missing, damaged, holds more than tensors, or does not fit (the first parameter that does
            not is named); ``out`` exists; there is no model to take the pose network from.
    """
    networks = {
        "conditional": read_authors(conditional, "the conditional denoiser", Denoiser, denoiser_config),
        "unconditional": read_authors(unconditional, "the unconditional denoiser", Denoiser, denoiser_config),
        "deformation": read_authors(deformation, "the deformation network", DeformationNet, deformation_config),
    }
    released = load_model(pose_from)
    networks["pose"] = released.network("pose")
    description = ModelDescription(
        name=Path(out).name,
        version="1",
        description="Networks of Gong et al. 2023 (arXiv 2301.00409), imported; research use only.",
        licence="that of the imported checkpoints",
        trained_on="see the source of the imported checkpoints",
        frame={"grid": GRID, "pixel_mm": float(pixel_mm), "length_mm": LENGTH_MM},
        noise={"t": 300, "seed": 0, "schedule": "linear", "steps": 1000, "grid": GRID, "gain": 1.0},
        readout=released.readout,
    )
    return save_model(out, description, networks, frames={"pose": released.frame_of("pose")})


def read_authors(
    path: str | os.PathLike, what: str, network_class: type[nn.Module], config: Mapping[str, Any] | None = None
) -> nn.Module:
    """One network with the weights of their checkpoint, float32, in evaluation mode.

    Args:
        what: what the file should be, for error messages.
        network_class: ``Denoiser`` or ``DeformationNet``. config: its settings; the published ones by default.

    Raises:
        InputError: as ``import_authors``.
    """
    path = Path(path)
    given = _weights_of_the_network(read_checkpoint(path))
    with empty_init():
        network = network_class(**(config or {}))
    state = {}
    for name, parameter in network.state_dict().items():
        theirs, shape = authors_name(network, name), authors_shape(name, parameter)
        value = given.pop(theirs, None)
        _check(path, what, theirs, value, shape)
        state[name] = value.float().reshape(parameter.shape)
    if given:
        raise InputError(f"{path} does not fit {what}: {next(iter(given))!r} is unexpected.", "checkpoint-misfit")
    network.load_state_dict(state, assign=True)
    return network.eval().requires_grad_(False)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Object of a ``.pt`` file that may hold tensors and plain containers only; must be a dict.

    Raises:
        InputError: no such file, damaged, holds anything else (refused before it is built), or torch is too old to
            refuse safely.
    """
    if tuple(int(part) for part in re.findall(r"\d+", torch.__version__)[:2]) < _SAFE_TORCH:
        message = "Importing checkpoints needs PyTorch 2.6 or later, since older ones may run code from such files."
        raise InputError(message, "old-torch")
    if not path.is_file():
        raise InputError(f"There is no checkpoint file {path}.", "no-file")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise InputError(
            f"{path} was refused: it is not a plain PyTorch checkpoint, or holds more than tensors and could run code.",
            "unsafe-checkpoint",
        ) from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}).", "damaged-checkpoint") from None
    except MemoryError:
        raise
    except Exception:  # torch raises many types for damaged archives, none of which tells the user more than this
        raise InputError(
            f"{path} is damaged or not a PyTorch checkpoint; download it again.", "damaged-checkpoint"
        ) from None
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no parameters by name; give the state dict file.", "damaged-checkpoint")
    return content


def _weights_of_the_network(content: dict[str, Any]) -> dict[str, Any]:
    """Parameters by the authors' names: unwrapped, without the prefix of distributed training, without grids."""
    for key in _NESTED:
        if isinstance(content.get(key), dict):
            content = content[key]
    if content and all(str(name).startswith("module.") for name in content):
        content = {name.removeprefix("module."): value for name, value in content.items()}
    return {str(name): value for name, value in content.items() if not is_sampling_grid(str(name))}


def _check(path: Path, what: str, name: str, value: Any, shape: tuple[int, ...]) -> None:
    if value is None:
        raise InputError(f"{path} does not fit {what}: {name!r} is missing.", "checkpoint-misfit")
    if not isinstance(value, Tensor) or value.layout != torch.strided or not value.is_floating_point():
        raise InputError(f"{path} does not fit {what}: {name!r} is no array of numbers.", "checkpoint-misfit")
    if tuple(value.shape) != shape:
        found, needed = ("x".join(map(str, size)) or "one number" for size in (value.shape, shape))
        message = f"{path} does not fit {what}: {name!r} is {found} where {needed} is needed."
        raise InputError(message, "checkpoint-misfit")
    if not torch.isfinite(value).all():
        raise InputError(f"{path} does not fit {what}: {name!r} holds values that are not finite.", "checkpoint-misfit")
