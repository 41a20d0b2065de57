"""What the times were taken on, and whether it was quiet."""

from __future__ import annotations

import os
import platform
from pathlib import Path

BUSY = 0.3
"""Waiting or running programs a core before we start, above which times say more about the others than about us."""


def describe() -> dict:
    """JSON-ready: processor, cores, memory, GPU, versions, and the load before anything was measured."""
    import torch

    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    return {
        "processor": _processor(),
        "cores": cores(),
        "memory_gb": round(_memory_bytes() / 2**30),
        "gpu": gpu,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "load_before": load,
        "busy": load is not None and load > BUSY * cores(),
    }


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def sentence(machine: dict) -> str:
    """The machine in one line."""
    gpu = f", {machine['gpu']}" if machine["gpu"] else ", no GPU"
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB{gpu}; "
        f"{machine['system']}, Python {machine['python']}, torch {machine['torch']}"
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory_bytes() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 0
