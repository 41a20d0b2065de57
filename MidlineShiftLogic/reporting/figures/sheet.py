"""Draw ``slices.png``: every measured slice with its midline and its number, lowest first."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.measurement.results import Measurement, SliceMeasurement
from MidlineShiftLogic.measurement.slice_names import number_of
from MidlineShiftLogic.reporting.figures import drawing
from MidlineShiftLogic.reporting.formatting import certainty_text, shift_text

TILE_WIDTH, TILE_HEIGHT, HEADER, DPI = 2.15, 2.6, 0.6, 100
MOST_COLUMNS = 7
MOST_TILES = 63
"""More slices than anyone looks at in one picture; beyond it, evenly chosen ones are shown and the header says so."""


def write_sheet(path: Path, ct: HeadCT, measurement: Measurement) -> None:
    """Draw the measured slices of a case into ``path`` (PNG)."""
    shown = choose(measurement.slices, measurement.slice)
    columns = min(MOST_COLUMNS, max(3, math.ceil(math.sqrt(len(shown) * TILE_HEIGHT / TILE_WIDTH))))
    rows = math.ceil(len(shown) / columns)
    width, height = columns * TILE_WIDTH, rows * TILE_HEIGHT + _header(measurement)
    figure = drawing.new_figure(width, height, DPI)
    heads = [drawing.head_bounds(ct, one.index) for one in shown]
    widest = max((drawing.box_around(head, TILE_WIDTH / TILE_HEIGHT) for head in heads), key=_width)
    for number, (one, head) in enumerate(zip(shown, heads, strict=True)):
        row, column = divmod(number, columns)
        gap = 0.03
        axes = figure.add_axes(
            (
                (column * TILE_WIDTH + gap) / width,
                ((rows - 1 - row) * TILE_HEIGHT + gap) / height,
                (TILE_WIDTH - 2 * gap) / width,
                (TILE_HEIGHT - 2 * gap) / height,
            )
        )
        drawing.show_slice(axes, ct, ct.hu[one.index], _centred(drawing.box_around(head, 1.0), widest))
        drawing.draw_lines(axes, ct, one, width=0.9)
        drawing.draw_sides(axes, size=8)
        _write_numbers(axes, one, measurement)

    _write_header(figure, measurement, len(shown), width, height)
    drawing.save(figure, path)


def choose(slices: tuple[SliceMeasurement, ...], case_slice: int | None) -> list[SliceMeasurement]:
    """Return all slices, or ``MOST_TILES`` evenly spread ones that keep the case's own."""
    if len(slices) <= MOST_TILES:
        return list(slices)
    step = (len(slices) - 1) / (MOST_TILES - 1)
    kept = {round(i * step) for i in range(MOST_TILES)}
    own = next((i for i, one in enumerate(slices) if one.index == case_slice), None)
    if own is not None and own not in kept:
        kept = (kept - {min(kept, key=lambda i: abs(i - own))}) | {own}
    return [slices[i] for i in sorted(kept)]


def _write_header(figure, measurement: Measurement, shown: int, width: float, height: float) -> None:
    some = "" if shown == len(measurement.slices) else f", {shown} of {len(measurement.slices)} slices shown"
    sides = (" to the patient's left", " to the patient's right")
    case = f"{drawing.legible(measurement.case_id, 34)}: {shift_text(measurement.measured_mm(), sides)}{some}"
    key = (
        "L, R: side the midline is pushed to · framed: the case's slice · grey: not among the slices it is chosen from"
    )
    edge, faint = 0.08 / width, {"fontsize": 8, "va": "center", "color": drawing.FAINT_TEXT_COLOUR}
    drawing.write_text(figure, edge, 1 - 0.2 / height, case, fontsize=11, fontweight="bold", va="center")
    drawing.write_text(figure, edge, 1 - 0.43 / height, certainty_text(measurement), fontsize=10, va="center")
    drawing.write_text(figure, edge, 1 - (_header(measurement) - 0.17) / height, key, **faint)
    drawing.write_text(figure, 1 - edge, 1 - 0.2 / height, "Research use only", ha="right", **faint)


def _header(measurement: Measurement) -> float:
    """Return the height of the header in inches: one line more where there is an interval to show."""
    return HEADER + (0.23 if certainty_text(measurement) else 0.0)


def _write_numbers(axes, one: SliceMeasurement, measurement: Measurement) -> None:
    strong = drawing.TEXT_COLOUR if one.in_case_window else drawing.FAINT_TEXT_COLOUR
    style = {"transform": axes.transAxes, "path_effects": drawing.halo(2.2), "color": strong}
    number = shift_text(one.signed_shift_mm, (" L", " R")) if math.isfinite(one.signed_shift_mm) else "–"
    axes.text(0.03, 0.97, number_of(measurement, one.index), ha="left", va="top", fontsize=8, **style)
    axes.text(0.97, 0.97, number, ha="right", va="top", fontsize=9, fontweight="bold", **style)
    if one.index == measurement.slice:
        from matplotlib.patches import Rectangle

        frame: dict[str, Any] = {"fill": False, "edgecolor": drawing.FOUND_COLOUR, "linewidth": 3, "clip_on": False}
        axes.add_patch(Rectangle((0, 0), 1, 1, transform=axes.transAxes, **frame))


def _width(box: tuple[float, float, float, float]) -> float:
    return box[1] - box[0]


def _centred(box: tuple[float, float, float, float], size: tuple[float, float, float, float]):
    """Return a box of the size of one around the middle of another: all tiles share one scale."""
    x, y = (box[0] + box[1]) / 2, (box[2] + box[3]) / 2
    width, height = size[1] - size[0], size[2] - size[3]
    return x - width / 2, x + width / 2, y + height / 2, y - height / 2
