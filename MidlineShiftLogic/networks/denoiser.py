"""Define the denoising U-Net of the two diffusion models, after ADM (Dhariwal and Nichol 2021, arXiv 2105.05233, appendix A).

The published checkpoints of Gong et al. (arXiv 2301.00409) are this network at 256 px; our own are smaller ones. One of
them may stand for both diffusion models: with a class condition it is trained as both at once (Ho and Salimans 2022,
arXiv 2207.12598).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from MidlineShiftLogic.networks.group_norm import GroupNorm

_LONGEST_PERIOD = 10000.0

NULL_CLASS, UNSHIFTED_CLASS = 0, 1
"""Classes of a class-conditional denoiser: any slice, and slices of unshifted heads."""
CLASSES = 2

# Heights are put on the sinusoids of the noise levels: from the skull base up, in tenths of a millimetre.
_HEIGHT_RANGE_MM = (-40.0, 80.0)
_HEIGHT_ORIGIN_MM = -50.0
_HEIGHT_STEPS_PER_MM = 10.0


class Denoiser(nn.Module):
    """ADM U-Net: residual blocks with scale-shift norm, residual up- and down-sampling, attention at coarse levels.

    Defaults are the size published by Gong et al. (138.3 M parameters). With ``out_channels`` twice ``in_channels`` the
    first half of the output is the predicted noise and the second half interpolates the log-variance (learned range,
    Nichol and Dhariwal 2021, arXiv 2102.09672, equation 15).

    Args:
        image_size: side in px of the grid it is meant for; decides at which levels ``attention_resolutions`` are.
            Other sizes work as long as they divide by ``2 ** (levels - 1)``.
        in_channels, out_channels: channels of the slice and of the output.
        base_channels: channels of the finest level, a multiple of 32 (the group norms have 32 groups).
        channel_multipliers: one a level, finest first.
        residual_blocks: residual blocks a level on the way down (one more on the way up).
        attention_resolutions: sides in px of the levels that get self-attention.
        head_channels: channels of an attention head.
        num_classes: number of classes of an optional class condition, or None.
        dropout: probability inside the residual blocks, in training only.
        folding: blocks of so many pixels a side become channels before the first layer and pixels again after the last
            (pixel unshuffle, Shi et al. 2016, arXiv 1609.05158): a fourth of the arithmetic at 2. ``image_size`` counts
            pixels before folding, the levels' sides are those after it.
        height_condition: True for a network that is also given each slice's height in the head.

    ``config`` holds exactly these arguments and rebuilds the network: ``Denoiser(**network.config)``.
    """

    def __init__(
        self,
        image_size: int = 256,
        in_channels: int = 1,
        out_channels: int = 2,
        base_channels: int = 128,
        channel_multipliers: Sequence[int] = (1, 1, 2, 2, 4, 4),
        residual_blocks: int = 2,
        attention_resolutions: Sequence[int] = (32, 16, 8),
        head_channels: int = 64,
        num_classes: int | None = None,
        dropout: float = 0.0,
        folding: int = 1,
        height_condition: bool = False,
    ):
        super().__init__()
        self.config: dict[str, Any] = {
            "image_size": image_size,
            "in_channels": in_channels,
            "out_channels": out_channels,
            "base_channels": base_channels,
            "channel_multipliers": list(channel_multipliers),
            "residual_blocks": residual_blocks,
            "attention_resolutions": list(attention_resolutions),
            "head_channels": head_channels,
            "num_classes": num_classes,
            "dropout": dropout,
        }
        # left out where they change nothing, so that configurations of before stay as they were
        if folding != 1:
            self.config["folding"] = folding
        if height_condition:
            self.config["height_condition"] = True
        self.base_channels, self.folding = base_channels, folding
        embedding = 4 * base_channels
        widths = [base_channels * multiplier for multiplier in channel_multipliers]

        def residual(width_in: int, width_out: int, resample: str | None = None) -> ResidualBlock:
            return ResidualBlock(width_in, width_out, embedding, resample, dropout)

        def has_attention(level: int) -> bool:
            return image_size // folding // 2**level in attention_resolutions

        self.time_embedding = nn.Sequential(
            nn.Linear(base_channels, embedding), nn.SiLU(), nn.Linear(embedding, embedding)
        )
        if num_classes is not None:
            self.class_embedding = nn.Embedding(num_classes, embedding)
        if height_condition:
            self.height_embedding = nn.Sequential(
                nn.Linear(base_channels, embedding), nn.SiLU(), nn.Linear(embedding, embedding)
            )

        width = widths[0]
        self.encoder = nn.ModuleList([nn.ModuleList([nn.Conv2d(in_channels * folding**2, width, 3, padding=1)])])
        skips = [width]
        for level, level_width in enumerate(widths):
            for _ in range(residual_blocks):
                stage = nn.ModuleList([residual(width, level_width)])
                width = level_width
                if has_attention(level):
                    stage.append(SelfAttention(width, head_channels))
                self.encoder.append(stage)
                skips.append(width)
            if level < len(widths) - 1:
                self.encoder.append(nn.ModuleList([residual(width, width, "down")]))
                skips.append(width)

        self.middle = nn.ModuleList(
            [residual(width, width), SelfAttention(width, head_channels), residual(width, width)]
        )

        self.decoder = nn.ModuleList()
        for level in reversed(range(len(widths))):
            for block in range(residual_blocks + 1):
                stage = nn.ModuleList([residual(width + skips.pop(), widths[level])])
                width = widths[level]
                if has_attention(level):
                    stage.append(SelfAttention(width, head_channels))
                if level > 0 and block == residual_blocks:
                    stage.append(residual(width, width, "up"))
                self.decoder.append(stage)

        self.out_norm = GroupNorm(width)
        self.out_conv = _zeroed(nn.Conv2d(width, out_channels * folding**2, 3, padding=1))

    def forward(
        self, x: Tensor, timesteps: Tensor, classes: Tensor | None = None, heights: Tensor | None = None
    ) -> Tensor:
        """Predict the noise of noised slices.

        Args:
            x: (N, in_channels, H, W) noised slices. timesteps: (N,) integer steps.
            classes: (N,) integers, given exactly when the network has a class condition.
            heights: (N,) mm above the anterior-commissure level, given exactly when it has a height condition.

        Returns:
            (N, out_channels, H, W).

        Raises:
            ValueError: a condition is missing, or given to a network without it.
        """
        if (classes is not None) != (self.config["num_classes"] is not None):
            raise ValueError("classes are given if and only if the network was built with num_classes")
        if (heights is not None) != self.config.get("height_condition", False):
            raise ValueError("heights are given if and only if the network was built with height_condition")
        embedding = self.time_embedding(timestep_embedding(timesteps, self.base_channels))
        if classes is not None:
            embedding = embedding + self.class_embedding(classes)
        if heights is not None:
            steps = (heights.clamp(*_HEIGHT_RANGE_MM) - _HEIGHT_ORIGIN_MM) * _HEIGHT_STEPS_PER_MM
            embedding = embedding + self.height_embedding(timestep_embedding(steps, self.base_channels))
        embedding = functional.silu(embedding)

        if self.folding > 1:
            x = functional.pixel_unshuffle(x, self.folding)
        skips = []
        for stage in self.encoder:
            x = _through(stage, x, embedding)
            skips.append(x)
        x = _through(self.middle, x, embedding)
        for stage in self.decoder:
            x = _through(stage, torch.cat([x, skips.pop()], dim=1), embedding)
        x = self.out_conv(functional.silu(self.out_norm(x)))
        return functional.pixel_shuffle(x, self.folding) if self.folding > 1 else x


class ResidualBlock(nn.Module):
    """norm - SiLU - [resample] - conv - norm * (1 + scale) + shift - SiLU - conv, added to the (resampled) input.

    Scale and shift come from the time embedding (Dhariwal and Nichol 2021, "adaptive group normalization").

    Args:
        width_in, width_out: channels; a 1x1 convolution on the way around where they differ.
        embedding: length of the time embedding.
        resample: None, "down" (2x2 mean) or "up" (nearest), applied on both ways.
        dropout: before the last convolution, in training only.
    """

    def __init__(self, width_in: int, width_out: int, embedding: int, resample: str | None, dropout: float):
        super().__init__()
        self.resample = resample
        self.norm1 = GroupNorm(width_in)
        self.conv1 = nn.Conv2d(width_in, width_out, 3, padding=1)
        self.scale_shift = nn.Linear(embedding, 2 * width_out)
        self.norm2 = GroupNorm(width_out)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = _zeroed(nn.Conv2d(width_out, width_out, 3, padding=1))
        if width_in != width_out:
            self.skip = nn.Conv2d(width_in, width_out, 1)
        else:
            self.skip = nn.Identity()

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """Compute (N, width_out, H', W') from (N, width_in, H, W) and the embedding (N, embedding) after its SiLU."""
        hidden = self.conv1(_resample(functional.silu(self.norm1(x)), self.resample))
        scale, shift = self.scale_shift(embedding)[:, :, None, None].chunk(2, dim=1)
        hidden = torch.addcmul(shift.to(hidden.dtype), self.norm2(hidden), (1 + scale).to(hidden.dtype))
        hidden = self.conv2(self.dropout(functional.silu(hidden)))
        return self.skip(_resample(x, self.resample)) + hidden


class SelfAttention(nn.Module):
    """Multi-head self-attention over the pixels of a level, with a residual (the spatial order does not matter).

    The rows of ``qkv`` go head by head, and inside a head query, key, value.
    """

    def __init__(self, width: int, head_channels: int):
        super().__init__()
        self.heads = width // head_channels
        if self.heads * head_channels != width:
            raise ValueError(f"{width} channels do not divide into heads of {head_channels}")
        self.norm = GroupNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.projection = _zeroed(nn.Linear(width, width))

    def forward(self, x: Tensor) -> Tensor:
        """Attend over the pixels of (N, C, H, W); the result has the same shape."""
        n, c, h, w = x.shape
        tokens = self.norm(x).flatten(2).transpose(1, 2)
        qkv = self.qkv(tokens).view(n, h * w, self.heads, 3, c // self.heads).permute(3, 0, 2, 1, 4)
        attended = functional.scaled_dot_product_attention(qkv[0], qkv[1], qkv[2])
        out = self.projection(attended.transpose(1, 2).reshape(n, h * w, c))
        return x + out.transpose(1, 2).reshape(n, c, h, w)


def timestep_embedding(timesteps: Tensor, width: int) -> Tensor:
    """Compute sinusoids (N, width) of integer steps (N,): cosines first, then sines, periods up to 10000 steps.

    After Vaswani et al. 2017, section 3.5, in the order used by ADM. ``width`` is even.
    """
    half = width // 2
    exponents = torch.arange(half, dtype=torch.float32, device=timesteps.device) / half
    angles = timesteps.float()[:, None] * torch.exp(-math.log(_LONGEST_PERIOD) * exponents)
    return torch.cat([angles.cos(), angles.sin()], dim=1)


def _through(stage: nn.ModuleList, x: Tensor, embedding: Tensor) -> Tensor:
    for layer in stage:
        x = layer(x, embedding) if isinstance(layer, ResidualBlock) else layer(x)
    return x


def _resample(x: Tensor, how: str | None) -> Tensor:
    if how == "down":
        return functional.avg_pool2d(x, 2)
    if how == "up":
        return functional.interpolate(x, scale_factor=2, mode="nearest")
    return x


def _zeroed(layer: nn.Module) -> nn.Module:
    # each residual way starts as the identity, and the whole network as the prediction 0
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer
