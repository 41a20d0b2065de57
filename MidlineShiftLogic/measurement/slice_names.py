"""The number by which a person finds a slice again: as the PACS counts it, the same wherever a slice is named.

Inside the program a slice is an index into the canonical stack, 0 the lowest. People see the DICOM instance number of the
image that it was made from; of other formats, its place counted from 1, the lowest first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from MidlineShiftLogic.measurement.results import Measurement

INSTANCE_NUMBERS = "instance_numbers"
"""Key in ``HeadCT.source`` and ``Measurement.input``: DICOM instance number of each slice of the source, in its order."""


def slice_number(index: int, source_slices: Sequence[int], described: Mapping[str, Any]) -> str:
    """Return the number of a slice as people count it: ``15``, or ``43-48`` for a slab of six images.

    Args:
        index: in the canonical stack. source_slices: of the slice. described: ``Measurement.input`` or ``HeadCT.source``.
    """
    numbers = described.get(INSTANCE_NUMBERS) or ()
    own = [numbers[one] for one in source_slices if one < len(numbers)]
    if not own or len(own) != len(source_slices) or (len(own) == len(numbers) and len(own) > 1):
        return str(index + 1)  # a re-cut scan has slices that were made of every image
    low, high = min(own), max(own)
    return str(low) if low == high else f"{low}-{high}"


def slice_total(described: Mapping[str, Any]) -> int | None:
    """Return how many slices people count: the images of a DICOM series, else the slices of the scan; None if unknown."""
    numbers = described.get(INSTANCE_NUMBERS)
    if numbers:
        return len(numbers)
    shape = described.get("shape") or [None]
    return shape[0] if isinstance(shape[0], int) else None


def slice_name(measurement: Measurement, index: int, source_slices: Sequence[int] | None = None) -> str:
    """Return ``slice 15 of 31``; without the total where the result does not state it.

    Args:
        index: in the canonical stack. source_slices: of the slice; looked up among the measured ones if None.
    """
    number = number_of(measurement, index, source_slices)
    total = slice_total(measurement.input)
    return f"slice {number}" if total is None else f"slice {number} of {total}"


def number_of(measurement: Measurement, index: int, source_slices: Sequence[int] | None = None) -> str:
    """Return ``slice_number`` of a slice of a measurement; arguments as ``slice_name``."""
    if source_slices is None:
        source_slices = next((one.source_slices for one in measurement.slices if one.index == index), ())
    return slice_number(index, source_slices, measurement.input)
