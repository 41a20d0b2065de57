"""Convert checkpoints of Gong et al. (``.pt``) to a model folder. Nothing of a checkpoint is ever executed."""

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
from MidlineShiftLogic.models.checkpoint_size import ADM_GRID, ADM_HEAD_CHANNELS
from MidlineShiftLogic.models.checkpoint_size import deformation_config as deformation_size
from MidlineShiftLogic.models.checkpoint_size import denoiser_config as denoiser_size
from MidlineShiftLogic.models.description import ModelDescription
from MidlineShiftLogic.models.empty_init import empty_init
from MidlineShiftLogic.models.folder import load_model, save_model
from MidlineShiftLogic.networks.denoiser import Denoiser
from MidlineShiftLogic.networks.diffusion import CONDITIONAL_WEIGHT, DDIM_COUNT, DDIM_START
from MidlineShiftLogic.networks.voxelmorph import DeformationNet

GRID, PIXEL_MM = ADM_GRID, 0.9
"""The published grid, and frame millimetres a pixel of it unless given: their files record none."""
FIELD_OF_VIEW_MM = GRID * PIXEL_MM
"""Side of the frame unless a pixel size is given; it shows a head of usual size whole."""
LENGTH_MM = 165.0
"""Falx length that keeps an average adult head at its own size: they did not scale heads."""
NOISE_LEVEL, STEPS = 300, 1000
"""Of the noise difference at test, and of the whole schedule (linear)."""

_SAFE_TORCH = (2, 6)
_NESTED = ("state_dict", "model_state_dict", "model")


def import_authors(
    conditional: str | os.PathLike,
    unconditional: str | os.PathLike,
    deformation: str | os.PathLike,
    out: str | os.PathLike,
    pixel_mm: float | None = None,
    pose_from: str | os.PathLike | None = None,
    denoiser_config: Mapping[str, Any] | None = None,
    deformation_config: Mapping[str, Any] | None = None,
    *,
    grid: int = ADM_GRID,
    head_channels: int = ADM_HEAD_CHANNELS,
) -> Path:
    """Convert three checkpoints to a model folder, with the weights in float32 as they are.

    Networks of another size than the published one are recognised by the shapes of their weights.

    Args:
        conditional, unconditional: denoisers of non-MLS cases and of all cases.
        deformation: deformation network.
        out: the model folder to write; must not exist yet.
        pixel_mm: millimetres a pixel of the frame; as many as show 230.4 mm (0.9 at 256 px) if None.
        pose_from: model whose pose network is taken along, since theirs has none (None: the default model).
        denoiser_config, deformation_config: sizes, where they are not to be derived from the weights.
        grid: side in px of the slices that the networks were trained on.
        head_channels: channels of an attention head of the denoisers.

    Returns:
        The model folder.

    Raises:
        InputError: a file is missing, damaged, holds more than tensors, or does not fit (the first parameter that does
            not is named); ``out`` exists; there is no model to take the pose network from.
    """
    size = {"grid": grid, "head_channels": head_channels}
    networks = {
        "conditional": read_authors(conditional, "the conditional denoiser", Denoiser, denoiser_config, **size),
        "unconditional": read_authors(unconditional, "the unconditional denoiser", Denoiser, denoiser_config, **size),
        "deformation": read_authors(deformation, "the deformation network", DeformationNet, deformation_config),
    }
    released = load_model(pose_from)
    networks["pose"] = released.network("pose")
    pixel_mm = FIELD_OF_VIEW_MM / grid if pixel_mm is None else float(pixel_mm)
    description = ModelDescription(
        name=Path(out).name,
        version="1",
        description="Networks of Gong et al. 2023 (arXiv 2301.00409), imported; research use only.",
        licence="that of the imported checkpoints",
        trained_on="see the source of the imported checkpoints",
        frame={"grid": grid, "pixel_mm": pixel_mm, "length_mm": LENGTH_MM},
        noise={
            "t": NOISE_LEVEL,
            "seed": 0,
            "schedule": "linear",
            "steps": STEPS,
            "grid": grid,
            "gain": 1.0,
            "ddim": {"count": DDIM_COUNT, "start": DDIM_START, "conditional_weight": CONDITIONAL_WEIGHT},
        },
        readout=released.readout,
    )
    return save_model(out, description, networks, frames={"pose": released.frame_of("pose")}, half=False)


def read_authors(
    path: str | os.PathLike,
    what: str,
    network_class: type[nn.Module],
    config: Mapping[str, Any] | None = None,
    *,
    grid: int = ADM_GRID,
    head_channels: int = ADM_HEAD_CHANNELS,
) -> nn.Module:
    """Build one network with the weights of their checkpoint, float32, in evaluation mode.

    Args:
        path: the checkpoint.
        what: what the file should be, for error messages.
        network_class: ``Denoiser`` or ``DeformationNet``.
        config: its settings; derived from the shapes of the weights if None.
        grid, head_channels: of a denoiser, which do not follow from these shapes.

    Raises:
        InputError: as ``import_authors``.
    """
    path = Path(path)
    given = _weights_of_the_network(read_checkpoint(path))
    if config is None:
        size = denoiser_size(given, grid, head_channels) if network_class is Denoiser else deformation_size(given)
        config = size or {}  # the published size, for a file of another network: the check names what is missing
    try:
        with empty_init():
            network = network_class(**config)
    except ValueError as error:
        raise InputError(
            f"{path} does not fit {what}: {error}; give the channels of its attention heads.", "checkpoint-misfit"
        ) from None
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
    """Read the dict in a ``.pt`` file that may hold tensors and plain containers only.

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
    except Exception:  # torch raises many types for damaged archives, none of which says more to the user than this
        raise InputError(
            f"{path} is damaged or not a PyTorch checkpoint; download it again.", "damaged-checkpoint"
        ) from None
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no parameters by name; give the state dict file.", "damaged-checkpoint")
    return content


def _weights_of_the_network(content: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters by the authors' names: unwrapped, without the prefix of distributed training and grids."""
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
