"""Summarise the models that can be given by name, a line each."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.models.folder import read_description
from MidlineShiftLogic.models.locate import DEFAULT_MODEL, list_models

LINE_WIDTH = 90
"""Characters of a model's description that are shown."""
HEADINGS = ("model", "version", "a case on a CPU core", "what it is")


@dataclass(frozen=True)
class ModelSummary:
    """One model.

    Attributes:
        name: by which it is given. version: of the model; empty if it is broken.
        speed: seconds of one case on one core of a processor, with what was measured; ``-`` where it was not.
        line: the first sentence of its description, or what is wrong with it.
    """

    name: str
    version: str
    speed: str
    line: str


def summaries() -> list[ModelSummary]:
    """Summarise every model that can be given by name, in alphabetical order."""
    found = []
    for name, folder in list_models().items():
        shown = f"{name} [default]" if name == DEFAULT_MODEL else name
        try:
            about = read_description(folder)
        except InputError as error:
            found.append(ModelSummary(shown, "", "-", f"broken: {error}"))
            continue
        line = textwrap.shorten(first_sentence(about.description), LINE_WIDTH, placeholder=" ...")
        found.append(ModelSummary(shown, about.version, speed_text(about.speed), line))
    return found


def first_sentence(text: str) -> str:
    """Return a text up to its first full stop before a capital letter."""
    for at, mark in enumerate(text):
        if mark == "." and text[at + 1 : at + 2] == " " and text[at + 2 : at + 3].isupper():
            return text[: at + 1]
    return text


def speed_text(speed: dict | None) -> str:
    """Return the measured speed of ``model.json`` in words."""
    if not speed or not isinstance(speed.get("cpu_seconds"), int | float):
        return "-"
    return f"{speed['cpu_seconds']:.1f} s"


def table(found: list[ModelSummary]) -> str:
    """Lay summaries out in columns, with headings; an empty text if there are none."""
    if not found:
        return ""
    rows = [HEADINGS, *((one.name, one.version, one.speed, one.line) for one in found)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]).rstrip() + "\n"
        for row in rows
    )
