"""Draw what the secondary captures show: a summary, and every measured slice in true geometry."""

from __future__ import annotations

from dataclasses import dataclass, replace
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.measurement.results import Measurement, SliceMeasurement
from MidlineShiftLogic.measurement.review import REJECTED
from MidlineShiftLogic.measurement.slice_names import slice_name
from MidlineShiftLogic.reporting.figures import drawing
from MidlineShiftLogic.reporting.formatting import shift_text

if TYPE_CHECKING:
    from MidlineShiftLogic.inference.dense_arrays import DenseArrays

LONGER_SIDE_PX = 640
DPI = 100


@dataclass(frozen=True)
class SlicePicture:
    """Hold a drawn slice and its place.

    Attributes:
        rgb: (row, column, 3) uint8; columns run to the patient's left, rows back, as in ``HeadCT``.
        origin: (3,) LPS mm of the centre of its first pixel.
        pixel_spacing: (row spacing, column spacing) mm.
    """

    rgb: np.ndarray
    origin: np.ndarray
    pixel_spacing: tuple[float, float]


def draw_summary(ct: HeadCT, measurement: Measurement, dense: DenseArrays) -> np.ndarray:
    """Draw ``overlay.png`` without the name of the case, which may be a patient's.

    Returns:
        (row, column, 3) uint8.
    """
    from PIL import Image

    from MidlineShiftLogic.reporting.figures.overlay import write_overlay

    buffer = BytesIO()
    write_overlay(buffer, ct, replace(measurement, case_id=_status(measurement)), dense)
    return np.asarray(Image.open(buffer).convert("RGB"))


def draw_slice(ct: HeadCT, measurement: Measurement, one: SliceMeasurement, images: str = "") -> SlicePicture:
    """Draw one slice over the whole of its field of view, nothing cropped.

    Args:
        images: which of the scan's images it is, in words.
    """
    left, right, bottom, top = drawing.image_extent(ct)
    width_mm, height_mm = right - left, bottom - top
    pixel = max(width_mm, height_mm) / LONGER_SIDE_PX
    columns, rows = round(width_mm / pixel), round(height_mm / pixel)
    figure = drawing.new_figure(columns / DPI, rows / DPI, DPI)
    axes = figure.add_axes((0, 0, 1, 1))
    drawing.show_slice(axes, ct, ct.hu[one.index], (left, right, bottom, top))
    axes.set_aspect("auto")  # the picture is the field of view itself; "equal" would round it to whole pixels
    drawing.draw_lines(axes, ct, one, width=1.3)
    bar = np.array([drawing.plane_mm(ct, one.landmarks_px[name]) for name in ("ideal", "shifted")])
    axes.plot(*bar.T, color=drawing.BAR_COLOUR, linewidth=2.4, solid_capstyle="butt", path_effects=drawing.halo(3.8))
    drawing.draw_sides(axes, size=13)
    _write_texts(axes, measurement, one, images)
    figure.canvas.draw()
    rgb = np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()
    spacing = height_mm / rgb.shape[0], width_mm / rgb.shape[1]
    first = np.array([left + spacing[1] / 2, top + spacing[0] / 2])
    origin = ct.origins[one.index] + first[0] * ct.column_axis + first[1] * ct.row_axis
    return SlicePicture(rgb, origin, spacing)


def _write_texts(axes, measurement: Measurement, one: SliceMeasurement, images: str) -> None:
    style = {"transform": axes.transAxes, "path_effects": drawing.halo(2.4), "color": drawing.TEXT_COLOUR}
    number = shift_text(one.signed_shift_mm, (" L", " R"))
    own = one.index == measurement.slice
    axes.text(0.02, 0.98, f"{slice_name(measurement, one.index)}\n{images}", ha="left", va="top", fontsize=9, **style)
    axes.text(0.98, 0.98, number, ha="right", va="top", fontsize=14, fontweight="bold", **style)
    said = [
        "the case's slice" if own else "" if one.in_case_window else "not among the slices of the case's number",
        "corrected by a reader" if one.edited else "",
        _rejected(measurement),
    ]
    axes.text(0.98, 0.935, "\n".join(filter(None, said)), ha="right", va="top", fontsize=9, **style)
    axes.text(0.02, 0.02, drawing.RESEARCH_USE_ONLY, ha="left", va="bottom", fontsize=9, **style)


def _status(measurement: Measurement) -> str:
    """Return what a reader did, without a name: the picture stands for itself in an archive."""
    if measurement.review is not None:
        return _rejected(measurement) or f"{measurement.review.decision} by a reader"
    return "corrected by a reader, not signed off" if measurement.edited else "not reviewed by a reader"


def _rejected(measurement: Measurement) -> str:
    return "REJECTED by a reader" if measurement.review and measurement.review.decision == REJECTED else ""
