"""Displacement fields on a pixel grid: (N, 2, H, W), channel 0 rows, channel 1 columns, in pixels.

A field u stands for the map p -> p + u(p). Sampling is bilinear and exact at pixel centres.
"""

from __future__ import annotations

import torch
from torch import Tensor

from MidlineShiftLogic.geometry.inversion import invert_displacement
from MidlineShiftLogic.geometry.resampling import sample


def warp(image: Tensor, displacement: Tensor, border: bool = False) -> Tensor:
    """Sample an image through a field: image(p + u(p)).

    Args:
        image: (N, C, H, W).
        displacement: (N, 2, h, w) in pixels of ``image``.
        border: repeat the edge's values outside the image; else there are zeros, fading in over one pixel.

    Returns:
        (N, C, h, w).
    """
    rows, columns = displacement.shape[-2:]
    row = torch.arange(rows, device=displacement.device, dtype=displacement.dtype)[:, None] + displacement[:, 0]
    column = torch.arange(columns, device=displacement.device, dtype=displacement.dtype) + displacement[:, 1]
    height, width = image.shape[-2:]
    positions = torch.stack([2 * column / (width - 1) - 1, 2 * row / (height - 1) - 1], dim=-1)
    return sample(image, positions.to(image.dtype), padding="border" if border else "zeros")


def integrate(velocity: Tensor, steps: int = 7) -> Tensor:
    """Integrate a stationary velocity field over unit time by scaling and squaring.

    u_0 = v / 2^steps, then ``steps`` times u <- u + u(p + u), zeros outside the grid (Arsigny et al. 2006; Dalca et al.
    2018, arXiv 1805.04605). ``integrate(-v)`` is about the inverse.

    Args:
        velocity: (N, 2, H, W) pixels per unit time.
        steps: squarings; Gong et al. take 7.

    Returns:
        (N, 2, H, W) displacement in pixels.
    """
    displacement = velocity / 2**steps
    for _ in range(steps):
        displacement = displacement + warp(displacement, displacement)
    return displacement


def invert(displacement: Tensor, iterations: int = 20) -> Tensor:
    """Invert a field: find v with v(p) + u(p + v(p)) = 0 (``inversion.invert_displacement``).

    Args:
        displacement: (N, 2, H, W) pixels; |grad u| < 1.
        iterations: of the fixed-point iteration.

    Returns:
        (N, 2, H, W) pixels.
    """
    return invert_displacement(
        lambda inverse, members: warp(displacement[members], inverse, border=True),
        torch.zeros_like(displacement),
        iterations=iterations,
    )
