"""Find the size of the authors' networks from the shapes in their checkpoints, where it is not the published one.

Names are those of the authors' state dicts (``authors_names``). Everything but the channels of an attention head and the
side of the grid shows in the shapes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

ADM_GRID, ADM_HEAD_CHANNELS = 256, 64
"""Side of the grid (px) and channels of an attention head of the published denoisers."""


def denoiser_config(
    state: Mapping[str, Any], grid: int = ADM_GRID, head_channels: int = ADM_HEAD_CHANNELS
) -> dict[str, Any] | None:
    """Return the settings of ``Denoiser`` that fit a checkpoint, or None if it is not of that network.

    Args:
        state: the authors' name -> tensor.
        grid: side in px of the slices that the network was trained on; the levels with attention follow from it.
        head_channels: channels of an attention head.
    """
    try:
        base = state["time_embed.0.weight"].shape[1]
        blocks = 1 + max(_numbers(state, r"input_blocks\.(\d+)\."))
        # the last of a level's output blocks also up-samples: it has a second residual block
        rising = _numbers(state, r"output_blocks\.(\d+)\.[12]\.in_layers\.0\.weight")
        per_level = 1 + min(rising, default=blocks - 1)  # residual blocks of a level, and one that changes its size
        levels = blocks // per_level
        first = [1 + level * per_level for level in range(levels)]
        widths = [state[f"input_blocks.{number}.0.out_layers.3.weight"].shape[0] for number in first]
        attention = [grid // 2**k for k, number in enumerate(first) if f"input_blocks.{number}.1.qkv.weight" in state]
        classes = state.get("label_emb.weight")
        return {
            "image_size": grid,
            "in_channels": state["input_blocks.0.0.weight"].shape[1],
            "out_channels": state["out.2.weight"].shape[0],
            "base_channels": base,
            "channel_multipliers": [width // base for width in widths],
            "residual_blocks": per_level - 1,
            "attention_resolutions": attention,
            "head_channels": head_channels,
            "num_classes": None if classes is None else classes.shape[0],
        }
    except (KeyError, AttributeError, IndexError, ValueError, ZeroDivisionError):
        return None


def deformation_config(state: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the settings of ``DeformationNet`` that fit a checkpoint, or None if it is not of that network."""
    try:
        encoder = [state[f"encoder.{number}.0.main.weight"] for number in range(4)]
        decoder = [state[f"decoder.{number}.0.main.weight"] for number in range(4)]
        final = [state[f"remaining.{number}.main.weight"] for number in range(3)]
        return {
            "in_channels": encoder[0].shape[1],
            "encoder": [_width(weight) for weight in encoder],
            "decoder": [_width(weight) for weight in (*decoder, *final)],
        }
    except (KeyError, AttributeError, IndexError):
        return None


def _width(weight: Tensor) -> int:
    return weight.shape[0]


def _numbers(state: Mapping[str, Any], pattern: str) -> list[int]:
    return [int(found[1]) for found in (re.match(pattern, name) for name in state) if found]
