"""Compute Gaussian diffusion: the noise schedule, noising, and deterministic sampling (DDIM), as pure functions.

Notation: slice x_0 in -1..1, step t in 0..T-1, x_t = sqrt(a_t) x_0 + sqrt(1 - a_t) e with a_t the cumulative product of
1 - beta (Ho et al. 2020, arXiv 2006.11239). Networks are called as ``network(x_t, t)`` with t (N,) an original step of
the full schedule, never rescaled, and give the noise in their first channels (variance channels are left aside).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from MidlineShiftLogic.networks.denoiser import NULL_CLASS, UNSHIFTED_CLASS

Network = Callable[[Tensor, Tensor], Tensor]
Progress = Callable[[int, int], Any]
DenoiserPair = Callable[[Tensor], tuple[Network, Network]]
"""Heights (N,) of slices, mm above the anterior-commissure level -> (conditional, unconditional) denoiser of them."""

CONDITIONAL_WEIGHT = 3.0
"""Weight of the conditional noise in the guided noise 3 e_con - 2 e_unc of Gong et al."""
DDIM_COUNT, DDIM_START = 50, 15
"""DDIM steps that Gong et al. divide the schedule into, and how many of them they take."""


@dataclass(frozen=True)
class Schedule:
    """Betas of a diffusion process, float64, with what follows from them. Build with :func:`linear` or :func:`cosine`.

    Attributes:
        betas: (T,) variances of the single steps.
        alphas_cumprod: (T,) share of x_0's variance left after each step, a_t.
    """

    betas: Tensor
    alphas_cumprod: Tensor

    @property
    def steps(self) -> int:
        """Number of steps, T."""
        return len(self.betas)

    @property
    def posterior_variance(self) -> Tensor:
        """Variance (T,) of q(x_{t-1} | x_t, x_0) (Ho et al., equation 7); 0 at t = 0."""
        return self.betas * (1 - self._previous()) / (1 - self.alphas_cumprod)

    def posterior_mean_weights(self) -> tuple[Tensor, Tensor]:
        """Return (T,), (T,): the weights of x_0 and of x_t in the mean of q(x_{t-1} | x_t, x_0) (Ho et al., equation 7)."""
        previous = self._previous()
        of_x0 = self.betas * previous.sqrt() / (1 - self.alphas_cumprod)
        of_xt = (1 - previous) * (1 - self.betas).sqrt() / (1 - self.alphas_cumprod)
        return of_x0, of_xt

    def _previous(self) -> Tensor:
        return torch.cat([torch.ones(1, dtype=torch.float64), self.alphas_cumprod[:-1]])


def make_schedule(name: str, steps: int) -> Schedule:
    """Make the schedule called ``name`` ("linear" or "cosine") with ``steps`` steps. ValueError for another name."""
    if name == "linear":
        return linear(steps)
    if name == "cosine":
        return cosine(steps)
    raise ValueError(f"unknown noise schedule {name!r}: expected 'linear' or 'cosine'")


def linear(steps: int = 1000) -> Schedule:
    """Make a schedule of betas from 1e-4 to 0.02 for 1000 steps; fewer steps end at the same noise (Ho et al. 2020)."""
    scale = 1000 / steps
    return _from_betas(torch.linspace(scale * 1e-4, scale * 0.02, steps, dtype=torch.float64))


def cosine(steps: int = 1000) -> Schedule:
    """Make a schedule of a_t ~ cos^2((t/T + 0.008) / 1.008 * pi/2), betas at most 0.999.

    See Nichol and Dhariwal 2021, equation 17.
    """
    times = torch.arange(steps + 1, dtype=torch.float64) / steps
    level = torch.cos((times + 0.008) / 1.008 * math.pi / 2) ** 2
    return _from_betas((1 - level[1:] / level[:-1]).clamp(max=0.999))


def _from_betas(betas: Tensor) -> Schedule:
    return Schedule(betas=betas, alphas_cumprod=torch.cumprod(1 - betas, dim=0))


def extract(values: Tensor, timesteps: Tensor) -> Tensor:
    """Look up values (T,) at steps (N,) as float32 (N, 1, 1, 1), on the device of ``timesteps``."""
    # made float32 before it moves: Apple's GPUs have no float64
    return values.float().to(timesteps.device)[timesteps][:, None, None, None]


def add_noise(schedule: Schedule, x0: Tensor, timesteps: Tensor, noise: Tensor) -> Tensor:
    """Add noise to slices: draw x_t from q(x_t | x_0) (``q_sample``; Ho et al., equation 4).

    Args:
        schedule: of the process.
        x0: (N, C, H, W) slices in -1..1.
        timesteps: (N,) integers.
        noise: standard normal, of the shape of ``x0`` or (1, C, H, W).

    Returns:
        (N, C, H, W).
    """
    level = schedule.alphas_cumprod
    return extract(level.sqrt(), timesteps) * x0 + extract((1 - level).sqrt(), timesteps) * noise


def predict_x0(schedule: Schedule, xt: Tensor, timesteps: Tensor, noise: Tensor) -> Tensor:
    """Return the x_0 (N, C, H, W) from which x_t came if its noise was ``noise``, not clipped."""
    level = schedule.alphas_cumprod
    return extract((1 / level).sqrt(), timesteps) * xt - extract((1 / level - 1).sqrt(), timesteps) * noise


def noise_from_x0(schedule: Schedule, xt: Tensor, timesteps: Tensor, x0: Tensor) -> Tensor:
    """Return the noise (N, C, H, W) that x_t has if it came from ``x0``."""
    level = schedule.alphas_cumprod
    return (extract((1 / level).sqrt(), timesteps) * xt - x0) / extract((1 / level - 1).sqrt(), timesteps)


def fixed_noise(shape: tuple[int, ...], seed: int) -> Tensor:
    """Draw standard normal noise (1, C, H, W) or any ``shape`` on the CPU, the same for the same seed on every machine."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def noise_difference(
    conditional: Network, unconditional: Network, schedule: Schedule, x: Tensor, timesteps: Tensor, noise: Tensor
) -> Tensor:
    """Compute e_con(x_t, t) - e_unc(x_t, t), the cue of Gong et al. (arXiv 2301.00409, section 2.2).

    Args:
        x: slices (N, C, H, W) in -1..1.
        timesteps: (N,) integers.
        noise: as x, or (1, C, H, W) to use one noise for all slices.

    Returns:
        (N, C, H, W), in the dtype of x.
    """
    xt = add_noise(schedule, x, timesteps, noise)
    channels = x.shape[1]
    difference = conditional(xt, timesteps)[:, :channels] - unconditional(xt, timesteps)[:, :channels]
    return difference.to(x.dtype)


def class_branches(network: nn.Module, heights: Tensor | None = None) -> tuple[Network, Network]:
    """Split a class-conditional denoiser into the two diffusion models that it is: of unshifted slices and of all slices.

    Guidance 3 e_con - 2 e_unc of Gong et al. is classifier-free guidance of scale 3 with these (Ho and Salimans 2022,
    arXiv 2207.12598), and both halves of the noise difference share their weights.

    Args:
        network: ``Denoiser`` with the classes ``NULL_CLASS`` and ``UNSHIFTED_CLASS``.
        heights: (N,) mm above the anterior-commissure level, for a network with a height condition; those of the slices
            that the branches will be called with, repeated where a call has a multiple of N slices.

    Returns:
        (conditional, unconditional), called as ``branch(x_t, t)``.
    """

    def branch(label: int) -> Network:
        def predict(xt: Tensor, timesteps: Tensor) -> Tensor:
            classes = torch.full_like(timesteps, label)
            if heights is None:
                return network(xt, timesteps, classes)
            repeated = heights.to(xt.device).repeat(len(xt) // len(heights))
            return network(xt, timesteps, classes, repeated)

        return predict

    return branch(UNSHIFTED_CLASS), branch(NULL_CLASS)


def ddim_timesteps(steps: int, count: int) -> list[int]:
    """Choose ``count`` of ``steps`` original steps at a whole stride, from 0 up: ddim_timesteps(1000, 50) is 0, 20, .. 980.

    The stride is the smallest one that gives exactly ``count`` (as in the published code of Song et al. 2020,
    arXiv 2010.02502). ValueError where there is none.
    """
    for stride in range(1, steps):
        kept = range(0, steps, stride)
        if len(kept) == count:
            return list(kept)
    raise ValueError(f"no whole stride takes {count} of {steps} steps")


def ddim_sample(
    conditional: Network,
    unconditional: Network,
    schedule: Schedule,
    xt: Tensor,
    start: int,
    count: int = DDIM_COUNT,
    conditional_weight: float = CONDITIONAL_WEIGHT,
    own_level: bool = False,
    progress: Progress | None = None,
) -> Tensor:
    """Denoise ``xt`` to pseudo-healthy slices by the last ``start`` of ``count`` DDIM steps, without new noise (eta 0).

    Each step predicts the guided noise w e_con - (w - 1) e_unc, from it x_0 clipped to -1..1, from that the noise
    again, and moves on with both (Song et al. 2020, equation 12). As Gong et al. do, ``xt`` is expected at the noise of
    DDIM step ``start`` while the first network call is given step ``start - 1``: so their checkpoints were used.

    Args:
        xt: (N, C, H, W), slices noised to original step ``ddim_timesteps(T, count)[start]``.
        start: number of DDIM steps to take.
        own_level: True to give every network call the step whose noise its input has, and to end at no noise at all.
        progress: called as ``progress(done, start)`` after each step; may raise to cancel.

    Returns:
        (N, C, H, W) in -1..1.
    """
    kept = ddim_timesteps(schedule.steps, count)
    levels = list(reversed(kept[1 : start + 1] if own_level else kept[:start]))
    channels = xt.shape[1]
    x = xt
    for done, level in enumerate(levels, start=1):
        step = torch.full((len(x),), level, device=x.device, dtype=torch.long)
        guided = conditional_weight * conditional(x, step)[:, :channels]
        if conditional_weight != 1:
            guided = guided - (conditional_weight - 1) * unconditional(x, step)[:, :channels]
        x0 = predict_x0(schedule, x, step, guided).clamp(-1, 1)
        if done == start:
            x = x0
        else:
            noise = noise_from_x0(schedule, x, step, x0)
            x = add_noise(schedule, x0, torch.full_like(step, levels[done]), noise)
        if progress is not None:
            progress(done, start)
    return x


def pseudo_healthy(
    conditional: Network,
    unconditional: Network,
    schedule: Schedule,
    x: Tensor,
    noise: Tensor,
    start: int = DDIM_START,
    count: int = DDIM_COUNT,
    conditional_weight: float = CONDITIONAL_WEIGHT,
    own_level: bool = False,
    by_difference: bool = False,
    progress: Progress | None = None,
) -> Tensor:
    """Make slices as they would look unshifted: noise to DDIM step ``start`` of ``count``, denoise with guidance.

    The target image of Gong et al. (arXiv 2301.00409, section 2.2), also what a reader is shown.

    Args:
        conditional, unconditional: denoisers of unshifted cases and of all cases.
        x: slices (N, C, H, W) in -1..1.
        noise: standard normal, as x, or (1, C, H, W) to use one noise for all slices.
        by_difference: True for the slice and what the class "unshifted" makes different, x + healthy - denoised by
            ``unconditional`` alone. What denoising takes from both, the scanner's noise and fine texture, stays in the image.
        The others as in ``ddim_sample``.

    Returns:
        (N, C, H, W) float32 in -1..1.
    """
    level = ddim_timesteps(schedule.steps, count)[start]
    xt = add_noise(schedule, x, torch.full((len(x),), level, device=x.device), noise)
    total = 2 * start if by_difference else start

    def denoise(guided: Network, weight: float, before: int) -> Tensor:
        count_steps = None if progress is None else lambda done, _: progress(before + done, total)
        return ddim_sample(guided, unconditional, schedule, xt, start, count, weight, own_level, count_steps)

    healthy = denoise(conditional, conditional_weight, 0)
    if by_difference:
        healthy = (x + healthy - denoise(unconditional, 1.0, start)).clamp(-1, 1)
    return healthy.float()
