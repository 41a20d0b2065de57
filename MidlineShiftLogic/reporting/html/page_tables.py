"""The tables of the report: every slice, and the earlier scans."""

from __future__ import annotations

from typing import Any

from MidlineShiftLogic.measurement.results import Measurement, SliceMeasurement
from MidlineShiftLogic.measurement.slice_names import number_of
from MidlineShiftLogic.reporting.html import formatting
from MidlineShiftLogic.reporting.timeline import Visit, moments

MOST_ROWS = 45
"""Slices that the tables show, so that they stay on their page; the case's own and edited ones come first."""
ROWS_A_TABLE = 15
MOST_VISITS = 8
LONGEST_SHORT_NAME = 24


def slice_tables(measurement: Measurement) -> list[list[dict[str, Any]]]:
    """Return the slices from the highest down, as in the plot, in as many tables as stand side by side."""
    slices = list(measurement.slices)
    if len(slices) > MOST_ROWS:
        first = sorted(slices, key=lambda one: (one.index != measurement.slice, not one.edited, not one.in_case_window))
        slices = sorted(first[:MOST_ROWS], key=lambda one: one.index)
    rows = [_row(one, measurement) for one in reversed(slices)]
    count = -(-len(rows) // ROWS_A_TABLE)
    size = -(-len(rows) // count) if count else 0
    return [rows[start : start + size] for start in range(0, len(rows), size)] if rows else []


def _row(one: SliceMeasurement, measurement: Measurement) -> dict[str, Any]:
    own = one.index == measurement.slice
    note = ["case's slice"] if own else []
    note += ["edited"] if one.edited else []
    return {
        "slice": number_of(measurement, one.index),
        "height": "–" if one.height_mm is None else f"{one.height_mm:.0f}".replace("-", "−"),
        "shift": formatting.format_shift_short(one.signed_shift_mm),
        "counts": "yes" if one.in_case_window else "no",
        "note": ", ".join(note),
        "own": own,
    }


def timeline_table(visits: list[Visit]) -> dict[str, Any]:
    """Return the scans in the order given, at most ``MOST_VISITS``, with a plot of them."""
    from MidlineShiftLogic.reporting.figures.plots import timeline_plot

    left_out = max(0, len(visits) - MOST_VISITS)
    if left_out:  # the oldest go, never this report's own
        others = [visit for visit in visits if not visit.current][left_out:]
        visits = [visit for visit in visits if visit.current or visit in others]
    rows: list[dict[str, Any]] = []
    before: float | None = None
    for number, visit in enumerate(visits, 1):
        one = visit.measurement
        rows.append(
            {
                "scan": "this scan" if visit.current else formatting.clean(one.case_id, LONGEST_SHORT_NAME),
                "when": formatting.format_date(one.input.get("acquired")) or f"unknown ({number})",
                "shift": formatting.format_shift_short(one.signed_shift_mm) if not one.refused else "not measured",
                "interval": formatting.format_interval_short(one.interval_mm),
                "change": "–" if before is None or one.refused else formatting.format_change(before, one.measured_mm()),
                "status": "edited" if one.edited and one.review is None else one.review.decision if one.review else "–",
                "own": visit.current,
            }
        )
        before = one.signed_shift_mm if not one.refused else before
    measured = [visit for visit in visits if not visit.measurement.refused]
    return {
        "rows": rows,
        "left_out": left_out,
        "dated": moments(visits) is not None,
        "models": len({str(visit.measurement.model) for visit in measured}) > 1,
        "picture": timeline_plot(visits) if len(measured) > 1 else None,
        "alt": f"Shift over {len(measured)} scans; the table below holds the numbers.",
    }
