"""What a run was made with and from: package versions, git revision, device, and digests of its data."""

from __future__ import annotations

import datetime
import json
import platform
import subprocess
from pathlib import Path
from typing import Any

import torch

from midlineshift_training.datasets.sources import digest, recorded_sources, same_data
from midlineshift_training.trainers.processes import Processes
from midlineshift_training.trainers.run_folder.atomic_write import write_text_atomic
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.software import package_version

FILE = "provenance.json"
PACKAGES = (
    "midlineshift", "torch", "lightning", "numpy", "scipy", "nibabel", "SimpleITK", "pydicom", "safetensors",
    "tensorboard", "PyYAML", "pydantic", "monai",
)  # fmt: skip


def record_session(
    run: Path, data: list[str], processes: Processes, step: int, initial: dict[str, Any] | None = None
) -> None:
    """Add this start of the run to ``provenance.json``.

    Args:
        run: run folder. data: files and folders it is trained on. processes: that train. step: it goes on from.
        initial: what the weights had seen that the run starts from; None if it starts from none.

    Raises:
        InputError: the data are not those that the run was started with (code ``data-changed``), or cannot be read.
    """
    stored = read_provenance(run)
    digests = [digest(Path(path)) for path in data]
    before = stored.get("data", [])
    if before and (len(before) != len(digests) or not all(map(same_data, before, digests))):
        raise InputError(
            f"The data in {', '.join(data)} are not those that {run} was started with: it would not go on as it began. "
            "Give the same data, or start another run, with --init from this one.",
            "data-changed",
        )
    session = {
        "started": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "step": step,
        "python": platform.python_version(),
        "packages": {name: package_version(name) for name in PACKAGES},
        "git": git_revision(),
        "system": f"{platform.system()} {platform.machine()}",
        "device": _device(processes.accelerator),
        "threads": torch.get_num_threads(),
        "processes": processes.count,
        "machines": processes.machines,
    }
    entries = [entry | {"sources": recorded_sources(Path(path))} for path, entry in zip(data, digests, strict=True)]
    record: dict[str, Any] = {"data": entries, "sessions": [*stored.get("sessions", []), session]}
    if initial or stored.get("initial"):
        record["initial"] = stored.get("initial") or initial
    write_text_atomic(run / FILE, json.dumps(record, indent=1) + "\n")


def read_provenance(run: Path) -> dict[str, Any]:
    """Return contents of ``provenance.json``; empty for a run that has none."""
    try:
        return json.loads((run / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def git_revision() -> dict[str, Any] | None:
    """``revision`` of the checkout this package runs from, and whether files in it were ``changed``; None elsewhere."""
    here = Path(__file__).resolve()

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(here.parent), *words], capture_output=True, text=True, check=True, timeout=20
        ).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", here.name)  # an installed copy may be inside somebody else's checkout
        return {"revision": git("rev-parse", "HEAD"), "changed": bool(git("status", "--porcelain", "-uno"))}
    except (OSError, subprocess.SubprocessError):
        return None


def _device(accelerator: str) -> str:
    if accelerator != "cpu" and torch.cuda.is_available():
        return torch.cuda.get_device_name(0)
    return platform.processor() or platform.machine()
