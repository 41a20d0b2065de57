"""``shifts.csv``: one row a measured slice of one case, for spreadsheets."""

from __future__ import annotations

import csv
from pathlib import Path

from MidlineShiftLogic.measurement.results import Measurement
from MidlineShiftLogic.measurement.slice_names import number_of

COLUMNS = (
    "slice", "z_mm", "height_mm", "signed_shift_mm", "confidence", "in_case_window", "edited", "case_slice",
    "slice_number", "side", "pinned",
)  # fmt: skip
"""``slice`` is the index in the canonical stack, ``slice_number`` the number as the PACS counts it."""


def write_shifts(path: Path, measurement: Measurement) -> None:
    """Write the slices, lowest first; signed shifts are mm, positive toward the patient's left."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for one in measurement.slices:
            numbers = (one.z_mm, one.height_mm, one.signed_shift_mm, one.confidence)
            flags = (one.in_case_window, one.edited, one.index == measurement.slice)
            rows.writerow(
                [
                    one.index,
                    *(f"{value:.3f}" for value in numbers),
                    *(int(flag) for flag in flags),
                    number_of(measurement, one.index),
                    _side(one.signed_shift_mm),
                    int(one.pinned),
                ]
            )


def _side(signed_mm: float) -> str:
    """``L`` or ``R`` of the patient; empty where the shift rounds to 0.0 mm."""
    return "" if abs(signed_mm) < 0.05 else "L" if signed_mm > 0 else "R"
