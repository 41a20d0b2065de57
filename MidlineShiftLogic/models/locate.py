"""Find the folder of a model by its name."""

from __future__ import annotations

import os
from pathlib import Path

from MidlineShiftLogic.errors import InputError

DEFAULT_MODEL = "midlineshift"
"""Name of the model that is used when none is chosen."""

MODEL_WITH_DENOISERS = "midlineshift-diffusion"
"""Name of the shipped model that can make a pseudo-healthy image."""

ENVIRONMENT_VARIABLE = "MIDLINESHIFT_MODELS"
"""Folders (separated as in PATH) that hold model folders; looked through before the shipped ones."""

_PACKAGE = Path(__file__).resolve().parents[1]


def model_roots() -> list[Path]:
    """Return the folders that may hold model folders, first choice first: the environment's, the checkout's, the package's."""
    chosen = [Path(part) for part in os.environ.get(ENVIRONMENT_VARIABLE, "").split(os.pathsep) if part]
    shipped = [_PACKAGE.parent / "Resources" / "Models", _PACKAGE / "Resources" / "Models"]
    return [root for root in (*chosen, *shipped) if root.is_dir()]


def list_models() -> dict[str, Path]:
    """Return name -> folder of every model that can be given by name, in alphabetical order."""
    found: dict[str, Path] = {}
    for root in model_roots():
        for description in sorted(root.glob("*/model.json")):
            found.setdefault(description.parent.name, description.parent)
    return dict(sorted(found.items()))


def find_model(name_or_folder: str | os.PathLike | None = None) -> Path:
    """Return the folder of a model given by name or by path; None means ``DEFAULT_MODEL``. InputError if there is none."""
    wanted = DEFAULT_MODEL if name_or_folder is None else os.fspath(name_or_folder)
    models = list_models()
    if wanted in models:
        return models[wanted]
    folder = Path(wanted).expanduser()
    if (folder / "model.json").is_file():
        return folder
    if folder.is_dir():
        raise InputError(f"{folder} is not a model folder: it has no model.json.", "not-a-model")
    known = f"one of: {', '.join(models)}" if models else "no model is installed by name"
    raise InputError(f"There is no model {wanted!r}; give a model folder or a name ({known}).", "no-model")
