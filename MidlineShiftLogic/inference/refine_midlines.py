"""Look again along each slice's midline with a ``StripUNet``."""

from __future__ import annotations

import torch

from MidlineShiftLogic.inference.window import two_windows


def strip_inputs(strips: torch.Tensor) -> torch.Tensor:
    """Turn strips into the input of a ``StripUNet``: brain window, wide window, and the place along the midline.

    Args:
        strips: (N, rows, columns) HU.

    Returns:
        (N, 3, rows, columns).
    """
    n, rows, columns = strips.shape
    place = torch.linspace(-1, 1, rows, device=strips.device, dtype=strips.dtype)
    return torch.cat([two_windows(strips), place[None, None, :, None].expand(n, 1, rows, columns)], 1)
