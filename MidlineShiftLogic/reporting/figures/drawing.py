"""Provide what the figures share: display window, plane millimetres, the midline, side letters, scale bar, safe text.

Pictures are drawn in *plane mm* (column * column spacing, row * row spacing), so that pixels that are not square come
out true. They are radiological: the patient's right on the left of the picture. Matplotlib is used through its objects
only; the caller's pyplot state and settings are untouched.
"""

from __future__ import annotations

import contextlib
import unicodedata
from functools import cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import ArrayLike

from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.masks import largest_component
from MidlineShiftLogic.measurement.results import SliceMeasurement

WINDOW_HU = (0.0, 80.0)
SKIN_HU = -300.0
MARGIN_MM = 8.0

# Okabe & Ito's colours, which differ for any colour vision and on every grey of a head CT.
IDEAL_COLOUR = "#56B4E9"
FOUND_COLOUR = "#F0A500"
BAR_COLOUR = "#FFFFFF"
WARNING_COLOUR = "#F0E442"
TEXT_COLOUR = "#F2F2F2"
FAINT_TEXT_COLOUR = "#A8A8A8"
BACKGROUND = "#101010"

RESEARCH_USE_ONLY = "Research use only · not a medical device"


def plane_mm(ct: HeadCT, pixels: ArrayLike) -> np.ndarray:
    """Convert (..., 2) pixels (column, row) to (..., 2) plane mm (x, y)."""
    row_mm, column_mm = ct.pixel_spacing
    return np.asarray(pixels, dtype=float) * (column_mm, row_mm)


def image_extent(ct: HeadCT) -> tuple[float, float, float, float]:
    """Return ``imshow`` extent (left, right, bottom, top) in plane mm; row 0 on top, pixel centres at whole numbers."""
    _, rows, columns = ct.hu.shape
    row_mm, column_mm = ct.pixel_spacing
    return -0.5 * column_mm, (columns - 0.5) * column_mm, (rows - 0.5) * row_mm, -0.5 * row_mm


def head_bounds(ct: HeadCT, index: int) -> tuple[np.ndarray, np.ndarray]:
    """Return upper left and lower right corner (x, y), plane mm, of the head on one slice with a margin."""
    head = largest_component(np.nan_to_num(ct.hu[index], nan=-1024.0) > SKIN_HU)
    if head.any():
        rows, columns = np.flatnonzero(head.any(1)), np.flatnonzero(head.any(0))
    else:
        rows, columns = (np.array([0, size - 1]) for size in ct.hu.shape[1:])
    low = plane_mm(ct, (columns.min(), rows.min())) - MARGIN_MM
    return low, plane_mm(ct, (columns.max(), rows.max())) + MARGIN_MM


def box_around(bounds: tuple[np.ndarray, np.ndarray], width_to_height: float) -> tuple[float, float, float, float]:
    """Return (left, right, bottom, top) in plane mm around ``head_bounds``, grown to the wished proportion."""
    low, high = bounds
    centre, (width, height) = (low + high) / 2, high - low
    width, height = max(width, height * width_to_height), max(height, width / width_to_height)
    return centre[0] - width / 2, centre[0] + width / 2, centre[1] + height / 2, centre[1] - height / 2


def head_box(ct: HeadCT, index: int, width_to_height: float) -> tuple[float, float, float, float]:
    """Return (left, right, bottom, top) in plane mm around the head on one slice, grown to the wished proportion."""
    return box_around(head_bounds(ct, index), width_to_height)


def show_slice(axes, ct: HeadCT, hu: np.ndarray, box: tuple[float, float, float, float], faint: float = 1.0) -> None:
    """Draw (row, column) HU in the display window, cropped to ``box``; ``faint`` below 1 darkens it."""
    grey = np.clip((np.nan_to_num(hu, nan=WINDOW_HU[0]) - WINDOW_HU[0]) / (WINDOW_HU[1] - WINDOW_HU[0]), 0, 1)
    axes.imshow(
        grey * faint, cmap="gray", vmin=0, vmax=1, extent=image_extent(ct), interpolation="bilinear", aspect="equal"
    )
    left, right, bottom, top = box
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    axes.set_facecolor("black")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def draw_sides(axes, size: float) -> None:
    """Draw R on the left of the figure and L on its right: the patient's sides."""
    for x, letter, align in ((0.02, "R", "left"), (0.98, "L", "right")):
        axes.text(
            x, 0.5, letter, transform=axes.transAxes, ha=align, va="center", fontsize=size, fontweight="bold",
            color=TEXT_COLOUR, path_effects=halo(2.5),
        )  # fmt: skip


def draw_scale_bar(axes, box: tuple[float, float, float, float], length_mm: float = 50.0) -> None:
    """Draw a bar of ``length_mm`` with a tick each 10 mm at the lower right corner of the figure."""
    left, right, bottom, top = box
    end, y = right - 0.04 * (right - left), bottom - 0.035 * (bottom - top)
    start = end - length_mm
    axes.plot([start, end], [y, y], color=TEXT_COLOUR, linewidth=1.6, solid_capstyle="butt", path_effects=halo(2.6))
    for tick in np.arange(0, length_mm + 1, 10):
        height = 3.0 if tick in (0, length_mm) else 1.6
        axes.plot([start + tick] * 2, [y, y - height], color=TEXT_COLOUR, linewidth=1.2, solid_capstyle="butt")
    axes.text((start + end) / 2, y - 4, f"{length_mm:.0f} mm", ha="center", va="bottom", fontsize=8, color=TEXT_COLOUR)


def draw_lines(axes, ct: HeadCT, one: SliceMeasurement, width: float) -> None:
    """Draw the ideal midline, dashed between the falx attachments, and the deformed midline."""
    draw_ideal_line(axes, ct, one, width)
    if len(one.midline_px):
        x, y = plane_mm(ct, one.midline_px).T
        axes.plot(x, y, color=FOUND_COLOUR, linewidth=width, path_effects=halo(width + 1.0), label="midline found")


def draw_ideal_line(axes, ct: HeadCT, one: SliceMeasurement, width: float) -> None:
    """Draw the ideal midline, dashed between the falx attachments."""
    ends = [one.landmarks_px["anterior_falx"], one.landmarks_px["posterior_falx"]]
    x, y = plane_mm(ct, np.array(ends)).T
    axes.plot(
        x, y, color=IDEAL_COLOUR, linewidth=width, dashes=(5, 3), label="ideal midline, between the falx attachments"
    )


def halo(width: float) -> list:
    """Return path effects: a dark rim that keeps lines and letters legible on white bone."""
    from matplotlib import patheffects

    return [patheffects.Stroke(linewidth=width, foreground="black", alpha=0.75), patheffects.Normal()]


def legible(text: str, longest: int = 60) -> str:
    """Return ``text`` with what the font cannot draw replaced by ``?``, shortened in the middle."""
    known = _font_characters()
    text = "".join(c if ord(c) in known and not unicodedata.category(c).startswith("C") else "?" for c in text)
    half = (longest - 1) // 2
    return text if len(text) <= longest else f"{text[:half]}…{text[-half:]}"


@cache
def _font_characters() -> frozenset[int]:
    import matplotlib
    from matplotlib.ft2font import FT2Font

    return frozenset(FT2Font(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf")).get_charmap())


def load_library() -> None:
    """Import the drawing library, so that it is there when the first figure is. ``new_figure`` reports a missing one."""
    with contextlib.suppress(ImportError):
        import matplotlib.backends.backend_agg
        import matplotlib.figure  # noqa: F401


def new_figure(width: float, height: float, dpi: int):
    """Return a dark figure with its own canvas, outside pyplot."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=dpi, facecolor=BACKGROUND)
    FigureCanvasAgg(figure)
    return figure


def write_text(figure, x: float, y: float, text: str, **style) -> None:
    """Write text on the figure in the common colours; ``$`` and ``_`` in a case's name are letters, not formulas."""
    figure.text(x, y, text, **{"color": TEXT_COLOUR, "parse_math": False, "family": "DejaVu Sans", **style})


def save(figure, path: Path | BinaryIO, texts: dict[str, str] | None = None) -> None:
    """Write a figure as PNG, with ``texts`` as its text chunks.

    The quickest level of zlib takes a third of the time for a twentieth more bytes.
    """
    figure.savefig(path, format="png", metadata=texts, pil_kwargs={"compress_level": 1})
