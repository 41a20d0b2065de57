"""The diffusion models' word on a slice: where the non-MLS denoiser and the denoiser of all cases disagree."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from MidlineShiftLogic.inference.window import BRAIN_WINDOW_HU, window
from MidlineShiftLogic.networks.diffusion import Network, fixed_noise, make_schedule, noise_difference


@dataclass(frozen=True)
class NoiseSettings:
    """Stored in ``model.json`` under ``noise``.

    Attributes:
        t: noise level at test (Gong et al.: 300 of 1000). seed: of the one noise image used for every slice.
        schedule, steps: of the diffusion process. grid: the denoisers' grid; slices are averaged down to it.
        gain: factor that brings the difference to order one.
    """

    t: int = 300
    seed: int = 0
    schedule: str = "linear"
    steps: int = 1000
    grid: int = 64
    gain: float = 5.0


def denoiser_input(hu: torch.Tensor, grid: int) -> torch.Tensor:
    """(N, H, W) HU -> (N, 1, grid, grid) in -1..1."""
    x = window(hu, BRAIN_WINDOW_HU)[:, None]
    return x if x.shape[-1] == grid else F.adaptive_avg_pool2d(x, grid)


def noise_channel(
    hu: torch.Tensor,
    conditional: Network,
    unconditional: Network,
    settings: NoiseSettings,
    timesteps: torch.Tensor | None = None,
    noise: torch.Tensor | None = None,
) -> torch.Tensor:
    """Scaled noise difference on the slices' own grid.

    Args:
        hu: (N, H, W) slices in the frame, HU.
        conditional, unconditional: denoisers (non-MLS cases; all cases).
        settings: noise level, seed, grid.
        timesteps: (N,) levels; ``settings.t`` by default. noise: (N or 1, 1, grid, grid); the fixed one by default.

    Returns:
        (N, 1, H, W).
    """
    x = denoiser_input(hu, settings.grid)
    if timesteps is None:
        timesteps = torch.full((len(x),), settings.t, device=x.device)
    if noise is None:
        noise = fixed_noise((1, 1, settings.grid, settings.grid), settings.seed).to(x.device)
    difference = noise_difference(
        conditional, unconditional, make_schedule(settings.schedule, settings.steps), x, timesteps, noise
    )
    if difference.shape[-1] != hu.shape[-1]:
        difference = F.interpolate(difference, size=hu.shape[1:], mode="bilinear", align_corners=False)
    return settings.gain * difference.float()
