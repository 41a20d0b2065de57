"""The noise difference of the diffusion models: where the denoiser of non-MLS cases and that of all cases disagree."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from MidlineShiftLogic.inference.window import BRAIN_WINDOW_HU, window
from MidlineShiftLogic.networks.diffusion import (
    CONDITIONAL_WEIGHT,
    DDIM_COUNT,
    DDIM_START,
    Network,
    fixed_noise,
    make_schedule,
    noise_difference,
)


@dataclass(frozen=True)
class DdimSettings:
    """How a pseudo-healthy image is made; stored in ``model.json`` under ``noise.ddim``.

    The defaults are those of Gong et al., for models exported before the settings were stored; they never change.

    Attributes:
        count: DDIM steps into which the schedule is divided.
        start: steps that are taken: the slice is noised to step ``start`` and denoised from there.
        conditional_weight: weight w of the guided noise w e_con - (w - 1) e_unc.
        noises: noises that each slice is made with; the mean of the results is the image. What differs between them is
            chance, what they share is not.
        own_level: whether each network call is given the noise level of its input, not the one before as by Gong et al.
        by_difference: whether the image is the slice and what the class makes different (``networks.diffusion.pseudo_healthy``).
    """

    count: int = DDIM_COUNT
    start: int = DDIM_START
    conditional_weight: float = CONDITIONAL_WEIGHT
    own_level: bool = False
    noises: int = 1
    by_difference: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.start < self.count:
            raise ValueError(f"'start' is {self.start} and must be between 0 and 'count', {self.count}")
        if self.noises < 1:
            raise ValueError(f"'noises' is {self.noises} and must be 1 or more")


@dataclass(frozen=True)
class NoiseSettings:
    """How the diffusion models are used; stored in ``model.json`` under ``noise``.

    Attributes:
        t: noise level at test (Gong et al.: 300 of 1000).
        seed: of the one noise image used for every slice.
        schedule, steps: of the diffusion process.
        grid: the denoisers' grid in px; slices are averaged down to it.
        gain: factor that brings the noise difference to order one.
        ddim: of the pseudo-healthy image.
    """

    t: int = 300
    seed: int = 0
    schedule: str = "linear"
    steps: int = 1000
    grid: int = 64
    gain: float = 5.0
    ddim: DdimSettings = DdimSettings()

    def __post_init__(self) -> None:
        make_schedule(self.schedule, 1)
        if not 0 <= self.t < self.steps:
            raise ValueError(f"'t' is {self.t} and must be below 'steps', {self.steps}")


def denoiser_input(hu: torch.Tensor, grid: int) -> torch.Tensor:
    """Window slices (N, H, W) HU and average them down to (N, 1, grid, grid) in -1..1."""
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
    """Compute the scaled noise difference on the slices' own grid.

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
