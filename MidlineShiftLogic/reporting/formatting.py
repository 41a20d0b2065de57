"""Format shifts, intervals and probabilities: the same words on the terminal, in figures and in reports."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np

from MidlineShiftLogic.measurement.distance import slices_agree
from MidlineShiftLogic.measurement.results import COVERAGE, LARGE_MM, Measurement
from MidlineShiftLogic.measurement.slice_names import slice_name
from MidlineShiftLogic.text import counted

QUANTILE_NAMES = {0.25: "lower quartile", 0.5: "median", 0.75: "upper quartile", 1.0: "largest"}

NO_SIDE_BELOW_MM = 0.5
"""A shift below this has no side: readers do not agree on it either (``Measurement.side``)."""


def shift_text(signed_mm: float, sides: tuple[str, str] = (" to the left", " to the right")) -> str:
    """Return ``7.9 mm to the left``; no side below ``NO_SIDE_BELOW_MM``. Positive is toward the patient's left."""
    if abs(signed_mm) < NO_SIDE_BELOW_MM:
        return f"{abs(signed_mm):.1f} mm"
    return f"{abs(signed_mm):.1f} mm{sides[0] if signed_mm > 0 else sides[1]}"


def parse_time(iso: str | None) -> datetime | None:
    """Parse ISO 8601 text to the time that the scanner's clock showed, without its zone; None if it is not a time."""
    try:
        return datetime.fromisoformat(str(iso)).replace(tzinfo=None)
    except ValueError:
        return None


def interval_text(measurement: Measurement) -> str:
    """Return ``(90 %: 5.0 to 7.4)``; with sides, ``(90 %: 0.5 R to 2.5 L)``, if both are in it; empty without an interval."""
    if measurement.interval_mm is None:
        return ""
    low, high = measurement.interval_mm
    if low * high >= 0:
        near, far = sorted((abs(low), abs(high)))
        ends = f"{near:.1f} to {far:.1f}"
    else:
        ends = f"{-low:.1f} R to {high:.1f} L"
    return f"({100 * COVERAGE:.0f} %: {ends})"


def probability_text(measurement: Measurement) -> str:
    """Return ``P(>5 mm) 0.93``; empty without a probability."""
    if measurement.p_over_5mm is None:
        return ""
    p = measurement.p_over_5mm
    shown = "<0.01" if p < 0.005 else ">0.99" if p > 0.995 else f"{p:.2f}"
    return f"P(>{LARGE_MM:.0f} mm) {shown}"


def certainty_text(measurement: Measurement) -> str:
    """Return both, ``(90 %: 5.0 to 7.4), P(>5 mm) 0.93``; empty without them."""
    return ", ".join(part for part in (interval_text(measurement), probability_text(measurement)) if part)


def rule_text(measurement: Measurement) -> str:
    """Say in words by which rule the case's slice was chosen; to be written beside the number.

    Returns:
        ``upper quartile of 6 slices near the septum``, or, once a reader has edited or pinned a slice, ``edited by the
        reader``, ``pinned by the reader`` or ``largest of 3 slices edited or pinned by the reader``. Empty where the
        rule is not known or there is no number.
    """
    if measurement.signed_shift_mm is None:
        return ""
    return _reader_rule(measurement) if measurement.edited else _model_rule(measurement)


def _model_rule(measurement: Measurement) -> str:
    rule = measurement.case_rule
    if rule is None:
        return ""
    shifts = np.array([one.signed_shift_mm for one in measurement.slices])
    window = np.array([one.in_case_window for one in measurement.slices])
    count = int(window.sum()) or len(window)
    agree = slices_agree(shifts, window, rule)
    quantile = rule.quantile if agree else min(rule.quantile, 0.5)
    name = QUANTILE_NAMES.get(quantile, f"{quantile:.0%} quantile".replace("%", " %"))
    where = "near the septum" if window.any() else "measured"
    return f"{name} of {counted(count, 'slice')} {where}{'' if agree else ', which disagree'}"


def _reader_rule(measurement: Measurement) -> str:
    own = measurement.measured_slice()
    chosen = [one for one in measurement.slices if one.edited or one.pinned]
    if not own.edited and not own.pinned:
        return f"the model's slice, larger than {counted(len(chosen), 'slice')} edited by the reader"
    what = " and ".join(word for word, is_so in (("edited", own.edited), ("pinned", own.pinned)) if is_so)
    if len(chosen) == 1:
        return f"{what} by the reader"
    return f"largest of {counted(len(chosen), 'slice')} edited or pinned by the reader"


def case_line(measurement: Measurement, folder: Path, shown: str = "overlay.png") -> str:
    """Return the line of a case on the terminal, or why it was refused.

    Such as ``case  7.9 mm to the left (90 %: 6.8 to 9.0), P(>5 mm) 0.99  slice 22  (3.1 s)  DIR/case/overlay.png``;
    with ``--authors-readout`` the largest displacement, too.

    Args:
        measurement: The case.
        folder: Its result folder.
        shown: The file to name, of a measured case.
    """
    seconds = f"({measurement.seconds:.1f} s)"
    if measurement.refused:
        why = f"refused, {measurement.refused['code']}: {measurement.refused['message']}"
        return f"{measurement.case_id}  {why}  {seconds}  {folder / 'measurement.json'}"
    where = "" if measurement.slice is None else slice_name(measurement, measurement.slice)
    side = "" if measurement.side == "none" else f" to the {measurement.side}"
    certainty = certainty_text(measurement)
    certainty = f" {certainty}" if certainty else ""
    largest = measurement.authors_readout_mm
    authors = "" if largest is None else f"  largest displacement {largest:.1f} mm (Gong et al. 2023)"
    warnings = sum(flag.severity == "warning" for flag in measurement.quality)
    flagged = f"  [{counted(warnings, 'warning')}]" if warnings else ""
    return (
        f"{measurement.case_id}  {measurement.shift_mm:.1f} mm{side}{certainty}{authors}  {where}  {seconds}"
        f"  {folder / shown}{flagged}"
    )
