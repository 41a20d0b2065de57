"""What the child process is asked for: a measurement, or the pseudo-healthy image of its slices."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from MidlineShiftLogic.reporting.fields_file import read_fields
from MidlineShiftLogic.reporting.measurement_json import from_json

from .child_run import Job


def measureJob(name: str, model: str, device: str, finished: Callable[[tuple[Any, Any]], None]) -> Job:
    """Measure; ``finished`` gets (measurement, dense results).

    Args:
        name: of the case in the result. model: name or folder, empty for the default. device: as of the command line.
    """

    def read(folder: Path) -> tuple[Any, Any]:
        measurement = from_json((folder / "measurement.json").read_text(encoding="utf-8"))
        return replace(measurement, case_id=name), read_fields(folder / "fields.npz")

    return Job(["measure", "--device", device, "--fields", *_model(model)], read, finished)


def healthyJob(slices: Iterable[int], model: str, device: str, finished: Callable[[Any], None]) -> Job:
    """Make the pseudo-healthy image of ``slices``; ``finished`` gets a ``PseudoHealthy``. Others as ``measureJob``."""

    def read(folder: Path) -> Any:
        from MidlineShiftLogic.reporting.healthy_files import read_healthy

        return read_healthy(folder / "pseudo_healthy.npz")

    listed = ",".join(str(index) for index in slices)
    return Job(["pseudo-healthy", "--device", device, "--slices", listed, *_model(model)], read, finished)


def _model(model: str) -> list[str]:
    return ["--model", model] if model else []
