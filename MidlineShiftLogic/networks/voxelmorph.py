"""Define the deformation network of Gong et al.: a small VoxelMorph U-Net whose velocity is the sum of three heads."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

_SLOPE = 0.2
_FLOW_SD = 1e-5


class DeformationNet(nn.Module):
    """Stationary velocity field in pixels from a slice and the noise difference of the two diffusion models.

    U-Net after Balakrishnan et al. 2019 (VoxelMorph, arXiv 1809.05231): max-pooling down, nearest up, LeakyReLU 0.2.
    The velocity is the sum of heads at full, 1/4 and 1/16 resolution (Gong et al., arXiv 2301.00409), the coarse ones
    up-sampled bilinearly; values are pixels of the full grid at every head.

    Args:
        in_channels: channels of the input (slice, noise difference).
        encoder: four widths, finest first.
        decoder: four widths on the way up, then three at full resolution.

    ``config`` holds exactly these arguments and rebuilds the network: ``DeformationNet(**network.config)``.
    """

    def __init__(
        self,
        in_channels: int = 2,
        encoder: Sequence[int] = (16, 32, 32, 32),
        decoder: Sequence[int] = (32, 32, 32, 32, 32, 16, 16),
    ):
        super().__init__()
        if len(encoder) != 4 or len(decoder) != 7:
            raise ValueError("the deformation network has 4 encoder and 7 decoder widths")
        self.config: dict[str, Any] = {
            "in_channels": in_channels,
            "encoder": list(encoder),
            "decoder": list(decoder),
        }
        down = [in_channels, *encoder]
        self.encoder = nn.ModuleList(_conv(a, b) for a, b in pairwise(down))
        skips = [*reversed(encoder)]
        up = [encoder[-1], *(a + b for a, b in zip(decoder[:3], skips, strict=False))]
        self.decoder = nn.ModuleList(_conv(a, b) for a, b in zip(up, decoder[:4], strict=True))
        final = [decoder[3] + encoder[0], *decoder[4:]]
        self.final = nn.ModuleList(_conv(a, b) for a, b in pairwise(final))
        self.flow = _conv(decoder[-1], 2)
        self.flow_sixteenth = nn.ModuleList(_conv(a, b) for a, b in ((decoder[0], 16), (16, 8), (8, 4), (4, 2)))
        self.flow_quarter = nn.ModuleList(_conv(a, b) for a, b in ((decoder[2], 16), (16, 8), (8, 2)))
        for head in (self.flow, self.flow_sixteenth[-1], self.flow_quarter[-1]):  # start at the identity
            nn.init.normal_(head.weight, 0, _FLOW_SD)
            nn.init.zeros_(head.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Predict the velocity (N, 2, H, W), rows then columns in pixels, of (N, in_channels, H, W); 16 divides H and W."""
        size = x.shape[-2:]
        skips = []
        for layer in self.encoder:
            x = _active(layer, x)
            skips.append(x)
            x = functional.max_pool2d(x, 2)
        coarse = []
        for layer in self.decoder:
            x = _active(layer, x)
            coarse.append(x)
            x = torch.cat([functional.interpolate(x, scale_factor=2, mode="nearest"), skips.pop()], dim=1)
        for layer in self.final:
            x = _active(layer, x)
        velocity = self.flow(x)
        for head, features in ((self.flow_sixteenth, coarse[0]), (self.flow_quarter, coarse[2])):
            velocity = velocity + _upsampled(_head(head, features), size)
        return velocity


def _conv(width_in: int, width_out: int) -> nn.Conv2d:
    return nn.Conv2d(width_in, width_out, 3, padding=1)


def _active(layer: nn.Module, x: Tensor) -> Tensor:
    return functional.leaky_relu(layer(x), _SLOPE)


def _head(layers: nn.ModuleList, x: Tensor) -> Tensor:
    for layer in layers[:-1]:
        x = _active(layer, x)
    return layers[-1](x)


def _upsampled(velocity: Tensor, size: torch.Size) -> Tensor:
    return functional.interpolate(velocity, size=size, mode="bilinear", align_corners=False)
