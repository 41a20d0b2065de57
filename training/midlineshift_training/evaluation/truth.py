"""What is known of a case: the truth of phantoms, the readings of readers, the labels of an annotated data set."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from midlineshift_training.datasets.annotated.case import AnnotatedCase
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.measurement.distance import case_slice
from MidlineShiftLogic.measurement.shift_settings import ShiftSettings


def phantom_slice_truth(q: dict, settings: ShiftSettings) -> np.ndarray:
    """(slice,) true signed shift in mm at the septum, by the model's own rule; NaN where it is not to be measured."""
    profile = q["midline_shift_mm"]
    fractions = np.linspace(0.10, 0.90, profile.shape[1])
    septum = profile[:, (fractions >= settings.septum[0]) & (fractions <= settings.septum[1])].mean(1)
    height = q["height_mm"]
    use = q["has_midline"] & (height >= settings.measured_mm[0]) & (height <= settings.measured_mm[1])
    return np.where(use, septum, np.nan)


def phantom_truth(q: dict, settings: ShiftSettings) -> float | None:
    """Return the case's true signed shift by the model's own rule, from the true midline; None if no slice shows it."""
    septum, height = phantom_slice_truth(q, settings), q["height_mm"]
    use = np.isfinite(septum)
    if not use.any():
        return None
    window = (height >= settings.window_mm[0]) & (height <= settings.window_mm[1])
    return float(septum[use][case_slice(septum[use], window[use], settings.case_rule)])


def load_readings(path: Path) -> dict[str, list[dict]]:
    """Read the readers' numbers: case -> rows of the CSV (columns case, reader, slice, and shift_mm or shift_mm_at_0_68).

    ``midlineshift review`` writes such a table for each reader (``readings.csv``).

    Raises:
        InputError: the file cannot be read, lacks a column, has no row, or a cell is no number; names the row.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restval="")
            rows, columns = list(reader), set(reader.fieldnames or ())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"{path} is not a table of readings ({why}).", "readings") from None
    shift = "shift_mm" if "shift_mm" in columns else "shift_mm_at_0_68"
    if not {"case", "reader", "slice", shift} <= columns:
        raise InputError(
            f"{path} is not a table of readings: it needs the columns case, reader, slice and shift_mm.", "readings"
        )
    if not rows:
        raise InputError(f"{path} holds no readings.", "readings")
    readings: dict[str, list[dict]] = {}
    for number, row in enumerate(rows, 2):
        try:
            entry = {"reader": row["reader"], "slice": int(row["slice"]), "shift_mm": float(row[shift])}
        except ValueError:
            entry = {"shift_mm": np.nan}
        if not np.isfinite(entry["shift_mm"]):
            wrong = f"slice {row['slice']!r} or {shift} {row[shift]!r}"
            raise InputError(f"{path}, line {number}: {wrong} is not a number.", "readings")
        readings.setdefault(row["case"], []).append(entry)
    return readings


def reader_slice_truth(ct: HeadCT, rows: list[dict]) -> np.ndarray:
    """Return (slice,) mean of the readers who read this slice, mm; NaN where none did.

    Args:
        ct: the scan. rows: of one case; their slices count the source's slices from the lowest.
    """
    # a slab holds several of the source's slices
    counts = [len(members) for members in ct.source_slices] or [1] * ct.n_slices
    slab_of = np.repeat(np.arange(ct.n_slices), counts)
    found: dict[int, list[float]] = {}
    for row in rows:
        if 0 <= row["slice"] < len(slab_of):
            found.setdefault(int(slab_of[row["slice"]]), []).append(row["shift_mm"])
    truth = np.full(ct.n_slices, np.nan)
    for index, values in found.items():
        truth[index] = np.mean(values)
    return truth


def labelled_truth(case: AnnotatedCase) -> float | None:
    """Shift of a case of a set: its largest labelled slice's, signed; else its number, without a side; None without."""
    if case.signed_mm is not None:
        return case.signed_mm
    return None if np.isnan(case.limit_mm) else case.limit_mm
