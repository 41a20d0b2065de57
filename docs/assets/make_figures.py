"""Make the figures of the documentation from the shifted sample scan and the shipped models.

``python docs/assets/make_figures.py`` writes ``pipeline.png`` and ``landmark_drag.png`` beside this file. Look at them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from MidlineShiftLogic.api import CaseResult, measure_case
from MidlineShiftLogic.geometry.frame import align
from MidlineShiftLogic.inference.noise_difference import NoiseSettings, noise_channel
from MidlineShiftLogic.measurement.edit import move_landmarks, slice_of
from MidlineShiftLogic.measurement.results import Measurement
from MidlineShiftLogic.models import load_model
from MidlineShiftLogic.models.folder import denoiser_pair
from MidlineShiftLogic.models.settings import parse_settings
from MidlineShiftLogic.reporting.figures import drawing
from MidlineShiftLogic.reporting.formatting import shift_text

HERE = Path(__file__).parent
SAMPLE = HERE.parents[1] / "Resources" / "SampleScans" / "sample_shifted.nii.gz"
DIFFUSION_MODEL = "midlineshift-diffusion"
DPI = 110
INK, PAPER = "#20242a", "white"
CLOSE_UP_MM = 34.0  # half the width of the last panel
DRAG_MM = 5.0  # how far from its place the landmark is put before it is dragged


def new_figure(rows: int, columns: int, captions: list[str]):
    """Return a white figure of square panels, each with a numbered caption below it, and its axes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    width = 3.6
    figure = Figure(figsize=(width * columns, (width + 0.62) * rows), dpi=DPI, facecolor=PAPER)
    FigureCanvasAgg(figure)
    axes = []
    for number, caption in enumerate(captions):
        row, column = divmod(number, columns)
        left, height = column / columns + 0.006, 1 / rows
        place = (left, 1 - (row + 1) * height + 0.13 * height, 1 / columns - 0.012, 0.855 * height)
        panel = figure.add_axes(place, facecolor="black")
        figure.text(
            left + place[2] / 2, place[1] - 0.028 * height, f"{number + 1}  {caption}", ha="center", va="top",
            fontsize=12.5, color=INK, linespacing=1.15,
        )  # fmt: skip
        axes.append(panel)
    return figure, axes


def bare(panel) -> None:
    panel.set_xticks([])
    panel.set_yticks([])
    for spine in panel.spines.values():
        spine.set_visible(False)


def draw_distance(panel, ct, one) -> None:
    """Draw the landmarks and the measured distance with its length."""
    for name, marker, colour in (
        ("anterior_falx", "v", drawing.IDEAL_COLOUR),
        ("posterior_falx", "^", drawing.IDEAL_COLOUR),
        ("ideal", "o", drawing.IDEAL_COLOUR),
        ("shifted", "o", drawing.FOUND_COLOUR),
    ):
        panel.plot(
            *drawing.plane_mm(ct, one.landmarks_px[name]), marker, markersize=8, markerfacecolor="none",
            markeredgecolor=colour, markeredgewidth=1.8, path_effects=drawing.halo(3),
        )  # fmt: skip
    ends = np.array([drawing.plane_mm(ct, one.landmarks_px[name]) for name in ("ideal", "shifted")])
    panel.plot(*ends.T, color=drawing.BAR_COLOUR, linewidth=2.4, path_effects=drawing.halo(3.8), zorder=5)
    panel.text(
        0.97, 0.03, shift_text(one.signed_shift_mm, (" L", " R")), transform=panel.transAxes, ha="right", va="bottom",
        fontsize=17, fontweight="bold", color="white",
        bbox={"boxstyle": "round,pad=0.25", "facecolor": "black", "edgecolor": "none", "alpha": 0.65},
    )  # fmt: skip


def pipeline(case: CaseResult) -> None:
    """Draw the way of a scan: pose, aligned slice, noise difference, displacement, midlines, distance."""
    ct, measurement, dense = case.ct, case.measurement, case.dense
    one = slice_of(measurement, measurement.slice)
    model = load_model(DIFFUSION_MODEL, "cpu")
    with torch.inference_mode():
        hu = align(ct, dense.frame, [one.index])
        noise = parse_settings(NoiseSettings, model.noise, "'noise' of model.json")
        difference = noise_channel(hu, *denoiser_pair(model)(torch.tensor([one.height_mm])), noise)
    captions = [
        "scan, and the head's\nmidsagittal plane",
        "slice in the aligned frame",
        "noise difference of the\ndiffusion model's two answers",
        "displacement field, from where\ntissue is to where it would be",
        "falx attachments, ideal (blue) and\ndeformed (orange) midline",
        "distance at the\nseptum pellucidum",
    ]
    figure, axes = new_figure(2, 3, captions)
    box = drawing.head_box(ct, one.index, 1)

    drawing.show_slice(axes[0], ct, ct.hu[one.index], box)
    drawing.draw_ideal_line(axes[0], ct, one, width=1.6)
    drawing.draw_sides(axes[0], size=13)

    axes[1].imshow(hu[0], cmap="gray", vmin=0, vmax=80, interpolation="bilinear")
    limit = float(difference.abs().quantile(0.995))
    axes[2].imshow(difference[0, 0], cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="bilinear")

    from matplotlib.colors import Normalize

    drawing.show_slice(axes[3], ct, ct.hu[one.index], box, faint=0.45)
    field = np.nan_to_num(np.asarray(dense.of_slice(one.index).displacement_mm[one.index], dtype=float))
    length = np.hypot(*field)
    axes[3].imshow(
        length, cmap="viridis", norm=Normalize(0, float(np.ceil(length.max()))),
        alpha=np.clip(length / (0.3 * length.max()), 0, 1) * 0.62, extent=drawing.image_extent(ct),
        interpolation="bilinear", aspect="equal",
    )  # fmt: skip
    step = max(1, round(9 / ct.pixel_spacing[0]))
    rows, columns = np.mgrid[step // 2 : length.shape[0] : step, step // 2 : length.shape[1] : step]
    far = length[rows, columns] > 0.7
    rows, columns = rows[far], columns[far]
    here = drawing.plane_mm(ct, np.stack([columns, rows], axis=-1))
    down, across = field[:, rows, columns]
    axes[3].quiver(
        here[:, 0], here[:, 1], across, down, angles="xy", scale_units="xy", scale=1, color="white", width=0.005
    )

    drawing.show_slice(axes[4], ct, ct.hu[one.index], box)
    drawing.draw_lines(axes[4], ct, one, width=1.8)
    for name, marker in (("anterior_falx", "v"), ("posterior_falx", "^")):
        axes[4].plot(
            *drawing.plane_mm(ct, one.landmarks_px[name]), marker, markersize=11, markerfacecolor="none",
            markeredgecolor=drawing.IDEAL_COLOUR, markeredgewidth=2.2, path_effects=drawing.halo(3.4),
        )  # fmt: skip
    drawing.show_slice(axes[5], ct, ct.hu[one.index], box)
    drawing.draw_lines(axes[5], ct, one, width=1.8)
    draw_distance(axes[5], ct, one)
    middle = drawing.plane_mm(ct, one.landmarks_px["ideal"])
    axes[5].set_xlim(middle[0] - CLOSE_UP_MM, middle[0] + CLOSE_UP_MM)
    axes[5].set_ylim(middle[1] + CLOSE_UP_MM, middle[1] - CLOSE_UP_MM)
    for panel in axes:
        bare(panel)
    figure.savefig(HERE / "pipeline.png")


def landmark_drag(case: CaseResult) -> None:
    """Draw three steps of dragging a misplaced landmark to the septum; distance, curve and number follow."""
    ct, measurement = case.ct, case.measurement
    one = slice_of(measurement, measurement.slice)
    toward = np.sign(one.signed_shift_mm) / ct.pixel_spacing[1]
    states: list[Measurement] = []
    for away_mm in (DRAG_MM, DRAG_MM / 2, 0):
        place = one.landmarks_px["shifted"] - (toward * away_mm, 0)
        states.append(move_landmarks(measurement, ct, one.index, {"shifted": place}, measurement, space="px"))
    captions = ["a landmark (orange) is misplaced", "it is dragged", "it is at the septum"]
    figure, axes = new_figure(1, 3, captions)
    for panel, state in zip(axes, states, strict=True):
        shown = slice_of(state, one.index)
        drawing.show_slice(panel, ct, ct.hu[one.index], drawing.head_box(ct, one.index, 1))
        drawing.draw_lines(panel, ct, shown, width=1.8)
        draw_distance(panel, ct, shown)
        middle = drawing.plane_mm(ct, one.landmarks_px["ideal"])
        panel.set_xlim(middle[0] - CLOSE_UP_MM, middle[0] + CLOSE_UP_MM)
        panel.set_ylim(middle[1] + CLOSE_UP_MM, middle[1] - CLOSE_UP_MM)
        bare(panel)
    figure.savefig(HERE / "landmark_drag.png")


def main() -> None:
    """Measure the sample and draw both figures."""
    case = measure_case(SAMPLE, lambda: (load_model(None, "cpu"), "cpu"))
    pipeline(case)
    landmark_drag(case)


if __name__ == "__main__":
    main()
