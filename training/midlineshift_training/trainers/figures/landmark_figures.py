"""What the deformation network makes of fixed slices of a set: field, pseudo-healthy slice, slice set back."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure
from torch import Tensor

from midlineshift_training.datasets.annotated_slices import AnnotatedSlices
from midlineshift_training.datasets.landmark_dataset import LandmarkBatch, cut_landmark_batch, identity
from midlineshift_training.trainers.figures.grid import sheet, show
from MidlineShiftLogic.geometry.fields import invert, warp
from MidlineShiftLogic.inference.window import BRAIN_WINDOW_HU, window
from MidlineShiftLogic.reporting.figures.drawing import FOUND_COLOUR, IDEAL_COLOUR

COUNT = 4


def telling(slices: AnnotatedSlices) -> LandmarkBatch:
    """Return the labelled slices that shift most, each of another case; of a set without labels, its middle slices."""
    size = slices.true_mm.nan_to_num(-1.0)
    order = size.argsort(descending=True, stable=True)
    chosen: dict[int, int] = {}
    for index in order.tolist():
        members = (slices.case == slices.case[index]).nonzero()[:, 0]
        chosen.setdefault(int(slices.case[index]), index if size[index] >= 0 else int(members[len(members) // 2]))
    index = torch.tensor(list(chosen.values())[:COUNT])
    return cut_landmark_batch(slices, index, identity(len(index)))


def draw_landmark_fields(batch: LandmarkBatch, field: Tensor, x: Tensor, healthy: Tensor) -> Figure:
    """Draw a column a slice: with its landmarks, its pseudo-healthy slice, warped back to normal, the displacement in mm.

    Args:
        field: (B, 2, H, W) px. x, healthy: (B, 1, h, h) on the denoisers' grid.
    """
    titles = ["slice", "pseudo-healthy", "set back", "displacement"]
    figure, grid = sheet(titles, len(field), "Displacement: white is 10 mm.")
    image = window(batch.hu, BRAIN_WINDOW_HU)[:, None]
    back = warp(image, invert(field))
    length = field.norm(dim=1) * batch.pixel_mm[:, None, None]
    for k, column in enumerate(grid.T):
        show(column[0], image[k, 0])
        points = batch.landmarks[k].cpu()
        if points.isfinite().all():
            column[0].plot(*points[[0, 1]].T, color=IDEAL_COLOUR, linewidth=0.8)
            column[0].plot(*points[2:3].T, "o", color=FOUND_COLOUR, markersize=2.5)
            column[0].plot(*points[3:4].T, "o", color=IDEAL_COLOUR, markersize=2.5)
        show(column[1], healthy[k, 0])
        show(column[2], back[k, 0])
        show(column[3], length[k], 0.0, 10.0, cmap="magma")
    return figure
