"""The sheet that the training pictures are drawn on: small axes, in the colours of the result pictures."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure

from MidlineShiftLogic.reporting.figures.drawing import BACKGROUND, FAINT_TEXT_COLOUR, RESEARCH_USE_ONLY, TEXT_COLOUR

SIDE_INCHES = 2.2


def sheet(rows: list[str], columns: int, note: str = "") -> tuple[Figure, np.ndarray]:
    """Make a dark figure and its (rows, columns) axes, a column a slice; ``rows`` names the rows, ``note`` says what is drawn."""
    figure = Figure(figsize=(SIDE_INCHES * columns + 0.3, SIDE_INCHES * len(rows) + 0.8), dpi=100, layout="constrained")
    figure.set_facecolor(BACKGROUND)
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for axes in grid.flat:
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_facecolor("black")
        axes.spines[:].set_visible(False)
    for axes, title in zip(grid[:, 0], rows, strict=True):
        axes.set_ylabel(title, color=TEXT_COLOUR, fontsize=8)
    figure.supxlabel("\n".join(filter(None, [note, RESEARCH_USE_ONLY])), color=TEXT_COLOUR, fontsize=7)
    return figure, grid


def show(axes, image: torch.Tensor, low: float = -1.0, high: float = 1.0, **more) -> None:
    """Draw an (H, W) image between two grey values; radiological, the patient's right on the left, marked R."""
    axes.imshow(image.detach().float().cpu().numpy(), vmin=low, vmax=high, **{"cmap": "gray", **more})
    axes.text(0.03, 0.97, "R", color=FAINT_TEXT_COLOUR, fontsize=7, va="top", transform=axes.transAxes)
