"""Validation errors of a pose or deformation network in scan millimetres.

They are taken slice by slice at the true places, and so are quick enough for every check. ``midlineshift-train evaluate``
reports the error of the whole measurement, with the pose and the shift computation.
"""

from __future__ import annotations

import torch
from torch import Tensor

from midlineshift_training.datasets.midline_dataset import MidlineBatch
from MidlineShiftLogic.geometry.lines import soft_argmax
from MidlineShiftLogic.geometry.resampling import sample
from MidlineShiftLogic.networks.midline_unet import SlicePrediction


def shift_errors(out: SlicePrediction, batch: MidlineBatch) -> dict[str, Tensor]:
    """Return absolute errors (B,) in mm, NaN for slices that cannot be measured.

    Returns:
        ``shift_mm``: of the shift at the septum pellucidum, computed as in the measurement as the mean of distance maps and
        field (without flow heads, from the maps alone). ``line_mm``: sideways error of the two falx attachments, mean.
    """
    anterior, posterior = batch.ends.unbind(1)
    along = posterior - anterior
    normal = torch.stack([along[:, 1], -along[:, 0]], -1) / along.norm(dim=-1, keepdim=True).clamp(min=1e-6)
    true = ((batch.shifted - anterior) * normal).sum(-1)
    shift = _at((out.ideal - out.deformed)[:, None].float(), batch.shifted)[:, 0]
    if out.displacement is not None:
        u = _at(out.displacement.float(), batch.shifted).flip(-1)
        shift = (shift - (u * normal).sum(-1)) / 2
    logits = out.attachments.detach().float().cpu().numpy()
    found = torch.from_numpy(soft_argmax(logits, 2 * logits.shape[-1])[0]).float().to(batch.ends.device)
    sideways = ((found - batch.ends) * normal[:, None]).sum(-1).abs().mean(1)
    unmeasured = torch.where(batch.measurable > 0, 0.0, torch.nan)
    return {"shift_mm": (shift - true).abs() * batch.mm + unmeasured, "line_mm": sideways * batch.mm + unmeasured}


def _at(maps: Tensor, points: Tensor) -> Tensor:
    """Sample half-grid maps (B, C, h, h) at frame pixels (B, 2), (x, y) from the middle: (B, C), linearly."""
    half = maps.shape[-1] - 1  # frame pixels from the middle to the outermost nodes, which are 2 apart
    grid = (points / half)[:, None, None]
    return sample(maps, grid, padding="border")[..., 0, 0]
