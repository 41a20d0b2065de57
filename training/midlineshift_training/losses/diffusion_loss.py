"""The hybrid training loss of a denoiser with learned variance (Nichol and Dhariwal 2021, arXiv 2102.09672)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from MidlineShiftLogic.networks.diffusion import Network, Schedule, add_noise, extract, predict_x0

_BIN = 1 / 255
"""Half the width of an 8-bit grey level in -1..1."""


@dataclass(frozen=True)
class DiffusionLoss:
    """Loss of each slice (N,): ``mse`` of the noise, ``vb`` the bound in bits per pixel, ``total`` their sum."""

    mse: Tensor
    vb: Tensor
    total: Tensor


def diffusion_loss(network: Network, schedule: Schedule, x0: Tensor, timesteps: Tensor, noise: Tensor) -> DiffusionLoss:
    """Return hybrid loss L_simple + L_vb T / 1000, where L_vb teaches the variance only (section 3.1, equation 16).

    L_vb is the divergence from q(x_{t-1} | x_t, x_0), or at t = 0 the discretised likelihood of x_0, with the predicted
    mean held fixed. The factor T / 1000 is that of the authors' code ("rescaled").

    Args:
        network: ``network(x_t, t)`` gives 2 C channels: noise and where the log-variance is (-1 least, 1 most).
        x0: slices (N, C, H, W) in -1..1.
        timesteps: (N,) integers.
        noise: standard normal, as x0.
    """
    xt = add_noise(schedule, x0, timesteps, noise)
    predicted, variance = network(xt, timesteps).float().chunk(2, dim=1)
    mse = _slice_mean((noise - predicted) ** 2)
    vb = variational_bound(schedule, x0, xt, timesteps, predicted.detach(), variance) * schedule.steps / 1000
    return DiffusionLoss(mse=mse, vb=vb, total=mse + vb)


def variational_bound(
    schedule: Schedule, x0: Tensor, xt: Tensor, timesteps: Tensor, predicted: Tensor, variance: Tensor
) -> Tensor:
    """Return l_t of each slice (N,) in bits per pixel (Ho et al. 2020, equation 5), variance from the learned range."""
    of_x0, of_xt = (extract(weights, timesteps) for weights in schedule.posterior_mean_weights())
    true_mean = of_x0 * x0 + of_xt * xt
    mean = of_x0 * predict_x0(schedule, xt, timesteps, predicted) + of_xt * xt

    posterior = schedule.posterior_variance
    # the posterior variance is 0 at t = 0, its logarithm is taken from the next step
    smallest = extract(torch.cat([posterior[1:2], posterior[1:]]).log(), timesteps)
    largest = extract(schedule.betas.log(), timesteps)
    share = (variance + 1) / 2
    log_variance = share * largest + (1 - share) * smallest

    divergence = 0.5 * (
        log_variance
        - smallest
        - 1
        + torch.exp(smallest - log_variance)
        + (true_mean - mean) ** 2 * torch.exp(-log_variance)
    )
    likelihood = -_log_likelihood(x0, mean, log_variance / 2)
    first = (timesteps == 0)[:, None, None, None]
    return _slice_mean(torch.where(first, likelihood, divergence)) / math.log(2)


def _log_likelihood(x0: Tensor, mean: Tensor, log_sd: Tensor) -> Tensor:
    """Log-probability of the 8-bit grey level around x0 under a normal distribution (Ho et al. 2020, equation 13)."""
    above = _normal_cdf((x0 + _BIN - mean) * torch.exp(-log_sd))
    below = _normal_cdf((x0 - _BIN - mean) * torch.exp(-log_sd))
    darkest, brightest = x0 < -0.999, x0 > 0.999
    probability = torch.where(darkest, above, torch.where(brightest, 1 - below, above - below))
    return probability.clamp(min=1e-12).log()


def _normal_cdf(x: Tensor) -> Tensor:
    # the approximation of Page 1977, which the published checkpoints were trained with
    return 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def _slice_mean(x: Tensor) -> Tensor:
    return x.flatten(1).mean(dim=1)
