"""Training loss of a class-conditional denoiser that also learns from shifted slices and their unshifted twins."""

from __future__ import annotations

import torch
from torch import Tensor

from midlineshift_training.datasets.denoiser_pairs import PairedBatch
from MidlineShiftLogic.networks.denoiser import Denoiser
from MidlineShiftLogic.networks.diffusion import Schedule, add_noise, extract, noise_from_x0

PAIRED_WEIGHT = 2.0
"""Weight of the pairs' mean squared error of x_0, beside the mean squared error of the noise of all others."""


def paired_loss(network: Denoiser, schedule: Schedule, batch: PairedBatch) -> Tensor:
    """Loss of each slice (B,).

    Of x_t, the slice with noise, the network predicts the noise that x_t would have if it came from the target. Where that
    is the slice itself, this is the noise that was added (Ho et al. 2020). Where it is the slice's unshifted twin, the error
    of the noise is that of x_0 times a_t / (1 - a_t), which grows without bound at low noise; there x_0's error is taken.
    """
    xt = add_noise(schedule, batch.x, batch.timesteps, batch.noise)
    aim = noise_from_x0(schedule, xt, batch.timesteps, batch.target)
    predicted = network(xt, batch.timesteps, batch.classes, batch.heights).float()
    error = (predicted - aim).square().flatten(1).mean(1)
    level = extract(schedule.alphas_cumprod, batch.timesteps).flatten()
    of_x0 = PAIRED_WEIGHT * ((1 - level) / level).clamp(max=1.0)
    return error * torch.where(batch.paired, of_x0, torch.ones_like(of_x0))
