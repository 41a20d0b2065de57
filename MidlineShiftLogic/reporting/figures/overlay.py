"""Draw ``overlay.png``: the case's slice with its measurement, warped back to normal, and the displacement."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.measurement.results import Measurement, SliceMeasurement
from MidlineShiftLogic.measurement.slice_names import slice_name
from MidlineShiftLogic.reporting.figures import drawing
from MidlineShiftLogic.reporting.formatting import certainty_text, rule_text, shift_text

if TYPE_CHECKING:
    from MidlineShiftLogic.inference.dense_arrays import DenseArrays

WIDTH, HEIGHT, DPI = 15.0, 7.2, 110
PANEL_WIDTH, PANEL_BOTTOM, PANEL_HEIGHT, GAP = 0.3227, 0.135, 0.735, 0.008
COLOUR_BAR_BOTTOM = 0.044
PANELS_KEY = "midlineshift-panels"
"""Text chunk of the PNG with the places of its three panels, as JSON (``_boxes``)."""
SMALLEST_SCALE_MM = 4.0
ARROW_STEP_MM = 8.0
SHORTEST_ARROW_MM = 0.7


def write_overlay(path: Path | BinaryIO, ct: HeadCT, measurement: Measurement, dense: DenseArrays) -> None:
    """Draw a measured (not refused) case into ``path``, a PNG file or a stream for one.

    Args:
        dense: of the case's slice at least.
    """
    one = measurement.measured_slice()
    figure = drawing.new_figure(WIDTH, HEIGHT, DPI)
    measured, normal, moved = (
        figure.add_axes((GAP + i * (PANEL_WIDTH + GAP), PANEL_BOTTOM, PANEL_WIDTH, PANEL_HEIGHT)) for i in range(3)
    )
    box = drawing.head_box(ct, one.index, WIDTH * PANEL_WIDTH / (HEIGHT * PANEL_HEIGHT))

    drawing.show_slice(measured, ct, ct.hu[one.index], box)
    drawing.draw_lines(measured, ct, one, width=1.3)
    _draw_landmarks(measured, ct, one)
    _draw_distance(measured, ct, one, box)
    drawing.draw_scale_bar(measured, box)

    drawing.show_slice(normal, ct, dense.warped_hu[one.index], box)
    drawing.draw_ideal_line(normal, ct, one, width=1.1)

    drawing.show_slice(moved, ct, ct.hu[one.index], box, faint=0.45)
    colours = _draw_displacement(moved, ct, np.asarray(dense.displacement_mm[one.index], dtype=float))
    _draw_colour_bar(figure, moved, colours)

    for axes in (measured, normal, moved):
        drawing.draw_sides(axes, size=13)
    _write_texts(figure, (measured, normal, moved), ct, measurement, one)
    drawing.save(figure, path, {PANELS_KEY: json.dumps(_boxes((measured, normal, moved)))})


def _boxes(panels) -> list[list[int]]:
    """Return [left, top, right, bottom] in pixels of each panel, the last with its colour bar.

    For programs that show the panels separately (a report on a narrow screen).
    """
    width, height = WIDTH * DPI, HEIGHT * DPI
    boxes = []
    for panel in panels:
        place = panel.get_position()
        bottom = place.y0 if panel is not panels[-1] else COLOUR_BAR_BOTTOM
        edges = (place.x0 * width, (1 - place.y1) * height, place.x1 * width, (1 - bottom) * height)
        boxes.append([round(edge) for edge in edges])
    return boxes


def _draw_landmarks(axes, ct: HeadCT, one: SliceMeasurement) -> None:
    for name, marker, colour, label in (
        ("anterior_falx", "v", drawing.IDEAL_COLOUR, "falx attachment"),
        ("posterior_falx", "^", drawing.IDEAL_COLOUR, None),
        ("ideal", "o", drawing.IDEAL_COLOUR, "ideal place"),
        ("shifted", "o", drawing.FOUND_COLOUR, "shifted place"),
    ):
        x, y = drawing.plane_mm(ct, one.landmarks_px[name])
        axes.plot(
            x, y, marker, markersize=7, markerfacecolor="none", markeredgecolor=colour, markeredgewidth=1.6,
            linestyle="none", label=label, path_effects=drawing.halo(2.8),
        )  # fmt: skip


def _draw_distance(axes, ct: HeadCT, one: SliceMeasurement, box: tuple[float, float, float, float]) -> None:
    """Draw the measured distance as a bar, with its length beside it, on the side it points to."""
    ideal, shifted = (drawing.plane_mm(ct, one.landmarks_px[name]) for name in ("ideal", "shifted"))
    axes.plot(
        *np.array([ideal, shifted]).T, color=drawing.BAR_COLOUR, linewidth=2.4, solid_capstyle="butt",
        path_effects=drawing.halo(3.8), zorder=5,
    )  # fmt: skip
    left, right, _, _ = box
    toward = 1.0 if one.signed_shift_mm >= 0 else -1.0
    start, place = (shifted + np.array([toward * far, 0.0]) for far in (2.5, 0.11 * (right - left)))
    axes.annotate(
        shift_text(one.signed_shift_mm, (" L", " R")), xy=start, xytext=place,
        ha="left" if toward > 0 else "right", va="center", fontsize=11, fontweight="bold", color=drawing.TEXT_COLOUR,
        bbox={"boxstyle": "round,pad=0.25", "facecolor": "black", "edgecolor": "none", "alpha": 0.65},
        arrowprops={"arrowstyle": "-", "color": drawing.TEXT_COLOUR, "linewidth": 0.9, "shrinkA": 0, "shrinkB": 0},
    )  # fmt: skip


def _draw_displacement(axes, ct: HeadCT, field: np.ndarray):
    """Draw ``field`` (2, row, column): colour is its length, arrows go from the normal place to where tissue is."""
    from matplotlib.colors import Normalize

    field = np.nan_to_num(field)
    length = np.hypot(field[0], field[1])
    top = max(SMALLEST_SCALE_MM, float(np.ceil(length.max())))
    picture = axes.imshow(
        length, cmap="viridis", norm=Normalize(0, top), alpha=np.clip(length / (0.3 * top), 0, 1) * 0.62,
        extent=drawing.image_extent(ct), interpolation="bilinear", aspect="equal",
    )  # fmt: skip
    row_step, column_step = (max(1, round(ARROW_STEP_MM / step)) for step in ct.pixel_spacing)
    rows, columns = np.mgrid[
        row_step // 2 : length.shape[0] : row_step, column_step // 2 : length.shape[1] : column_step
    ]
    far = length[rows, columns] > SHORTEST_ARROW_MM
    rows, columns = rows[far], columns[far]
    down, across = field[:, rows, columns]
    here = drawing.plane_mm(ct, np.stack([columns, rows], axis=-1))
    axes.quiver(
        here[:, 0] + across, here[:, 1] + down, -across, -down, angles="xy", scale_units="xy", scale=1, color="white",
        width=0.0032, headwidth=4, headlength=4.5, headaxislength=4,
    )  # fmt: skip
    return picture


def _draw_colour_bar(figure, panel, picture) -> None:
    place = panel.get_position()
    axes = figure.add_axes((place.x0 + 0.12 * place.width, place.y0 - 0.03, 0.76 * place.width, 0.016))
    bar = figure.colorbar(picture, cax=axes, orientation="horizontal")
    bar.solids.set_alpha(1)
    bar.outline.set_visible(False)
    axes.tick_params(colors=drawing.TEXT_COLOUR, labelsize=8, length=2, pad=2)
    bar.set_label("displacement in the slice, mm", color=drawing.TEXT_COLOUR, fontsize=8.5, labelpad=2)


def _write_texts(figure, panels, ct: HeadCT, measurement: Measurement, one: SliceMeasurement) -> None:
    from matplotlib.lines import Line2D

    sides = (" to the patient's left", " to the patient's right")
    headline = f"Midline shift {shift_text(measurement.measured_mm(), sides)}"
    if abs(measurement.measured_mm() - one.signed_shift_mm) > 0.05:
        headline += f" (this slice alone: {shift_text(one.signed_shift_mm)})"
    certainty = "   ".join(text for text in (certainty_text(measurement), rule_text(measurement)) if text)
    where = f"{drawing.legible(measurement.case_id)}   {slice_name(measurement, one.index)}"
    drawing.write_text(
        figure, GAP, 0.965 if certainty else 0.955, headline, fontsize=15, fontweight="bold", va="center"
    )
    drawing.write_text(figure, GAP, 0.925, certainty, fontsize=12, va="center")
    drawing.write_text(figure, 1 - GAP, 0.955, where, fontsize=10.5, va="center", ha="right")

    low, high = drawing.WINDOW_HU
    for panel, title in zip(
        panels,
        (
            f"As scanned, window {low:.0f}–{high:.0f} HU",
            "Warped back to normal by the deformation found",
            "How far and which way tissue was pushed",
        ),
        strict=True,
    ):
        place = panel.get_position()
        drawing.write_text(figure, place.x0, place.y1 + 0.014, title, fontsize=10.5, va="center")

    handles, labels = panels[0].get_legend_handles_labels()
    handles.append(Line2D([], [], color=drawing.BAR_COLOUR, linewidth=2.4))
    labels.append("distance measured")
    place = panels[0].get_position()
    legend = figure.legend(
        handles, labels, loc="upper left", bbox_to_anchor=(place.x0, place.y0), ncols=3, fontsize=8.5, frameon=False,
        labelcolor=drawing.TEXT_COLOUR, borderaxespad=0.4, borderpad=0, columnspacing=1.2, handletextpad=0.5,
        handlelength=2.2,
    )  # fmt: skip
    for handle in legend.legend_handles:  # the legend's own copies: the lines in the picture keep their rims
        handle.set_path_effects([])

    warnings = [flag.message for flag in measurement.quality if flag.severity == "warning"]
    if warnings:
        more = f" (and {len(warnings) - 1} more, see measurement.json)" if len(warnings) > 1 else ""
        text = textwrap.shorten(drawing.legible(warnings[0], 400), 180 - len(more), placeholder="…")
        # left of the note on the model, which stands in the same corner of every picture
        for line, height in zip(textwrap.wrap(f"Check: {text}{more}", 100), (0.052, 0.022), strict=False):
            drawing.write_text(figure, GAP, height, line, fontsize=9.5, va="center", color=drawing.WARNING_COLOUR)
    model = drawing.legible(" ".join(str(measurement.model.get(key, "")) for key in ("name", "version")).strip())
    note = f"{drawing.RESEARCH_USE_ONLY}   model {model}" if model else drawing.RESEARCH_USE_ONLY
    drawing.write_text(
        figure, 1 - GAP, 0.022, note, fontsize=9.5, va="center", ha="right", color=drawing.FAINT_TEXT_COLOUR
    )
