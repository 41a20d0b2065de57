"""Clean texts that come from outside (files, headers, names, the network) before a person or a program reads them."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

REMOVED_CATEGORIES = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})
"""Unicode categories that change how other text is shown: control (C0, C1) and format characters (bidirectional marks,
zero-width ones), private use, surrogates, line and paragraph separators."""

FORMULA_STARTS = "=+-@;|%\uff1d\uff0b\uff0d\uff20\uff1b"
"""First characters that spreadsheet programs may take as a formula or a new cell; full-width forms are folded by some."""

MAX_CHARACTERS = 2000
"""Longer texts are no names or sentences."""


def clean_text(text: object, limit: int = MAX_CHARACTERS, keep_spaces: bool = False) -> str:
    """Return a text on one line, without characters that act on a terminal, a log or the order of display.

    Args:
        text: any object; ``str`` is taken of it.
        limit: longest result in characters.
        keep_spaces: whether to keep runs of spaces; else each run of white space becomes one space.
    """
    kept = "".join(" " if is_removed(sign) else sign for sign in str(text)[: 4 * limit])
    return (kept if keep_spaces else " ".join(kept.split()))[:limit]


def counted(number: int, noun: str) -> str:
    """Return a number with its noun in the right form, such as ``1 case`` and ``3 cases``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def parse_json(text: str | bytes) -> Any:
    """Return what JSON text from outside stands for.

    Raises:
        ValueError: it is not JSON, or nested so deeply that Python gives up with another error.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def is_removed(sign: str) -> bool:
    """Return whether a character must not reach a terminal, a log or a table."""
    return unicodedata.category(sign) in REMOVED_CATEGORIES


def csv_text(text: object) -> str:
    """Return a cleaned text for a cell of a CSV file; one that a spreadsheet would run gets an apostrophe in front."""
    cleaned = clean_text(text)
    start = unicodedata.normalize("NFKC", cleaned.lstrip("'\" "))[:1]
    return f"'{cleaned}" if start and start in FORMULA_STARTS else cleaned
