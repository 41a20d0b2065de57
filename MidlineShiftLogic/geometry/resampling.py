"""Sample images, volumes and fields between their pixels. Nothing else in the project calls ``grid_sample``.

Positions are *unit coordinates*, (x, y) or (x, y, z) with the last array axis first. -1 and 1 are the centres of the first
and the last pixel (``align_corners=True``), so that a value at a pixel's centre is that pixel's value exactly; with
``edges=True`` they are the outer edges of these pixels. The two differ by half a pixel at the image's edge: Gong et al. mix
them.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

Padding = Literal["zeros", "border"]


def sample(
    image: Tensor, positions: Tensor, *, padding: Padding = "zeros", mode: str = "bilinear", edges: bool = False
) -> Tensor:
    """Interpolate an image or a volume at unit coordinates.

    Args:
        image: (N, C, H, W), or (N, C, D, H, W) for a volume.
        positions: (N, h, w, 2) or (N, d, h, w, 3), in the dtype of ``image``.
        padding: what is outside the image: ``"zeros"``, fading in over one pixel, or the value at the ``"border"``.
        mode: ``"bilinear"``, ``"bicubic"`` (images only) or ``"nearest"``.
        edges: whether -1 and 1 are the outer edges of the image instead of the centres of its outermost pixels.

    Returns:
        (N, C, h, w) or (N, C, d, h, w).
    """
    return functional.grid_sample(image, positions, mode=mode, padding_mode=padding, align_corners=not edges)


def sample_half_grid(values: np.ndarray, points: np.ndarray, size: int) -> np.ndarray:
    """Interpolate a map on the half grid linearly; beyond the outermost nodes their values go on.

    Args:
        values: (h, w) map on every second pixel of the aligned frame (``lines.half_grid``).
        points: (..., 2) positions (x, y) in frame pixels from the frame's middle.
        size: the frame's size in pixels.

    Returns:
        (...) values.
    """
    nodes = (points / 2.0 + (size // 2 - 1) / 2)[..., ::-1]
    return ndimage.map_coordinates(values, np.moveaxis(nodes, -1, 0), order=1, mode="nearest")
