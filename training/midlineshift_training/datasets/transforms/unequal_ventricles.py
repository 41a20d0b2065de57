"""One half of the brain's middle wider than the other, with the midline where it was: ventricles are seldom equal.

Where one lateral ventricle is much the larger, the middle of the fluid is not the septum. Phantoms vary their ventricles
themselves; this is for slices of real scans as well. All lengths are frame millimetres.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

STRENGTH = (-0.9, 0.6)
"""Least and largest relative pull; at 0.7 tissue would fold. A ventricle becomes up to two thirds wider, or half as wide."""
REACH_MM = (16.0, 30.0)
"""Least and most distance from the midline at which the pull has nearly gone: inside the brain, the skull stays."""
SPARED_MM = 3.0
"""The septum itself, so far to each side, keeps its width, so that its middle does not move."""
CENTRE = (0.25, 0.55)
"""Least and largest fraction of the falx at which the pull is strongest: frontal horn to cella media."""
EXTENT = (0.10, 0.30)
"""Least and largest spread along the falx, a fraction of it."""


@dataclass(frozen=True)
class Widening:
    """Drawn widening of B slices.

    Attributes:
        strength: (B,) positive: wider; negative: narrower; 0: none. side: (B,) 1 on the side that the line's normal points
            to, -1 on the other. reach: (B,) mm. centre, extent: (B,) fractions of the falx.
    """

    strength: torch.Tensor
    side: torch.Tensor
    reach: torch.Tensor
    centre: torch.Tensor
    extent: torch.Tensor


def draw_widening(count: int, share: float, g: torch.Generator) -> Widening:
    """Draw the widening of ``count`` slices, of which the part ``share`` gets any."""

    def uniform(low: float, high: float) -> torch.Tensor:
        return low + (high - low) * torch.rand(count, generator=g)

    chosen = (uniform(0, 1) < share).float()
    side = 1 - 2 * (uniform(0, 1) < 0.5).float()
    return Widening(uniform(*STRENGTH) * chosen, side, uniform(*REACH_MM), uniform(*CENTRE), uniform(*EXTENT))


def pull(beside: torch.Tensor, along: torch.Tensor, widening: Widening) -> torch.Tensor:
    """Return how far toward the midline tissue is looked up, along the line's normal.

    Args:
        beside: (B, h, w) signed distance from the slice's own midline, mm, positive where the normal points to.
        along: (B, h, w) fraction of the falx.

    Returns:
        (B, h, w) mm to subtract along the normal; 0 on the midline, beyond the reach and on the other side.
    """
    strength, side, reach, centre, extent = (
        getattr(widening, name)[:, None, None] for name in ("strength", "side", "reach", "centre", "extent")
    )
    chosen = (beside * side > 0).float()
    across = beside * (1 - torch.exp(-((beside / SPARED_MM) ** 2))) * torch.exp(-((beside / reach) ** 2))
    return strength * chosen * across * torch.exp(-(((along - centre) / extent) ** 2))
