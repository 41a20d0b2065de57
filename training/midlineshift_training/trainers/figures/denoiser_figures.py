"""What a denoiser, or the pair of them, makes of noise and of slices."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from midlineshift_training.trainers.figures.grid import sheet, show
from MidlineShiftLogic.networks.diffusion import Schedule, add_noise, ddim_sample, ddim_timesteps

STEPS = 50
LEVEL = 300
"""Noise level, of 1000, at which Gong et al. read the difference of the denoisers and begin their pseudo-healthy slices."""


def _nothing(x: Tensor, timesteps: Tensor) -> Tensor:
    """Return the other denoiser where there is none; it has the weight 0."""
    return torch.zeros_like(x)


def _start(schedule: Schedule) -> int:
    """Return DDIM step that is nearest to ``LEVEL`` thousandths of the schedule."""
    return max(1, round(_count(schedule) * LEVEL / 1000))


def _count(schedule: Schedule) -> int:
    return STEPS if schedule.steps % STEPS == 0 else schedule.steps


def draw_samples(network: nn.Module, schedule: Schedule, like: Tensor) -> Figure:
    """Draw slices from pure noise, always the same, by DDIM; ``like`` (N, 1, H, W) gives number, size and device."""
    noise = torch.randn(like.shape, generator=torch.Generator().manual_seed(0)).to(like)
    made = ddim_sample(network, _nothing, schedule, noise, _count(schedule), _count(schedule), 1.0)
    figure, grid = sheet(["drawn from noise"], len(made))
    for axes, image in zip(grid[0], made[:, 0], strict=True):
        show(axes, image)
    return figure


def draw_denoised(network: nn.Module, schedule: Schedule, x: Tensor, noise: Tensor) -> Figure:
    """Return slices (N, 1, H, W), the same with noise, and what this denoiser alone makes of them again."""
    start, count = _start(schedule), _count(schedule)
    t = ddim_timesteps(schedule.steps, count)[start]
    xt = add_noise(schedule, x, torch.full((len(x),), t, device=x.device), noise)
    again = ddim_sample(network, _nothing, schedule, xt, start, count, 1.0)
    return _rows({"slice": x, f"noised, t = {t}": xt, "denoised": again}, again - x)


def draw_pairs(x: Tensor, healthy: Tensor) -> Figure:
    """Return slices (N, 1, H, W) and their pseudo-healthy counterparts, the targets of the image term."""
    return _rows({"slice": x, "pseudo-healthy": healthy}, healthy - x)


def _rows(images: dict[str, Tensor], change: Tensor) -> Figure:
    note = "Change: red brighter, blue darker, full colour at 40 HU."
    figure, grid = sheet([*images, "change"], len(change), note)
    for row, image in zip(grid, images.values(), strict=False):
        for axes, one in zip(row, image[:, 0], strict=True):
            show(axes, one)
    for axes, one in zip(grid[-1], change[:, 0], strict=True):
        show(axes, one, cmap="RdBu_r")  # 80 HU are 2 units of the window
    return figure
