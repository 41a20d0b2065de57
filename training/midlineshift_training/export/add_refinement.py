"""A model with another refinement network, or with one where it had none."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from midlineshift_training.export.model_folder import REFINEMENT, check_refinement_frame
from midlineshift_training.trainers.run_folder.finished_run import load_run_network
from midlineshift_training.trainers.run_folder.trained_on import trained_on
from MidlineShiftLogic.measurement.shift_settings import ShiftSettings
from MidlineShiftLogic.models.folder import load_model, save_model
from MidlineShiftLogic.models.settings import parse_settings


def add_refinement(
    out: Path,
    model: str,
    run: Path,
    texts: dict[str, str],
    readout: dict[str, Any] | None = None,
    accuracy: dict[str, Any] | None = None,
) -> Path:
    """Write a model folder with the networks of a model and the refinement network of a run.

    The model's calibration, accuracy and speed are left out: they were measured without this network.

    Args:
        out: the folder; must not exist yet. model: name or folder of a model. run: run of ``refinement``.
        texts: as of ``export_runs``. readout: parameters of the shift computation, in the place of the model's own.
        accuracy: measured figures.

    Returns:
        The folder.

    Raises:
        InputError: the run is of another command or not finished, or its frame is not that of the deformation network.
    """
    base = load_model(model)
    description = base.description
    check_refinement_frame(run, base.frame_of("deformation"), f"the model {base.name!r}")
    networks = {name: base.network(name) for name in description.components} | {REFINEMENT: load_run_network(run)}
    frames = {name: component.frame for name, component in description.components.items() if component.frame}
    said = texts["trained_on"] or (
        f"other networks of {base.name} {description.version} ({description.trained_on}); refinement network: "
        f"{trained_on([run]).text()}"
    )
    # every parameter is written out, those of the second look too: later defaults do not change this model's numbers
    own = asdict(parse_settings(ShiftSettings, base.readout, "'readout' of model.json"))
    settings = asdict(parse_settings(ShiftSettings, own | (readout or {}), "--readout"))
    changed: dict[str, Any] = texts | {"trained_on": said, "readout": settings}
    combined = replace(description, **changed, uncertainty=None, accuracy=accuracy or {}, speed=None)
    return save_model(out, combined, networks, frames)
