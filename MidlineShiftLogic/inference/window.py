"""Hounsfield units to network input."""

from __future__ import annotations

import torch

BRAIN_WINDOW_HU = (0.0, 80.0)
# Bone, scalp and air: what shows the skull and therefore where the falx is attached.
WIDE_WINDOW_HU = (-300.0, 900.0)


def window(hu: torch.Tensor, limits: tuple[float, float]) -> torch.Tensor:
    """Scale ``limits`` linearly to -1..1 and clip (Gong et al. use 0..80 HU). Any shape."""
    low, high = limits
    return ((hu - low) * (2.0 / (high - low)) - 1.0).clamp(-1.0, 1.0)


def unwindow(x: torch.Tensor, limits: tuple[float, float]) -> torch.Tensor:
    """-1..1 -> HU within ``limits``: what ``window`` did, but for the clipping. Any shape."""
    low, high = limits
    return low + (x + 1.0) * ((high - low) / 2.0)


def two_windows(hu: torch.Tensor) -> torch.Tensor:
    """(N, H, W) HU -> (N, 2, H, W): brain window, wide window."""
    return torch.stack([window(hu, BRAIN_WINDOW_HU), window(hu, WIDE_WINDOW_HU)], dim=1)
