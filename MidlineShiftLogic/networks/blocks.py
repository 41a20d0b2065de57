"""Convolution blocks of the U-Nets that measure."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class ConvBlock(nn.Sequential):
    """Convolution, batch normalisation and ReLU.

    Args:
        inputs, outputs: channels. stride: one number, or one for rows and one for columns. kernel: its odd width.
    """

    def __init__(self, inputs: int, outputs: int, stride: int | tuple[int, int] = 1, kernel: int = 3):
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class ResidualBlock(nn.Module):
    """Two convolutions that are added to what they are given.

    Args:
        channels: in and out.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.first = ConvBlock(channels, channels)
        self.second = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (N, channels, H, W) for x of the same shape."""
        return F.relu(x + self.norm(self.second(self.first(x))), inplace=True)
