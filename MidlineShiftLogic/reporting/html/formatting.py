"""Format numbers, sides, dates and flags in the words of the report. Left and right are the patient's."""

from __future__ import annotations

import textwrap
import unicodedata

from MidlineShiftLogic.measurement.results import COVERAGE, LARGE_MM, Measurement
from MidlineShiftLogic.reporting.formatting import NO_SIDE_BELOW_MM, parse_time, shift_text

PATIENTS_SIDES = (" to the patient's left", " to the patient's right")


def format_shift(signed_mm: float) -> str:
    """Return ``8.5 mm to the patient's left``; no side below 0.5 mm."""
    return shift_text(signed_mm, PATIENTS_SIDES)


def format_shift_short(signed_mm: float | None) -> str:
    """Return ``8.5 left`` for tables; ``0.3`` below 0.5 mm, a dash for a number that does not exist."""
    if signed_mm is None:
        return "–"
    side = "" if abs(signed_mm) < NO_SIDE_BELOW_MM else " left" if signed_mm > 0 else " right"
    return f"{abs(signed_mm):.1f}{side}"


def format_interval(interval: tuple[float, float] | None) -> str:
    """Return ``6.5 to 10.5 mm to the left``, ``1.2 mm to the right to 0.7 mm to the left``; empty without an interval."""
    if interval is None:
        return ""
    low, high = interval
    if low * high < 0:
        return f"{-low:.1f} mm to the right to {high:.1f} mm to the left"
    near, far = sorted((abs(low), abs(high)))
    return f"{near:.1f} to {far:.1f} mm to the {'left' if low + high > 0 else 'right'}"


def format_interval_short(interval: tuple[float, float] | None) -> str:
    """Return ``6.5 to 10.5 left``, ``1.2 right to 0.7 left`` for tables; a dash without an interval."""
    return format_interval(interval).replace(" mm", "").replace(" to the", "") or "–"


def format_probability(p: float | None) -> str:
    """Return ``93 %``, ``less than 1 %``, ``more than 99 %``; empty without a probability."""
    if p is None:
        return ""
    return "less than 1 %" if p < 0.01 else "more than 99 %" if p > 0.99 else f"{100 * p:.0f} %"


def format_change(before_mm: float, now_mm: float) -> str:
    """Return ``3.1 mm toward the left``: how far the midline went from one signed shift to the next, and to which side."""
    change = now_mm - before_mm
    if abs(change) < 0.05:
        return "none"
    return f"{abs(change):.1f} mm toward the {'left' if change > 0 else 'right'}"


def format_date(iso: str | None) -> str:
    """Return ``2026-11-02 13:05`` of ISO 8601, ``2026-11-02`` of a date alone; empty for what is not a date."""
    moment = parse_time(iso)
    if moment is None:
        return ""
    return moment.strftime("%Y-%m-%d %H:%M") if "T" in str(iso) or " " in str(iso) else moment.strftime("%Y-%m-%d")


def of_the_case(measurement: Measurement) -> str:
    """Return how the case's slice was chosen among its slices, in words."""
    if measurement.case_rule is None:
        return ""
    low, high = measurement.case_rule.window_mm
    return (
        f"the {100 * measurement.case_rule.quantile:.0f} % quantile of the shifts between {low:.0f} and {high:.0f} mm "
        "above the level of the anterior commissure"
        + (", or their median where they differ by more than their mean" if measurement.case_rule.agreement else "")
    )


def clean(text: object, longest: int) -> str:
    """Return one line of ``text`` without control and direction characters, shortened at a word to ``longest``."""
    kept = "".join(" " if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") else c for c in str(text))
    kept = " ".join(kept.split())
    if len(kept) <= longest:
        return kept
    short = textwrap.shorten(kept, longest, placeholder=" …")
    return short if len(short) > longest // 2 else kept[: longest - 1] + "…"


COVERAGE_TEXT = f"{100 * COVERAGE:.0f} %"
LARGE_TEXT = f"{LARGE_MM:.0f} mm"
