"""Draw the plots of the report as SVG: shift by slice, oriented as the head, and the timeline of several scans.

Sides are as in the pictures: the patient's right is on the left, so that a midline pushed to the left is drawn to the
right of the middle line.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

from MidlineShiftLogic.measurement.results import LARGE_MM, Measurement
from MidlineShiftLogic.measurement.slice_names import number_of
from MidlineShiftLogic.reporting.figures.image_data import Picture, data_address
from MidlineShiftLogic.reporting.timeline import Visit, moments

INK, FAINT, GRID = "#1f2933", "#52606d", "#d9dee4"
OWN, OTHER, EDITED, INTERVAL = "#0b5cad", "#6b7785", "#a3216f", "#7fb2e5"
LEAST_MM = 6.0
DAYS_WITH_HOURS = 4
"""A timeline that is shorter has hours at its ticks."""


def slices_plot(measurement: Measurement, width: float = 4.4, height: float = 4.9) -> Picture:
    """Draw the shift of every measured slice, lowest at the bottom, and the interval at the case's slice (size in inches)."""
    figure, axes = _figure(width, height)
    slices = measurement.slices
    window = [one.index for one in slices if one.in_case_window]
    if window:
        axes.axhspan(min(window) - 0.5, max(window) + 0.5, color="#eef3f8", zorder=0)
    axes.plot([one.signed_shift_mm for one in slices], [one.index for one in slices], color=OTHER, lw=1, zorder=2)
    if measurement.interval_mm is not None:
        axes.plot(
            measurement.interval_mm, [measurement.slice] * 2, color=INTERVAL, lw=6, alpha=0.8, solid_capstyle="butt",
            zorder=1, label="90 % interval",
        )  # fmt: skip
    for label, marker, colour, size, chosen in (
        ("slice", "o", OTHER, 4, [s for s in slices if not s.edited and s.index != measurement.slice]),
        ("edited by the reader", "s", EDITED, 5, [s for s in slices if s.edited and s.index != measurement.slice]),
        ("the case's slice", "D", OWN, 7, [s for s in slices if s.index == measurement.slice]),
    ):
        if chosen:
            axes.plot(
                [s.signed_shift_mm for s in chosen], [s.index for s in chosen], marker, color=colour, markersize=size,
                label=label, zorder=3,
            )  # fmt: skip
    ends = [*(s.signed_shift_mm for s in slices), *(measurement.interval_mm or ())]
    _sides_axis(axes, "x", max(LEAST_MM, 1.12 * max(abs(end) for end in ends)))
    low, high = slices[0].index, slices[-1].index
    axes.set_ylim(low - 1, high + 1)
    axes.set_ylabel("slice", color=INK, fontsize=9)
    numbers = {one.index: number_of(measurement, one.index) for one in slices}
    axes.yaxis.set_major_formatter(lambda value, _: numbers.get(round(value), "") if value == round(value) else "")
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=4, fontsize=8, frameon=False, labelcolor=INK,
        handletextpad=0.4, columnspacing=1.2, borderaxespad=0,
    )  # fmt: skip
    return _svg(figure, width, height, (0.13, 0.17, 0.85, 0.78))


def timeline_plot(visits: Sequence[Visit], width: float = 6.8, height: float = 1.75) -> Picture:
    """Draw the shifts of several scans with their intervals over time, or in order where a date is unknown (size in inches)."""
    from matplotlib.dates import AutoDateLocator, DateFormatter, date2num

    figure, axes = _figure(width, height)
    dates = moments(visits)
    places = [float(place) for place in (range(1, len(visits) + 1) if dates is None else date2num(dates))]  # days
    shown = [(x, visit) for x, visit in zip(places, visits, strict=True) if not visit.measurement.refused]
    axes.plot([x for x, _ in shown], [v.measurement.signed_shift_mm for _, v in shown], color=OTHER, lw=1, zorder=2)
    ends = [0.0]
    for x, visit in shown:
        one = visit.measurement
        if one.interval_mm is not None:
            axes.plot([x, x], one.interval_mm, color=INTERVAL, lw=5, alpha=0.8, solid_capstyle="butt", zorder=1)
            ends.extend(one.interval_mm)
        axes.plot(
            [x], [one.signed_shift_mm], "D" if visit.current else "o", color=OWN if visit.current else OTHER,
            markersize=7 if visit.current else 5, zorder=3,
        )  # fmt: skip
        ends.append(one.measured_mm())
    _sides_axis(axes, "y", max(LEAST_MM, 1.15 * max(abs(end) for end in ends)))
    if dates is not None:
        short = max(x for x, _ in shown) - min(x for x, _ in shown) < DAYS_WITH_HOURS
        axes.xaxis.set_major_locator(AutoDateLocator(minticks=2, maxticks=6))
        axes.xaxis.set_major_formatter(DateFormatter("%m-%d %H:%M" if short else "%Y-%m-%d"))
        axes.margins(x=0.08)
    else:
        axes.set_xlim(0.5, len(visits) + 0.5)
        axes.set_xticks(range(1, len(visits) + 1))
        axes.set_xlabel("scan, in the order given", color=INK, fontsize=9)
    return _svg(figure, width, height, (0.1, 0.27, 0.88, 0.66))


def _figure(width: float, height: float):
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), facecolor="white")
    FigureCanvasSVG(figure)
    axes = figure.add_subplot()
    axes.tick_params(colors=INK, labelsize=8.5, length=3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    return figure, axes


def _sides_axis(axes, axis: str, reach: float) -> None:
    """Scale a shift axis symmetric about no shift: whole steps with the letter of the side, dashed at 5 mm."""
    step = 2 if reach < 9 else 5 if reach < 25 else 10
    ticks = list(range(-int(reach // step) * step, int(reach) + 1, step))
    labels = [f"{abs(mm)} {'L' if mm > 0 else 'R'}" if mm else "0" for mm in ticks]
    across = axis == "x"
    (axes.set_xlim if across else axes.set_ylim)(-reach, reach)
    (axes.set_xticks if across else axes.set_yticks)(ticks, labels)
    line = axes.axvline if across else axes.axhline
    line(0, color=FAINT, lw=1, zorder=1)
    for mm in (-LARGE_MM, LARGE_MM):
        line(mm, color="#b4530a", lw=1, dashes=(4, 3), zorder=1)
    if across:
        for mm in (-LARGE_MM, LARGE_MM):
            axes.text(
                mm, 1.01, "5 mm", transform=axes.get_xaxis_transform(), ha="center", va="bottom", fontsize=8,
                color="#8f4208",
            )  # fmt: skip
        axes.set_xlabel("shift, mm   (R: to the patient's right, L: to the left)", color=INK, fontsize=9)
    else:
        axes.set_ylabel("shift, mm", color=INK, fontsize=9)


def _svg(figure, width: float, height: float, place: tuple[float, float, float, float]) -> Picture:
    """Return the figure with its axes at ``place``; letters as outlines, so that it looks alike everywhere."""
    import matplotlib

    figure.axes[0].set_position(place)
    buffer = io.BytesIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with matplotlib.rc_context({"svg.hashsalt": "midlineshift", "svg.fonttype": "path"}):
        figure.savefig(buffer, format="svg", metadata=nothing)
    return Picture(data_address(buffer.getvalue(), "image/svg+xml"), round(96 * width), round(96 * height))
