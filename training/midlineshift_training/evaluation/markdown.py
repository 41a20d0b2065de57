"""Markdown tables, and numbers with their intervals as their cells."""

from __future__ import annotations

import math
from collections.abc import Iterable

NONE = "-"


def markdown(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table."""
    header = list(header)
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def number(entry: dict | None, digits: int = 2, interval: bool = True) -> str:
    """Return a value and its interval; a dash where it was not measured."""
    if not entry or entry["value"] is None or math.isnan(entry["value"]):
        return NONE
    text = f"{entry['value']:.{digits}f}"
    if interval and "low" in entry:
        text += f" ({entry['low']:.{digits}f} to {entry['high']:.{digits}f})"
    return text


def count(entry: dict | None, interval: bool = True) -> str:
    """Return a share as counts, with its interval in per cent."""
    if not entry:
        return NONE
    text = f"{entry['count']}/{entry['of']}"
    if interval and "low" in entry:
        text += f" ({100 * entry['low']:.0f} to {100 * entry['high']:.0f} %)"
    return text
