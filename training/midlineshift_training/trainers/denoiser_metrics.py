"""How well a denoiser makes slices again, at stage-1 checks."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from MidlineShiftLogic.networks.diffusion import Schedule, add_noise, predict_x0

LEVEL = 0.3
"""Share of the schedule that slices are noised to: t = 300 of 1000, where Gong et al. compare their denoisers."""
HU_PER_UNIT = 40.0
"""The window of 0..80 HU is scaled to -1..1."""


def image_metrics(network: nn.Module, schedule: Schedule, x: Tensor, noise: Tensor) -> dict[str, Tensor]:
    """Compare slices with what the denoiser makes of them in one step, by MONAI's metrics.

    Args:
        network: denoiser. schedule: of its noise. x: (N, 1, H, W) in -1..1. noise: as x.

    Returns:
        ``validation/mae_hu``, the mean absolute error in HU, and ``validation/ssim`` (1: the same picture).
    """
    from monai.metrics import MAEMetric, SSIMMetric  # ten seconds to import

    t = torch.full((len(x),), round(LEVEL * (schedule.steps - 1)), device=x.device)
    xt = add_noise(schedule, x, t, noise)
    predicted = network(xt, t).float()[:, : x.shape[1]]
    again = predict_x0(schedule, xt, t, predicted).clamp(-1, 1)
    mae = MAEMetric()(again, x).mean() * HU_PER_UNIT
    ssim = SSIMMetric(spatial_dims=2, data_range=2.0)(again, x.float()).mean()
    return {"validation/mae_hu": mae, "validation/ssim": ssim}
