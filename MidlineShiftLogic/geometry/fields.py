"""Displacement fields on a pixel grid: (N, 2, H, W), channel 0 rows, channel 1 columns, in pixels.

A field u stands for the map p -> p + u(p). Sampling is bilinear and exact at pixel centres (``align_corners=True``).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def warp(image: Tensor, displacement: Tensor, border: bool = False) -> Tensor:
    """image(p + u(p)): (N, C, H, W) sampled bilinearly through the field (N, 2, H, W) in pixels.

    Outside the image lie zeros (fading in over one pixel), or the nearest edge value with ``border``.
    """
    rows, columns = displacement.shape[-2:]
    row = torch.arange(rows, device=displacement.device, dtype=displacement.dtype)[:, None] + displacement[:, 0]
    column = torch.arange(columns, device=displacement.device, dtype=displacement.dtype) + displacement[:, 1]
    height, width = image.shape[-2:]
    grid = torch.stack([2 * column / (width - 1) - 1, 2 * row / (height - 1) - 1], dim=-1)
    padding = "border" if border else "zeros"
    return functional.grid_sample(
        image, grid.to(image.dtype), mode="bilinear", padding_mode=padding, align_corners=True
    )


def integrate(velocity: Tensor, steps: int = 7) -> Tensor:
    """Displacement of the flow of a stationary velocity field over unit time, by scaling and squaring.

    u_0 = v / 2^steps, then ``steps`` times u <- u + u(p + u), zeros outside the grid (Arsigny et al. 2006; Dalca et al.
    2018, arXiv 1805.04605). (N, 2, H, W) pixels -> (N, 2, H, W) pixels; ``integrate(-v)`` is about its inverse.
    """
    displacement = velocity / 2**steps
    for _ in range(steps):
        displacement = displacement + warp(displacement, displacement)
    return displacement


def compose(outer: Tensor, inner: Tensor) -> Tensor:
    """Field of p -> outer(inner(p)): inner(p) + outer(p + inner(p)); beyond the edge the outer field goes on unchanged.

    ``warp(warp(image, outer), inner)`` is ``warp(image, compose(outer, inner))`` but for interpolation.
    """
    return inner + warp(outer, inner, border=True)


def invert(displacement: Tensor, iterations: int = 20) -> Tensor:
    """Field v (N, 2, H, W) in pixels with v(p) + u(p + v(p)) = 0, by fixed-point iteration (Chen et al. 2008).

    Converges where the map is one-to-one with |grad u| < 1; the error left is that of bilinear interpolation.
    """
    inverse = torch.zeros_like(displacement)
    for _ in range(iterations):
        inverse = -warp(displacement, inverse, border=True)
    return inverse
