"""Figure of strips: the first midline they were cut along, the refined one and the true one."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure

from midlineshift_training.datasets.strip_dataset import StripBatch
from midlineshift_training.trainers.figures.grid import sheet, show
from midlineshift_training.trainers.refinement_metrics import refined_errors
from MidlineShiftLogic.geometry.midline_strip import StripGrid, expected_offset
from MidlineShiftLogic.inference.window import BRAIN_WINDOW_HU
from MidlineShiftLogic.reporting.figures.drawing import FAINT_TEXT_COLOUR, FOUND_COLOUR, IDEAL_COLOUR, TEXT_COLOUR

COUNT = 6
TRUTH_KNOWN = 0.5
"""The true midline is drawn where it is known at least so well."""


def draw_strips(logits: torch.Tensor, batch: StripBatch, grid: StripGrid) -> Figure:
    """Draw the strips of the slices with the largest true shift, a column a strip, anterior on top."""
    size = torch.where(batch.measurable > 0, batch.deviation.abs().amax(1), -1.0)
    chosen = [k for k in size.argsort(descending=True)[:COUNT].tolist() if size[k] >= 0] or [0]
    note = "Stretched sideways. Grey dotted: the first midline. Orange: refined. Blue dashed: true, where it is known."
    figure, axes = sheet(["strip"], len(chosen), note)
    offset = expected_offset(logits, grid)[0].float().cpu()
    target, known = batch.target.float().cpu(), batch.known.cpu()
    errors = {name: value.cpu() for name, value in refined_errors(logits, batch, grid).items()}
    fractions, half = grid.fractions, grid.columns * grid.column_mm / 2
    low, high = BRAIN_WINDOW_HU
    for axis, k in zip(axes[0], chosen, strict=True):
        extent = (-half, half, float(fractions[-1]), float(fractions[0]))
        show(axis, batch.strips[k], low, high, extent=extent, aspect="auto")
        axis.axvline(0, color=FAINT_TEXT_COLOUR, linestyle="dotted", linewidth=0.8)
        axis.plot(offset[k], fractions, color=FOUND_COLOUR, linewidth=0.9)
        truth = torch.where(known[k] >= TRUTH_KNOWN, target[k], torch.nan)
        axis.plot(truth, fractions, color=IDEAL_COLOUR, linestyle="dashed", linewidth=0.9)
        axis.set_xlim(-half, half)
        found, first = float(errors["shift_mm"][k]), float(errors["first_shift_mm"][k])
        axis.set_xlabel(f"shift off by {found:.1f} mm, first {first:.1f} mm", color=TEXT_COLOUR, fontsize=6)
    return figure
