"""The sheet that the training pictures are drawn on: rows of small axes, in the colours of the result pictures."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure

from MidlineShiftLogic.presentation.drawing import BACKGROUND, RESEARCH_USE_ONLY, TEXT_COLOUR

SIDE_INCHES = 2.2


def sheet(rows: int, columns: int, titles: list[str], note: str = "") -> tuple[Figure, np.ndarray]:
    """Dark figure and its (rows, columns) axes, columns titled; ``note`` below tells what is drawn."""
    figure = Figure(figsize=(SIDE_INCHES * columns, SIDE_INCHES * rows + 0.55), dpi=100, layout="constrained")
    figure.set_facecolor(BACKGROUND)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_facecolor("black")
        axes.spines[:].set_visible(False)
    for axes, title in zip(grid[0], titles, strict=False):
        axes.set_title(title, color=TEXT_COLOUR, fontsize=8)
    figure.supxlabel("  ".join(filter(None, [note, RESEARCH_USE_ONLY])), color=TEXT_COLOUR, fontsize=7)
    return figure, grid


def show(axes, image: torch.Tensor, low: float = -1.0, high: float = 1.0, **more) -> None:
    """Draw an (H, W) image between two grey values; radiological, the patient's right on the left, marked R."""
    axes.imshow(image.detach().float().cpu().numpy(), vmin=low, vmax=high, **{"cmap": "gray", **more})
    axes.text(0.03, 0.97, "R", color=TEXT_COLOUR, fontsize=7, va="top", transform=axes.transAxes)
