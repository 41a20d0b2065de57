"""What is measured in an evaluation: phantoms with their truth, scans with readers' numbers, scans without."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from midlineshift_training.cohorts.phantom_store import read_phantom
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.measurement.distance import case_slice
from MidlineShiftLogic.measurement.readout import ReadoutSettings


def phantom_scan(path: Path) -> tuple[HeadCT, dict]:
    """A phantom file as a ``HeadCT``, and all its entries. InputError if it is damaged or incomplete."""
    q = read_phantom(path)
    pixel, heights = float(q["pixel_mm"]), q["heights_mm"].astype(float)
    origins = np.stack([np.full(len(heights), -127.5 * pixel)] * 2 + [heights], -1)
    ct = HeadCT(
        hu=q["hu"].astype(np.float32),
        origins=origins,
        column_axis=np.array([1.0, 0.0, 0.0]),
        row_axis=np.array([0.0, 1.0, 0.0]),
        pixel_spacing=(pixel, pixel),
        thickness=np.full(len(heights), float(q["thickness_mm"])),
        source={"format": "phantom"},
    )
    return ct, q


def phantom_truth(q: dict, settings: ReadoutSettings) -> float | None:
    """The case's true signed shift by the read-out's own rule, from the true midline; None if no slice shows it."""
    profile = q["midline_shift_mm"]
    fractions = np.linspace(0.10, 0.90, profile.shape[1])
    septum = profile[:, (fractions >= settings.septum[0]) & (fractions <= settings.septum[1])].mean(1)
    height = q["height_mm"]
    use = q["has_midline"] & np.isfinite(septum)
    use &= (height >= settings.measured_mm[0]) & (height <= settings.measured_mm[1])
    if not use.any():
        return None
    window = (height >= settings.window_mm[0]) & (height <= settings.window_mm[1])
    return float(septum[use][case_slice(septum[use], window[use], settings.quantile)])


def read_readings(path: Path) -> dict[str, list[dict]]:
    """Readers' numbers: case -> rows of the CSV (columns case, reader, slice, ..., shift_mm_at_0_68).

    Raises:
        InputError: the file cannot be read or lacks a column.
    """
    try:
        with open(path, newline="") as file:
            rows = list(csv.DictReader(file))
        readings: dict[str, list[dict]] = {}
        for row in rows:
            entry = {"reader": row["reader"], "slice": int(row["slice"]), "shift_mm": float(row["shift_mm_at_0_68"])}
            readings.setdefault(row["case"], []).append(entry)
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{path} is not a table of readings ({error}).", "readings") from None
    return readings
