"""Validation errors of a refinement network in scan millimetres, beside those of the first midlines."""

from __future__ import annotations

import torch
from torch import Tensor

from midlineshift_training.datasets.strip_dataset import StripBatch
from midlineshift_training.losses.refinement_loss import shift_error
from MidlineShiftLogic.geometry.midline_strip import StripGrid, expected_offset


def refined_errors(logits: Tensor, batch: StripBatch, grid: StripGrid) -> dict[str, Tensor]:
    """Return absolute errors (B,) of the shift at the septum in mm, NaN for slices in which it is not known.

    Returns:
        ``shift_mm``: of the refined midline. ``first_shift_mm``: of the first midline, which the errors of were drawn.
    """
    offset, _ = expected_offset(logits, grid)
    return {
        "shift_mm": _mean_error(batch.first + offset, batch, grid),
        "first_shift_mm": _mean_error(batch.first, batch, grid),
    }


def _mean_error(course: Tensor, batch: StripBatch, grid: StripGrid) -> Tensor:
    error, weight = shift_error(course, batch, grid)
    total = weight.sum(1)
    mean = (error.abs() * weight).sum(1) / total.clamp(min=1e-6)
    return torch.where(total > 0, mean * batch.scale, torch.nan)
