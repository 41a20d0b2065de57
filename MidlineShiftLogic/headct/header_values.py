"""Values of a DICOM header, whatever nonsense is stored in it: what cannot be used is None or empty."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from MidlineShiftLogic.text import clean_text

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

MAX_TEXT = 128
"""Characters of a text that are kept; DICOM allows 16 to 64."""

MAX_NUMBER = 1e6
"""Positions in mm and other numbers of a header beyond this are errors; patients are within a few metres."""


def value_of(dataset: Dataset | None, keyword: str) -> Any:
    """Return the value, or None where it is missing or invalid: one invalid element must not hide the others."""
    try:
        return None if dataset is None else dataset.get(keyword)
    except Exception:  # pydicom raises whatever the nonsense in an element leads to
        return None


def text_of(dataset: Dataset, keyword: str) -> str:
    """Return the value as text; empty where there is none."""
    return str(value_of(dataset, keyword) or "")


def clean_text_of(dataset: Dataset, keyword: str) -> str:
    """Return the value as text of at most ``MAX_TEXT`` characters, none of which controls a terminal."""
    return clean_text(value_of(dataset, keyword) or "", MAX_TEXT)


def words_of(value: Any) -> tuple[str, ...]:
    """Return the values of an element that may have one or several, each cleaned."""
    return tuple(clean_text(word, MAX_TEXT) for word in (value if _is_list(value) else (value,)))


def first_word_of(dataset: Dataset, keyword: str) -> str:
    """Return the first of several values: for a kernel, Siemens stores (name, strength)."""
    value = value_of(dataset, keyword)
    if value is None:
        return ""
    return clean_text(next(iter(value), "") if _is_list(value) else value, MAX_TEXT)


def integer_of(dataset: Dataset, keyword: str) -> int | None:
    """Return a whole number, or None."""
    try:
        return int(value_of(dataset, keyword))
    except (TypeError, ValueError, OverflowError):
        return None


def number_of(dataset: Dataset, keyword: str) -> float | None:
    """Return a finite number of a plausible size, or None."""
    numbers = _numbers([value_of(dataset, keyword)], 1)
    return None if numbers is None else float(numbers[0])


def numbers_of(dataset: Dataset, keyword: str, count: int) -> np.ndarray | None:
    """Return (count,) finite numbers of a plausible size, or None."""
    return _numbers(value_of(dataset, keyword), count)


def first_item_of(dataset: Dataset | None, keyword: str) -> Dataset | None:
    """Return the first data set of a sequence, or None for anything else."""
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    sequence = value_of(dataset, keyword)
    items = sequence if isinstance(sequence, Sequence) and len(sequence) else [None]
    return items[0] if isinstance(items[0], Dataset) else None


def acquired(header: Dataset) -> str:
    """Return the acquisition time, from the first valid date of the header."""
    both = text_of(header, "AcquisitionDateTime")
    pairs = [(both[:8], both[8:])]
    pairs += [
        (text_of(header, f"{kind}Date"), text_of(header, f"{kind}Time"))
        for kind in ("Acquisition", "Content", "Series", "Study")
    ]
    for date, time in pairs:
        day, clock = date.replace(".", "").strip(), time.replace(":", "").strip()[:6]
        for text, layout in ((f"{day} {clock}", "%Y%m%d %H%M%S"), (day, "%Y%m%d")):
            # strptime takes single digits too: "2026112" would be some day.
            if text.replace(" ", "").isdigit() and len(text) in (8, 15):
                try:
                    moment = datetime.strptime(text, layout)
                except ValueError:
                    continue
                return moment.isoformat() if " " in text else moment.date().isoformat()
    return ""


def _is_list(value: Any) -> bool:
    return not isinstance(value, str) and hasattr(value, "__iter__")


def _numbers(values: Any, count: int) -> np.ndarray | None:
    if values is None:
        return None
    try:
        array = np.array([float(value) for value in values])
    except (TypeError, ValueError, OverflowError):
        return None
    usable = array.shape == (count,) and np.isfinite(array).all() and (np.abs(array) < MAX_NUMBER).all()
    return array if usable else None
