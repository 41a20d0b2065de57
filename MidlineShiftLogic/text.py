"""Clean texts that come from outside (files, headers, names, the network) before a person or a program reads them."""

from __future__ import annotations

import unicodedata

REMOVED_CATEGORIES = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})
"""Unicode categories that change how other text is shown: control (C0, C1) and format characters (bidirectional marks,
zero-width ones), private use, surrogates, line and paragraph separators."""

FORMULA_STARTS = "=+-@;|%\uff1d\uff0b\uff0d\uff20\uff1b"
"""First characters that spreadsheet programs may take as a formula or a new cell; full-width forms are folded by some."""

MAX_CHARACTERS = 2000
"""Longer texts are no names or sentences."""


def clean_text(text: object, limit: int = MAX_CHARACTERS) -> str:
    """Return a text on one line, without characters that act on a terminal, a log or the order of display.

    Each run of white space and removed characters becomes one space, so that words stay apart.

    Args:
        text: any object; ``str`` is taken of it.
        limit: longest result in characters.
    """
    kept = "".join(" " if unicodedata.category(sign) in REMOVED_CATEGORIES else sign for sign in str(text)[: 4 * limit])
    return " ".join(kept.split())[:limit]


def csv_text(text: object) -> str:
    """Return a cleaned text for a cell of a CSV file; one that a spreadsheet would run gets an apostrophe in front."""
    cleaned = clean_text(text)
    start = unicodedata.normalize("NFKC", cleaned.lstrip("'\" "))[:1]
    return f"'{cleaned}" if start and start in FORMULA_STARTS else cleaned
