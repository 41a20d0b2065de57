"""Define the network of a slice: a velocity field of three flow heads, the falx attachments, and where the slice is.

It keeps the idea of Gong et al. (IPMI 2023) - a U-Net whose velocity field is the sum of a fine, a middle and a coarse
flow head, integrated to a diffeomorphic displacement - and adds what their network does not give: the two falx
attachments (so that a line can be drawn), signed-distance maps to the ideal and the deformed midline, the inside of
the skull, the height of the slice in the head, and whether the slice can be measured at all.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from MidlineShiftLogic.geometry.fields import integrate
from MidlineShiftLogic.networks.blocks import ConvBlock, ResidualBlock

IDEAL_SCALE_PX, DEFORMED_SCALE_PX, HEIGHT_SCALE_MM = 30.0, 10.0, 20.0
"""Outputs of the dense heads are of order one; these factors bring them to pixels of the input grid, and to mm."""


@dataclass
class SlicePrediction:
    """Raw outputs for a batch, lengths in pixels of the input grid (H x W); maps are on the half grid (h = H / 2).

    Attributes:
        displacement: (N, 2, h, w) displacement u, rows and columns; None without flow heads.
        inverse: (N, 2, h, w) its inverse; None without flow heads.
        ideal: (N, h, w) signed distance to the ideal midline, positive on the patient's left of it.
        deformed: (N, h, w) signed distance to the deformed midline.
        inside: (N, h, w) logit of being inside the skull.
        attachments: (N, 2, h, w) logits of the anterior and the posterior falx attachment.
        measurable: (N,) logit that the falx can be seen from end to end and the slice be measured.
        height: (N,) mm above the anterior-commissure level of the template.
    """

    displacement: torch.Tensor | None
    inverse: torch.Tensor | None
    ideal: torch.Tensor
    deformed: torch.Tensor
    inside: torch.Tensor
    attachments: torch.Tensor
    measurable: torch.Tensor
    height: torch.Tensor


class MidlineUNet(nn.Module):
    """U-Net with a wide bottleneck, dense heads on the half grid and, optionally, three flow heads.

    Args:
        in_channels: input channels (brain window, wide window, optionally the noise difference).
        features: channels at 1/2, 1/4, ... of the input grid.
        flow: whether to build the flow heads (the pose network needs none).
        integration_steps: scaling-and-squaring steps.
        upsampling: how many times finer the input is sampled than the grid in whose pixels the outputs are. Its blocks
            of upsampling x upsampling points become channels, so detail of the falx and the septum reaches the first
            convolution at hardly any cost.
    """

    def __init__(
        self,
        in_channels: int = 2,
        features: tuple[int, ...] = (16, 32, 64, 112, 160),
        flow: bool = True,
        integration_steps: int = 6,
        upsampling: int = 1,
    ):
        super().__init__()
        features = tuple(features)
        self.config = {
            "in_channels": in_channels,
            "features": list(features),
            "flow": flow,
            "integration_steps": integration_steps,
        }
        if upsampling != 1:  # models of before this setting have no such entry
            self.config["upsampling"] = upsampling
        self.integration_steps = integration_steps
        self.upsampling = upsampling
        self.stem = ConvBlock(in_channels * upsampling**2, features[0], stride=2, kernel=5)
        self.down = nn.ModuleList(
            nn.Sequential(ConvBlock(a, b, stride=2), ResidualBlock(b)) for a, b in itertools.pairwise(features)
        )
        deepest = features[-1]
        self.context = nn.Sequential(ConvBlock(deepest, deepest), ConvBlock(deepest, deepest))
        pairs = list(zip(features[::-1], features[::-1][1:], strict=False))
        self.lateral = nn.ModuleList(ConvBlock(a, b, kernel=1) for a, b in pairs)
        self.up = nn.ModuleList(ConvBlock(2 * b, b) for _, b in pairs)
        self.last = ResidualBlock(features[0])
        self.dense = nn.Conv2d(features[0], 5, 1)
        self.summary = nn.Sequential(nn.Linear(features[-1] + features[-2], 64), nn.ReLU(), nn.Linear(64, 2))
        # Heads at 1/2, 1/4 and 1/16 of the input grid: decoder stages of those sizes, counted from the finest.
        self.flow_stages = (0, 1, 3) if flow else ()
        self.flow = nn.ModuleList(nn.Conv2d(features[stage], 2, 3, padding=1) for stage in self.flow_stages)
        for head in self.flow:  # start at the identity, as registration networks do
            nn.init.normal_(head.weight, std=1e-3)
            nn.init.zeros_(head.bias)

    def forward(self, x: torch.Tensor) -> SlicePrediction:
        """Predict on slices.

        Args:
            x: (N, in_channels, upsampling H, upsampling W) with H and W divisible by 32.

        Returns:
            Outputs for slices of H x W.
        """
        x = self.stem(F.pixel_unshuffle(x, self.upsampling))
        skips = [x]
        for stage in self.down:
            x = stage(x)
            skips.append(x)
        x = x + self.context(x)
        summary = self.summary(torch.cat([x.mean((2, 3)), skips[-2].amax((2, 3))], 1)).float()
        stages = {len(skips) - 1: x}
        for level, (lateral, up) in enumerate(zip(self.lateral, self.up, strict=True)):
            skip = skips[-2 - level]
            x = F.interpolate(lateral(x), size=skip.shape[2:], mode="bilinear", align_corners=False)
            x = up(torch.cat([x, skip], 1))
            stages[len(skips) - 2 - level] = x
        dense = self.dense(self.last(x)).float()
        displacement = inverse = None
        if self.flow_stages:
            size = dense.shape[2:]
            velocity = sum(
                F.interpolate(head(stages[stage]).float(), size=size, mode="bilinear", align_corners=False)
                for stage, head in zip(self.flow_stages, self.flow, strict=True)
            )
            # the field is integrated in half-grid pixels, and given in input-grid pixels
            with torch.autocast(x.device.type, enabled=False):
                displacement = 2.0 * integrate(velocity, self.integration_steps)
                inverse = 2.0 * integrate(-velocity, self.integration_steps)
        return SlicePrediction(
            displacement=displacement,
            inverse=inverse,
            ideal=dense[:, 0] * IDEAL_SCALE_PX,
            deformed=dense[:, 1] * DEFORMED_SCALE_PX,
            inside=dense[:, 2],
            attachments=dense[:, 3:5],
            measurable=summary[:, 0],
            height=summary[:, 1] * HEIGHT_SCALE_MM,
        )
