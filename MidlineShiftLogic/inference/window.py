"""Window Hounsfield units for the networks."""

from __future__ import annotations

import torch

BRAIN_WINDOW_HU = (0.0, 80.0)
"""Brain, blood and liquor (Gong et al.)."""
WIDE_WINDOW_HU = (-300.0, 900.0)
"""Bone, scalp and air: what shows the skull and therefore where the falx is attached."""


def window(hu: torch.Tensor, limits: tuple[float, float]) -> torch.Tensor:
    """Scale ``limits`` linearly to -1..1 and clip (Gong et al. use 0..80 HU). Any shape."""
    low, high = limits
    return ((hu - low) * (2.0 / (high - low)) - 1.0).clamp(-1.0, 1.0)


def unwindow(x: torch.Tensor, limits: tuple[float, float]) -> torch.Tensor:
    """Turn -1..1 back into HU within ``limits``: the inverse of ``window``, but for the clipping. Any shape."""
    low, high = limits
    return low + (x + 1.0) * ((high - low) / 2.0)


def two_windows(hu: torch.Tensor) -> torch.Tensor:
    """Window slices (N, H, W) HU twice, to (N, 2, H, W): brain window, wide window."""
    return torch.stack([window(hu, BRAIN_WINDOW_HU), window(hu, WIDE_WINDOW_HU)], dim=1)
