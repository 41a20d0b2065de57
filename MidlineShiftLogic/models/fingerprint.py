"""Identify a model by its ``model.json`` alone: to see whether an earlier result is of the same one."""

from __future__ import annotations

import hashlib
import json
import os

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.models.description import parse_description
from MidlineShiftLogic.models.locate import find_model
from MidlineShiftLogic.text import parse_json

NOT_OF_THE_NUMBERS = ("description", "licence", "trained_on", "accuracy", "speed")


def model_identity(name_or_folder: str | os.PathLike | None = None) -> dict[str, str]:
    """Return ``name``, ``version`` and ``digest`` (of the weights' digests and all settings that the numbers depend on).

    Raises:
        InputError: there is no such model, or its ``model.json`` is broken.
    """
    file = find_model(name_or_folder) / "model.json"
    try:
        content = parse_json(file.read_text(encoding="utf-8"))
        about = parse_description(content)
    except (OSError, ValueError) as error:
        raise InputError(f"{file} cannot be read ({error}).", "model-json") from error
    except InputError as error:
        raise InputError(f"{file}: {error}.", error.code) from error
    kept = {key: value for key, value in content.items() if key not in NOT_OF_THE_NUMBERS}
    digest = hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:16]
    return {"name": about.name, "version": about.version, "digest": digest}
