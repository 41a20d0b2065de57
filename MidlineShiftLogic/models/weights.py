"""Write and read weights as safetensors, which hold tensors and nothing that could run."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from MidlineShiftLogic.errors import InputError

_LARGEST_HALF = torch.finfo(torch.float16).max
_CHUNK = 1 << 20


def write_weights(path: Path, state: dict[str, Tensor], half: bool = True) -> str:
    """Write a state dict and return the file's SHA-256 (hexadecimal).

    Args:
        path: the file to write.
        state: name -> tensor.
        half: store kernels and matrices as float16, which rounds them by up to 1 part in 2048. Vectors (norms, biases,
            running variances) and anything that float16 cannot hold stay float32, integers stay as they are.
    """
    save_file({name: _stored(value, half) for name, value in state.items()}, path)
    path.chmod(0o644)  # safetensors makes files that only their owner can read
    return sha256(path)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read the state dict of a safetensors file to the CPU, every float in float32. InputError if it cannot be read."""
    try:
        state = load_file(path)
    except FileNotFoundError:
        raise InputError(f"The weights file {path} is missing; install the model again.", "weights-missing") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{path} is not a readable safetensors file ({error}).", "weights-damaged") from None
    for name, value in state.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise InputError(f"{path} holds undefined numbers in {name!r}; install the model again.", "weights-damaged")
    return {name: value.float() if value.is_floating_point() else value for name, value in state.items()}


def fill(network: nn.Module, state: dict[str, Tensor], source: str) -> nn.Module:
    """Put weights into a network that was built on the meta device; tensors are taken over, not copied.

    Args:
        source: what the weights are, for the error message.

    Raises:
        InputError: names the first parameter that is missing, unexpected or of another shape.
    """
    expected = network.state_dict()
    for name, value in expected.items():
        if name not in state:
            raise InputError(f"{source} lacks the parameter {name!r}.", "weights-do-not-fit")
        if state[name].shape != value.shape:
            raise InputError(
                f"{source} has {name!r} as {_size(state[name])} where {_size(value)} is needed.", "weights-do-not-fit"
            )
    for name in state:
        if name not in expected:
            raise InputError(f"{source} has an unexpected parameter {name!r}.", "weights-do-not-fit")
    network.load_state_dict(state, assign=True)
    return network


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal. OSError if it cannot be read."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _stored(value: Tensor, half: bool) -> Tensor:
    value = value.detach().cpu().contiguous()
    if half and value.is_floating_point() and value.ndim > 1 and value.abs().max() < _LARGEST_HALF:
        return value.half()
    return value


def _size(value: Tensor) -> str:
    return "x".join(map(str, value.shape)) or "a single number"
