"""Smooth in-plane warps of known size: the midline bent further, the falx attachments carried sideways.

All lengths are frame millimetres. ``n`` is the unit normal of the line from the anterior to the posterior attachment.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from midlineshift_training.datasets.transforms.frame_variation import FrameVariation

SMALL_BEND_MM = 4.0
"""Spread of the amplitudes in one half of the bent slices; in the other they are uniform up to ``bend_mm``."""
BEND_TOP = (0.33, 0.22)
"""Least fraction of the falx at which the bend is largest, and by how much it may exceed that."""
BEND_POWER = 4.0
"""Largest excess of the exponent over 1; at 5 the septum gives way alone while the falx before and behind it stays."""
BEND_HALF_WIDTH_MM = (45.0, 30.0)
"""Least distance from the midline at which the bend has faded, and by how much it may exceed that."""
ATTACHMENT_REACH_MM = ((16.0, 32.0), (18.0, 46.0))
"""Least and most reach along the falx of an anterior and of a posterior attachment that is carried sideways: a skull that
bulges at the back carries half the falx along."""
ATTACHMENT_ACROSS_MM = 24.0
LINE_FADE_MM = 90.0
"""Distance from the ideal midline at which the unshifted head no longer follows it."""


@dataclass(frozen=True)
class WarpParameters:
    """Drawn size and shape of the warps of B slices.

    Attributes:
        amplitude: (B,) of the bend, signed. top: (B,) fraction of the falx where it is largest. power, half_width: (B,).
        amounts: (B, 2) by which the anterior and the posterior attachment are carried along ``n``.
        reach: (B, 2) along the falx.
    """

    amplitude: torch.Tensor
    top: torch.Tensor
    power: torch.Tensor
    half_width: torch.Tensor
    amounts: torch.Tensor
    reach: torch.Tensor


def draw_warps(count: int, variation: FrameVariation, g: torch.Generator) -> WarpParameters:
    """Draw the warps of ``count`` slices."""
    uniform = lambda *shape: torch.rand(*shape, generator=g)  # noqa: E731
    bent = (uniform(count) < variation.bend).float()
    large = uniform(count) < 0.5
    amplitude = torch.where(
        large, (uniform(count) * 2 - 1) * variation.bend_mm, torch.randn(count, generator=g) * SMALL_BEND_MM
    )
    top = BEND_TOP[0] + BEND_TOP[1] * uniform(count)
    power = 1 + BEND_POWER * uniform(count) ** 1.5
    half_width = BEND_HALF_WIDTH_MM[0] + BEND_HALF_WIDTH_MM[1] * uniform(count)
    amounts = torch.randn(count, 2, generator=g) * variation.asymmetric_mm
    amounts = amounts * (uniform(count, 1) < variation.asymmetric)
    least, most = torch.tensor(ATTACHMENT_REACH_MM).T
    reach = least + (most - least) * uniform(count, 2)
    return WarpParameters(amplitude * bent, top, power, half_width, amounts, reach)


def line_axes(anterior: torch.Tensor, posterior: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return unit direction (B, 2), unit normal (B, 2) and length (B,) between ends (B, 2)."""
    d = posterior - anterior
    length = d.norm(dim=-1).clamp(min=1)
    u = d / length[:, None]
    return u, torch.stack([u[:, 1], -u[:, 0]], -1), length


def line_coordinates(
    points: torch.Tensor, anterior: torch.Tensor, posterior: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the signed distance (B, h, w) of points from the line through both ends, and how far along it they lie.

    Args:
        points: (B, h, w, 2). anterior, posterior: (B, 2).

    Returns:
        Distance along ``n``; fraction of the line, 0 at the anterior end.
    """
    u, n, length = line_axes(anterior, posterior)
    q = points - anterior[:, None, None]
    along = torch.einsum("bhwi,bi->bhw", q, u) / length[:, None, None]
    return torch.einsum("bhwi,bi->bhw", q, n), along


def bend(points: torch.Tensor, anterior: torch.Tensor, posterior: torch.Tensor, warp: WarpParameters) -> torch.Tensor:
    """Return how far along ``n`` tissue is pushed: a hump along the midline that fades to the sides.

    Args:
        points: (B, h, w, 2). anterior, posterior: (B, 2).

    Returns:
        (B, h, w).
    """
    across, along = line_coordinates(points, anterior, posterior)
    exponent = math.log(0.5) / torch.log(warp.top)
    hump = torch.sin(math.pi * along.clamp(0, 1) ** exponent[:, None, None]).clamp(min=0)
    fade = torch.cos((across / warp.half_width[:, None, None]).clamp(-1, 1) * math.pi / 2) ** 2
    return warp.amplitude[:, None, None] * hump ** warp.power[:, None, None] * fade


@dataclass(frozen=True)
class CarriedAttachments:
    """Falx attachments carried sideways: tissue at p came from p - ``warp`` n, and the ideal line moved by ``line``.

    Attributes:
        warp: (B, h, w) along n. line: (B, h, w) sideways move of the ideal line at that place along it, fading far from
            it. anterior, posterior: (B, 2) the carried attachments.
    """

    warp: torch.Tensor
    line: torch.Tensor
    anterior: torch.Tensor
    posterior: torch.Tensor


def carry_attachments(
    points: torch.Tensor, anterior: torch.Tensor, posterior: torch.Tensor, warp: WarpParameters, loose: torch.Tensor
) -> CarriedAttachments:
    """Carry the attachments by ``warp.amounts`` along the line's normal.

    Args:
        points: (B, h, w, 2). anterior, posterior: (B, 2). loose: (B, h, w) share of the warp at each place.
    """
    u, n, length = line_axes(anterior, posterior)
    q = points - anterior[:, None, None]
    along, across = torch.einsum("bhwi,bi->bhw", q, u), torch.einsum("bhwi,bi->bhw", q, n)
    moved = torch.zeros_like(along)
    ends = []
    for end in range(2):
        amount, place = warp.amounts[:, end, None, None], along - end * length[:, None, None]
        # centred on the carried attachment, so that it moves by the whole amount
        lateral = (across - amount) / ATTACHMENT_ACROSS_MM
        moved = moved + loose * amount * torch.exp(-((place / warp.reach[:, end, None, None]) ** 2) - lateral**2)
        ends.append((anterior, posterior)[end] + warp.amounts[:, end, None] * n)
    fraction = along / length[:, None, None]
    line = warp.amounts[:, 0, None, None] * (1 - fraction) + warp.amounts[:, 1, None, None] * fraction
    fade = torch.cos((across / LINE_FADE_MM).clamp(-1, 1) * math.pi / 2) ** 2
    return CarriedAttachments(moved, line * fade, *ends)


def loose_tissue(inside: torch.Tensor, chance: torch.Tensor) -> torch.Tensor:
    """Return where a carried attachment takes tissue along: everywhere, or within the skull only.

    In the second case the falx slides along the inner table, whose shape then does not show where it is attached.

    Args:
        inside: (B, 1, h, w) inside of the skull. chance: (B,) 0..1; below one half: everywhere.
    """
    # to a little beyond the inner table, so that the falx does not bend back before it
    reached = F.avg_pool2d(F.max_pool2d(inside, 3, 1, 1), 3, 1, 1)
    return torch.where(chance[:, None, None, None] < 0.5, torch.ones_like(reached), reached)
