"""Define the network that looks again along a midline: a U-Net on the slice straightened about it.

Of every row of the strip it predicts where across the row the midline is. The first network sees a whole slice and gives
its maps on 3.6 mm; a strip shows a few centimetres around the first midline at less than a millimetre.
"""

from __future__ import annotations

from dataclasses import asdict
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from MidlineShiftLogic.geometry.midline_strip import StripGrid
from MidlineShiftLogic.networks.blocks import ConvBlock, ResidualBlock


class StripUNet(nn.Module):
    """U-Net on strips along a midline.

    Args:
        features: channels at the strip's full width, at 1/2, 1/4, ...
        grid: fields of ``StripGrid``; the defaults where not given.
    """

    IN_CHANNELS = 3
    """Brain window, wide window, and the place along the midline."""

    def __init__(self, features: tuple[int, ...] = (16, 32, 64, 96, 128), grid: dict | None = None):
        super().__init__()
        features = tuple(features)
        self.grid = StripGrid(**(grid or {}))
        self.config = {"features": list(features), "grid": asdict(self.grid)}
        first = features[0]
        self.stem = nn.Sequential(
            ConvBlock(self.IN_CHANNELS, first, stride=(self.grid.row_samples, 1), kernel=5), ResidualBlock(first)
        )
        self.down = nn.ModuleList(
            nn.Sequential(ConvBlock(a, b, stride=2), ResidualBlock(b)) for a, b in pairwise(features)
        )
        pairs = list(pairwise(features[::-1]))
        self.lateral = nn.ModuleList(nn.Conv2d(a, b, 1, bias=False) for a, b in pairs)
        self.up = nn.ModuleList(ConvBlock(2 * b, b) for _, b in pairs)
        self.last = ResidualBlock(first)
        self.out = nn.Conv2d(first, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Predict where the midline is in every row.

        Args:
            x: (N, 3, row_samples * rows, columns) made by ``strip_inputs``; rows and columns divisible by
                2 ** (number of features - 1).

        Returns:
            (N, rows, columns) logits over the columns of each row.
        """
        x = self.stem(x)
        skips = [x]
        for stage in self.down:
            x = stage(x)
            skips.append(x)
        for lateral, up, skip in zip(self.lateral, self.up, skips[-2::-1], strict=True):
            x = F.interpolate(lateral(x), size=skip.shape[2:], mode="bilinear", align_corners=False)
            x = up(torch.cat([x, skip], 1))
        return self.out(self.last(x))[:, 0].float()
