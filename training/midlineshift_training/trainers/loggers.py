"""Loggers of a run: TensorBoard, CSV, MLflow, Weights & Biases; by default nothing leaves the run folder."""

from __future__ import annotations

import importlib
import importlib.util
import json
import uuid
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import CSVLogger, Logger, MLFlowLogger, TensorBoardLogger, WandbLogger
from packaging.version import Version

from midlineshift_training.trainers.run_folder.atomic_write import write_text_atomic
from midlineshift_training.trainers.settings.common import RunSettings
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.software import UNKNOWN, package_version

PROJECT = "midlineshift"
LEAST_VERSIONS = {"mlflow": "2.8", "wandb": "0.16"}
"""Package that a logger needs -> oldest version that is taken. Neither is a dependency: both bring many others."""
IDS = "loggers.json"
"""Keeps under which identifier a server knows the run, so that a resumed run goes on there."""


def check_loggers(settings: RunSettings) -> None:
    """Raise an InputError if a logger's package is missing, too old, or cannot be loaded beside the others here."""
    for package, least in LEAST_VERSIONS.items():
        if package not in settings.loggers:
            continue
        install = f"python -m pip install '{package}>={least}'"
        if importlib.util.find_spec(package) is None:
            raise InputError(f"The logger {package} needs the package {package}: {install}.", "logger")
        version = package_version(package)
        if version != UNKNOWN and Version(version) < Version(least):
            raise InputError(
                f"The logger {package} needs {package} {least} or newer, and {version} is installed: {install}.",
                "logger",
            )
        try:
            importlib.import_module(package)
        except Exception as error:  # whatever a package raises that does not fit the others
            raise InputError(_cannot_be_loaded(package, error), "logger") from None


def _cannot_be_loaded(package: str, error: Exception) -> str:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return (
        f"The logger {package} cannot be used ({reason.rstrip('.')}); give it an environment in which its version goes with the "
        "other packages, or choose others: --set loggers=[tensorboard,csv]."
    )


def make_loggers(run: Path, settings: RunSettings, first: int | None) -> list[Logger]:
    """Make the loggers that the settings name.

    Args:
        run: run folder. settings: of the run.
        first: step that a resumed run goes on from, so that what a killed run logged after it is logged again; None: a new
            run.
    """
    makers = {"tensorboard": _tensorboard, "csv": _csv, "mlflow": _mlflow, "wandb": _wandb}
    loggers = []
    for name in settings.loggers:
        try:
            loggers.append(makers[name](run, settings, first))
        except Exception as error:  # of a server that does not answer, or a package that Lightning does not take
            if name not in LEAST_VERSIONS:
                raise
            raise InputError(_cannot_be_loaded(name, error), "logger") from None
    return loggers


def _tensorboard(run: Path, settings: RunSettings, first: int | None) -> Logger:
    # TensorBoard hides what has this step or a later one; what was logged at ``first`` itself is before the checkpoint
    return TensorBoardLogger(run, name="", version="tensorboard", purge_step=None if first is None else first + 1)


def _csv(run: Path, settings: RunSettings, first: int | None) -> Logger:
    # a new file for each start: the logger would empty the one that is there
    return CSVLogger(run, name="csv", version=f"from-step-{first or 0:07d}")


def _mlflow(run: Path, settings: RunSettings, first: int | None) -> Logger:
    place: dict[str, Any] = {}
    if settings.loggers_offline:
        whole = run.resolve()
        place = {"tracking_uri": f"sqlite:///{whole / 'mlflow.db'}", "artifact_location": str(whole / "mlflow")}
    logger = MLFlowLogger(PROJECT, run.resolve().name, run_id=_stored(run, "mlflow"), **place)
    _store(run, "mlflow", str(logger.run_id))
    return logger


def _wandb(run: Path, settings: RunSettings, first: int | None) -> Logger:
    identifier = _stored(run, "wandb") or uuid.uuid4().hex[:8]
    _store(run, "wandb", identifier)
    return WandbLogger(
        run.resolve().name,
        save_dir=run,
        project=PROJECT,
        id=identifier,
        offline=settings.loggers_offline,
        resume="allow",
    )


def _stored(run: Path, name: str) -> str | None:
    return _ids(run).get(name)


def _store(run: Path, name: str, identifier: str) -> None:
    text = json.dumps(_ids(run) | {name: identifier})
    write_text_atomic(run / IDS, text)


def _ids(run: Path) -> dict[str, str]:
    try:
        return json.loads((run / IDS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
