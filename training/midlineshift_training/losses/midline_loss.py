"""Supervision of a midline network: by phantoms, whose truth is known everywhere, and by sparse landmarks of real slices."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from midlineshift_training.datasets.midline_dataset import MidlineBatch
from MidlineShiftLogic.geometry.lines import half_grid
from MidlineShiftLogic.networks.midline_unet import SlicePrediction

# Relative weight of each term; the recipe of a trial on the same kind of data, see docs/adr.
WEIGHTS = {
    "ideal": 1.0,
    "deformed": 1.0,
    "deviation": 1.0,
    "field": 1.0,
    "attachments": 0.6,
    "inside": 0.3,
    "readable": 0.5,
    "height": 0.5,
}


def _masked_mean(value: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return (value * weight).sum() / (weight.sum() + 1.0)


def _smooth_l1(a: torch.Tensor, b: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return _masked_mean(F.smooth_l1_loss(a, b, reduction="none", beta=0.1), weight)


def heat_map_loss(logits: torch.Tensor, ends: torch.Tensor, measurable: torch.Tensor) -> torch.Tensor:
    """Cross-entropy to a Gaussian (3 pixels) plus distance of the expected position, for both falx attachments.

    Args:
        logits: (B, 2, h, h). ends: (B, 2, 2) (x, y) from the middle. measurable: (B,) weight.
    """
    axis = torch.from_numpy(half_grid(2 * logits.shape[-1])).to(logits)
    log_p = logits.flatten(2).log_softmax(2).view_as(logits)
    p = log_p.exp()
    expected = torch.stack([(p.sum(2) * axis).sum(2), (p.sum(3) * axis).sum(2)], -1)
    distance = F.smooth_l1_loss(expected, ends, reduction="none").sum(-1)
    dx, dy = axis - ends[..., :1], axis - ends[..., 1:]
    target = torch.exp(-(dy[..., :, None] ** 2 + dx[..., None, :] ** 2) / (2 * 3.0**2))
    target = target / (target.sum((2, 3), keepdim=True) + 1e-6)
    entropy = -(target * log_p).sum((2, 3))
    weight = measurable[:, None].expand_as(distance)
    return _masked_mean(distance / 4 + entropy / 4, weight) * 2


def midline_loss(out: SlicePrediction, truth: MidlineBatch) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Sum of the weighted terms, and each term.

    Distances near the deformed midline count most. The field is held to the truth by squared error, weighted by the
    truth's size: an absolute-value loss lets it collapse to zero. Where the deformed midline is not known (``truth.known``,
    of slices with sparse landmarks) it gives no loss; the ideal one is known wherever both attachments are.
    """
    measurable = (truth.measurable * truth.weight)[:, None, None]
    inside = truth.inside * measurable
    around = torch.exp(-((truth.deformed / 5) ** 2)) * inside * (truth.ideal.abs() < 18)
    near, inside_known = around * truth.known, inside * truth.known
    close = inside_known * 0.15 * (truth.deformed.abs() < 20) + near * 2
    terms = {
        "deformed": _smooth_l1(out.deformed / 3, truth.deformed.clamp(-14, 14) / 3, close),
        "ideal": _smooth_l1(out.ideal / 6, truth.ideal.clamp(-40, 40) / 6, inside + around),
        "deviation": _smooth_l1((out.ideal - out.deformed) / 3, (truth.ideal - truth.deformed) / 3, near),
        "attachments": heat_map_loss(out.attachments, truth.ends, truth.measurable * truth.weight),
        "inside": F.binary_cross_entropy_with_logits(out.inside, truth.inside),
        "readable": F.binary_cross_entropy_with_logits(out.measurable, truth.measurable),
        "height": F.smooth_l1_loss(out.height / 20, (truth.height / 20).clamp(-3, 4)),
    }
    if out.displacement is not None:
        size = 1 + (truth.displacement.norm(dim=1) / 2).clamp(max=3)
        weight = (near + 0.1 * inside_known) * size
        terms["field"] = _masked_mean((out.displacement - truth.displacement).square().sum(1), weight) / 9
    return sum(WEIGHTS[name] * value for name, value in terms.items()), terms
