"""Turn the user's device choice into the device that torch computes on."""

from __future__ import annotations

import json
import re

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.text import counted

PATTERN = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


def resolve_device(name: str = "auto") -> str:
    """Check a device choice against this machine.

    Args:
        name: ``auto`` (the first CUDA GPU, else Apple's, else the processor), ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.

    Returns:
        The name torch knows the device by, for example ``"cuda:0"``.

    Raises:
        InputError: unknown name, or this machine has no such device.
    """
    if not PATTERN.fullmatch(name):
        raise InputError(f"Unknown device {name!r}: use auto, cpu, cuda, cuda:N or mps.", "device")
    if name == "cpu":
        return name
    import torch

    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    apple = torch.backends.mps.is_available()
    if name == "auto":
        return "cuda:0" if gpus else "mps" if apple else "cpu"
    if name == "mps":
        if not apple:
            raise InputError("This machine has no Apple GPU that torch can use; choose --device cpu or auto.", "device")
        return name
    number = int(name.partition(":")[2] or 0)
    if number >= gpus:
        seen = f"sees {counted(gpus, 'GPU')}" if gpus else "sees no GPU"
        raise InputError(
            f"torch {seen} on this machine, so {name} cannot be used; choose --device cpu or auto.", "device"
        )
    return f"cuda:{number}"


def describe_devices() -> dict:
    """Describe what torch finds, JSON-ready: ``torch`` version, ``cuda`` names of the GPUs in order, ``mps``."""
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return {
        "torch": torch.__version__,
        "cuda": [torch.cuda.get_device_name(number) for number in range(count)],
        "mps": torch.backends.mps.is_available(),
    }


if __name__ == "__main__":
    print(json.dumps(describe_devices()))
