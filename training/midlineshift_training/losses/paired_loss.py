"""Training loss of a class-conditional denoiser that also learns from shifted slices and their unshifted twins."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from midlineshift_training.datasets.denoiser_pairs import PairedBatch
from MidlineShiftLogic.networks.denoiser import Denoiser
from MidlineShiftLogic.networks.diffusion import Schedule, add_noise, extract, noise_from_x0

SMOOTHING_PX = 1.3
"""Standard deviation of the smoothing that separates anatomy from noise; 2.3 mm at 128 px."""
_REACH_PX = 4


def paired_loss(
    network: Denoiser, schedule: Schedule, batch: PairedBatch, paired_weight: float = 2.0, anatomy_weight: float = 0.0
) -> Tensor:
    """Compute the loss of each slice (B,).

    Of x_t, the slice with noise, the network predicts the noise that x_t would have if it came from the target. Where that
    is the slice itself, this is the noise that was added (Ho et al. 2020). Where it is the slice's unshifted twin, the error
    of the noise is that of x_0 times a_t / (1 - a_t), which grows without bound at low noise; there x_0's error is taken.
    Most of that is the scanner's noise, which nothing predicts; its smoothed part is what was not moved.

    Args:
        network: called as ``network(xt, timesteps, classes, heights)``. schedule: of the process. batch: slices, targets.
        paired_weight: weight of the pairs' mean squared error of x_0, beside the error of the noise of all others.
        anatomy_weight: weight of the pairs' smoothed error, beside 1 for that of each pixel. The best prediction stays the
            same whatever it is; it is found sooner.
    """
    xt = add_noise(schedule, batch.x, batch.timesteps, batch.noise)
    aim = noise_from_x0(schedule, xt, batch.timesteps, batch.target)
    difference = network(xt, batch.timesteps, batch.classes, batch.heights).float() - aim
    error = difference.square().flatten(1).mean(1)
    of_pairs = error
    if anatomy_weight:
        of_pairs = error + anatomy_weight * _smooth(difference).square().flatten(1).mean(1)
    level = extract(schedule.alphas_cumprod, batch.timesteps).flatten()
    of_x0 = paired_weight * ((1 - level) / level).clamp(max=1.0)
    return torch.where(batch.paired, of_pairs * of_x0, error)


def _smooth(images: Tensor) -> Tensor:
    """Smooth (B, 1, H, W) by a Gaussian; zeros outside."""
    place = torch.arange(-_REACH_PX, _REACH_PX + 1, device=images.device)
    kernel = torch.exp(-(place**2) / (2 * SMOOTHING_PX**2))
    kernel = (kernel / kernel.sum()).to(images)
    across = functional.conv2d(images, kernel[None, None, None], padding=(0, _REACH_PX))
    return functional.conv2d(across, kernel[None, None, :, None], padding=(_REACH_PX, 0))
