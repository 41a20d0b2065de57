"""Supervision of the refinement network: where the midline is in every row of a strip, and the shift that follows.

Lengths are frame millimetres.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from midlineshift_training.datasets.strip_dataset import StripBatch
from MidlineShiftLogic.geometry.midline_strip import StripGrid, expected_offset

TARGET_MM = 0.9
"""Spread of the Gaussian that a row's distribution is held to: about that of a reader's point."""
BETA_MM = 0.5
"""Where the smooth L1 loss turns from squared to absolute."""
FARTHEST_MM = 21.0
"""Rows whose midline is farther from the strip's middle give no loss: the strip ends at 24 mm."""
SEPTUM, SEPTUM_WIDTH, SEPTUM_WEIGHT = 0.38, 0.08, 4.0
"""Place of the septum and width of its neighbourhood, as fractions of the ideal midline; weight added there."""
END_WIDTH, END_WEIGHT = 0.04, 2.0
"""The same for both falx attachments, which every shift is measured from."""
SEPTUM_ROWS = (0.30, 0.46)
"""Fractions between which the error of the shift is taken."""
ATTACHED = 0.02
"""Rows nearer to an attachment than this are always known."""
END_REACH = (0.02, 0.03)
"""Fractions beyond an attachment, and before it, whose rows give its place together."""


def row_weights(grid: StripGrid) -> torch.Tensor:
    """Return (rows,) weight of each row: more at the septum and at both attachments."""
    f = grid.fractions

    def near(place: float, width: float) -> torch.Tensor:
        return torch.exp(-(((f - place) / width) ** 2))

    ends = near(0.0, END_WIDTH) + near(1.0, END_WIDTH)
    return 1 + SEPTUM_WEIGHT * near(SEPTUM, SEPTUM_WIDTH) + END_WEIGHT * ends


def shift_error(course: torch.Tensor, batch: StripBatch, grid: StripGrid) -> tuple[torch.Tensor, torch.Tensor]:
    """Find the error of the shift at the rows of the septum.

    Args:
        course: (B, rows) mm from the true ideal midline to a predicted midline, whose ends give its own ideal midline.
        batch: truth. grid: rows.

    Returns:
        (B, septum rows) predicted minus true shift, mm, and (B, septum rows) its weight, 0..1.
    """
    f = grid.fractions.to(course.device)
    beyond, before = END_REACH
    anterior = course[:, (f > -beyond) & (f < before)].mean(1, keepdim=True)
    posterior = course[:, (f > 1 - before) & (f < 1 + beyond)].mean(1, keepdim=True)
    at = (f >= SEPTUM_ROWS[0]) & (f <= SEPTUM_ROWS[1])
    shift = course[:, at] - (anterior * (1 - f[at]) + posterior * f[at])
    return shift - batch.deviation[:, at], (batch.measurable * batch.weight)[:, None] * batch.known[:, at]


def refinement_loss(
    logits: torch.Tensor, batch: StripBatch, grid: StripGrid
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Sum of the terms, and each term.

    ``rows`` is the cross-entropy of each row to a Gaussian about the true midline, ``offset`` the error of the expected
    place, ``shift`` the error of the shift at the septum. The attachments are known wherever the slice can be measured.

    Args:
        logits: (B, rows, columns) of the network. batch: truth. grid: rows and columns.
    """
    f, across = grid.fractions.to(logits.device), grid.across_mm.to(logits.device)
    target = batch.target
    known = torch.maximum(batch.known, ((f < ATTACHED) | (f > 1 - ATTACHED)).float())
    weight = (batch.measurable * batch.weight)[:, None] * known * row_weights(grid).to(logits.device)
    weight = weight * (target.abs() < FARTHEST_MM)
    wanted = torch.exp(-0.5 * ((across - target[..., None]) / TARGET_MM) ** 2)
    wanted = wanted / wanted.sum(-1, keepdim=True).clamp(min=1e-6)
    entropy = -(wanted * logits.log_softmax(-1)).sum(-1)
    offset, _ = expected_offset(logits, grid)
    error, error_weight = shift_error(batch.first + offset, batch, grid)
    terms = {
        "rows": _weighted_mean(entropy, weight),
        "offset": _weighted_mean(_smooth_l1(offset - target), weight),
        "shift": _weighted_mean(_smooth_l1(error), error_weight),
    }
    return terms["rows"] + terms["offset"] + terms["shift"], terms


def _smooth_l1(error: torch.Tensor) -> torch.Tensor:
    return F.smooth_l1_loss(error, torch.zeros_like(error), reduction="none", beta=BETA_MM)


def _weighted_mean(value: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return (value * weight).sum() / (weight.sum() + 1.0)
