"""The interval and the probability of a measurement in words, the same on the terminal and in the pictures."""

from __future__ import annotations

from MidlineShiftLogic.measurement.results import COVERAGE, LARGE_MM, Measurement


def interval_text(measurement: Measurement) -> str:
    """``(90 %: 5.0 to 7.4)``; with sides, ``(90 %: 0.5 R to 2.5 L)``, if both are in it; empty without an interval."""
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
    """``P(>5 mm) 0.93``; empty without a probability."""
    if measurement.p_over_5mm is None:
        return ""
    p = measurement.p_over_5mm
    told = "<0.01" if p < 0.005 else ">0.99" if p > 0.995 else f"{p:.2f}"
    return f"P(>{LARGE_MM:.0f} mm) {told}"


def certainty_text(measurement: Measurement) -> str:
    """Both, ``(90 %: 5.0 to 7.4), P(>5 mm) 0.93``; empty without them."""
    return ", ".join(part for part in (interval_text(measurement), probability_text(measurement)) if part)
