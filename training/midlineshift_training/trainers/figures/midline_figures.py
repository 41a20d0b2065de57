"""Figures of what a network predicts on fixed slices: its midlines beside the true ones, and its field."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import torch
from matplotlib.figure import Figure

from midlineshift_training.datasets.midline_dataset import MidlineBatch
from midlineshift_training.trainers.figures.grid import sheet, show
from midlineshift_training.trainers.midline_metrics import shift_errors
from MidlineShiftLogic.geometry.lines import half_grid
from MidlineShiftLogic.inference.window import BRAIN_WINDOW_HU
from MidlineShiftLogic.networks.midline_unet import SlicePrediction
from MidlineShiftLogic.reporting.figures.drawing import FOUND_COLOUR, IDEAL_COLOUR, TEXT_COLOUR

COUNT = 4


def most_shifted_slices(batch: MidlineBatch, count: int = COUNT) -> MidlineBatch:
    """Return the measurable slices of a batch with the largest true displacement, and one with the smallest."""
    size = torch.where(batch.measurable > 0, batch.case_limit, -1.0)
    order = size.argsort(descending=True)
    measurable = order[: max(1, int((batch.measurable > 0).sum()))]
    chosen = torch.cat([measurable[: count - 1], measurable[-1:]]).unique()
    return MidlineBatch(**{field.name: getattr(batch, field.name)[chosen] for field in fields(batch)})


def draw_fields(out: SlicePrediction, batch: MidlineBatch) -> Figure:
    """Draw a column a slice: true and predicted midlines, and the true and the predicted field if there is one."""
    field = out.displacement
    has_field = field is not None
    note = "Dashed true, solid found; blue ideal, orange deformed midline."
    note += " Field (back to normal): red toward the patient's left, blue right." if has_field else ""
    figure, grid = sheet(["midlines", *(["true field", "found field"] if has_field else [])], len(batch.hu), note)
    extent = (2 * batch.ideal.shape[-1] - 1) / 2
    errors = {name: value.cpu() for name, value in shift_errors(out, batch).items()}
    for k, column in enumerate(grid.T):
        _slice(column[0], out, batch, k, extent)
        texts = [f"{n.removesuffix('_mm')} off by {float(e[k]):.1f} mm" for n, e in errors.items() if e[k].isfinite()]
        column[0].set_xlabel(", ".join(texts), color=TEXT_COLOUR, fontsize=6)
        if field is not None:
            limit = max(2.0, float((batch.case_limit * batch.mm)[k]))
            for axes, shown in ((column[1], batch.displacement), (column[2], field)):
                _field(axes, shown[k].float().cpu(), batch.inside[k].cpu(), float(batch.mm[k]), extent, limit)
            column[2].set_xlabel(f"full colour {limit:.1f} mm", color=TEXT_COLOUR, fontsize=6)
    return figure


def _slice(axes, out: SlicePrediction, batch: MidlineBatch, k: int, extent: float) -> None:
    low, high = BRAIN_WINDOW_HU
    edge = extent + 0.5
    show(axes, batch.hu[k], low, high, extent=(-edge, edge, edge, -edge))
    axis = half_grid(2 * batch.ideal.shape[-1])
    inside = batch.inside[k].cpu().numpy() > 0
    for truth, style in ((True, "dashed"), (False, "solid")):
        source = batch if truth else out
        for distance, colour in ((source.ideal, IDEAL_COLOUR), (source.deformed, FOUND_COLOUR)):
            value = np.where(inside, distance[k].float().cpu().numpy(), np.nan)
            if np.nanmin(value) < 0 < np.nanmax(value):
                axes.contour(axis, axis, value, levels=[0], colors=[colour], linestyles=[style], linewidths=0.9)


def _field(axes, field: torch.Tensor, inside: torch.Tensor, mm: float, extent: float, limit: float) -> None:
    """Draw the sideways component in colour, and arrows from where tissue is to where it would be, twice as long as it is.

    Args:
        field: (2, h, h) frame pixels, rows and columns. mm: of a frame pixel. limit: mm of the full colour.
    """
    show(
        axes,
        mm * field[1] * inside,
        -limit,
        limit,
        cmap="RdBu_r",
        extent=(-extent - 0.5, extent + 0.5, extent + 0.5, -extent - 0.5),
    )
    every = max(1, len(inside) // 16)
    axis = half_grid(2 * len(inside))[::every]
    x, y = np.meshgrid(axis, axis)
    part = (field * inside)[:, ::every, ::every].numpy()
    axes.quiver(x, y, part[1], part[0], color="0.2", angles="xy", scale_units="xy", scale=0.5, width=0.004, headwidth=4)
