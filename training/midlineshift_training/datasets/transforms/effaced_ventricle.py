"""One lateral ventricle emptied, with the midline where it was: what a mass beside it does.

A mass presses the fluid out of the ventricle on its own side first. The septum is then no line between two dark areas but the
edge of one, and a network that looks for the middle of the fluid follows the wrong place. Few annotated scans show this;
drawn into strips of real scans, it is seen on real texture.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from MidlineShiftLogic.geometry.midline_strip import StripGrid

FLUID_HU, FLUID_EDGE_HU = 18.0, 3.0
"""Smoothed value below which a place is fluid, and how soft that limit is: liquor 0 to 15, white matter from 22."""
AIR_HU = -40.0
"""Below this nothing is filled: air, and what is outside of the head."""
TISSUE_HU = (20.0, 45.0)
"""Values that count as brain for the value that fluid is replaced by."""
FALLBACK_HU = 30.0
"""Of a strip that shows no brain at all; nothing of it is used."""
SEPTUM_MM = 0.8
"""Half of the septum's thickness, which stays as it is."""
LEAST_FILLED = 0.6
"""Least part of the difference to brain that is filled in; up to all of it."""
SMOOTHING_MM = 2.2
"""Width of the mean that tells fluid from noise; the noise itself stays."""


def efface(
    strips: torch.Tensor, midline_mm: torch.Tensor, grid: StripGrid, share: float, g: torch.Generator
) -> torch.Tensor:
    """Fill the fluid on one side of the midline with brain, in a part of the strips.

    Args:
        strips: (B, row_samples * rows, columns) HU.
        midline_mm: (B, rows) frame mm from the strip's middle to the true midline.
        grid: rows and columns.
        share: part of the strips, half of them on each side.
        g: source of every random number.

    Returns:
        Strips of the same shape.
    """
    count, rows = strips.shape[:2]
    chosen = torch.rand(count, generator=g) < share
    side = 1 - 2 * (torch.rand(count, generator=g) < 0.5).float()
    amount = LEAST_FILLED + (1 - LEAST_FILLED) * torch.rand(count, generator=g)
    if not chosen.any():
        return strips
    width = 2 * round(SMOOTHING_MM / grid.column_mm / 2) + 1
    smoothed = F.avg_pool2d(strips[:, None], width, 1, width // 2, count_include_pad=False)[:, 0]
    brain = ((smoothed > TISSUE_HU[0]) & (smoothed < TISSUE_HU[1])).float()
    tissue = (smoothed * brain).sum((1, 2)) / brain.sum((1, 2)).clamp(min=1)
    tissue = torch.where(brain.sum((1, 2)) > 0, tissue, FALLBACK_HU)[:, None, None]
    midline = F.interpolate(midline_mm[:, None], size=rows, mode="linear", align_corners=True)[:, 0]
    beside = (grid.across_mm - midline[..., None]) * side[:, None, None]
    where = torch.sigmoid((beside - SEPTUM_MM) / (grid.column_mm / 2))
    fluid = torch.sigmoid((FLUID_HU - smoothed) / FLUID_EDGE_HU) * (smoothed > AIR_HU)
    part = where * fluid * (amount * chosen)[:, None, None]
    return strips + part * (tissue - smoothed)
