"""Describe the model in one line of the report: its name, what it was trained on, and its accuracy."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.models.accuracy import accuracy_sentence
from MidlineShiftLogic.models.description import ModelDescription, parse_description
from MidlineShiftLogic.models.locate import list_models
from MidlineShiftLogic.text import parse_json


def model_line(provenance: dict[str, Any], folders: Iterable[Path] = ()) -> str:
    """Return ``midlineshift 2. Trained on .... Mean error ....``, from the model's card where that very model is at hand.

    Args:
        provenance: ``Measurement.model``: name, version, SHA-256 of each component.
        folders: model folders to look at beside those that can be given by name.
    """
    if not provenance:
        return ""
    named = f"{provenance.get('name', 'unnamed')} {provenance.get('version', '')}".strip()
    for folder in (*folders, *list_models().values()):
        card = _card(folder)
        if card is not None and _same(card, provenance):
            try:
                return f"{named}. Trained on {card.trained_on}. {accuracy_sentence(card.accuracy)}"
            except (TypeError, ValueError):  # figures that are not numbers, in somebody's own model
                return f"{named}. Trained on {card.trained_on}."
    return f"{named}. Its card is not installed here, so its training data and accuracy are unknown here."


def _card(folder: Path) -> ModelDescription | None:
    try:
        return parse_description(parse_json((Path(folder) / "model.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, InputError):
        return None


def _same(card: ModelDescription, provenance: dict[str, Any]) -> bool:
    digests = {name: component.sha256 for name, component in card.components.items()}
    return (card.name, card.version, digests) == tuple(provenance.get(key) for key in ("name", "version", "sha256"))
