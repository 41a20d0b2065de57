"""Translate our parameter names into those of the checkpoints published by Gong et al.

Their denoiser follows the naming of the guided-diffusion code, their deformation network that of the VoxelMorph code.
"""

from __future__ import annotations

import re

from torch import Tensor, nn

from MidlineShiftLogic.networks.denoiser import Denoiser
from MidlineShiftLogic.networks.voxelmorph import DeformationNet

_DENOISER = (
    (r"^time_embedding\.", "time_embed."),
    (r"^class_embedding\.", "label_emb."),
    (r"^encoder\.", "input_blocks."),
    (r"^middle\.", "middle_block."),
    (r"^decoder\.", "output_blocks."),
    (r"^out_norm\.", "out.0."),
    (r"^out_conv\.", "out.2."),
    (r"\.norm1\.", ".in_layers.0."),
    (r"\.conv1\.", ".in_layers.2."),
    (r"\.scale_shift\.", ".emb_layers.1."),
    (r"\.norm2\.", ".out_layers.0."),
    (r"\.conv2\.", ".out_layers.3."),
    (r"\.skip\.", ".skip_connection."),
    (r"\.projection\.", ".proj_out."),
)
_DEFORMATION = (
    (r"^(encoder|decoder)\.(\d+)\.", r"\1.\2.0.main."),
    (r"^final\.(\d+)\.", r"remaining.\1.main."),
    (r"^flow_sixteenth\.([012])\.", r"flow1.\1.main."),
    (r"^flow_sixteenth\.3\.", "flow1.3."),
    (r"^flow_quarter\.([01])\.", r"flow2.\1.main."),
    (r"^flow_quarter\.2\.", "flow2.2."),
)


def authors_name(network: nn.Module, name: str) -> str:
    """Return their name of our parameter ``name`` of ``network``. TypeError for a network they do not have."""
    for pattern, replacement in _rules(network):
        name = re.sub(pattern, replacement, name)
    return name


def authors_shape(name: str, parameter: Tensor) -> tuple[int, ...]:
    """Return the shape of our parameter in their checkpoint: their attention layers are 1-D convolutions of length 1."""
    shape = tuple(parameter.shape)
    return (*shape, 1) if re.search(r"\.(qkv|projection)\.weight$", name) else shape


def is_sampling_grid(name: str) -> bool:
    """Return whether an entry of their checkpoint holds constant pixel coordinates and no weight."""
    return name == "grid" or name.endswith(".grid")


def _rules(network: nn.Module) -> tuple[tuple[str, str], ...]:
    if isinstance(network, Denoiser):
        return _DENOISER
    if isinstance(network, DeformationNet):
        return _DEFORMATION
    raise TypeError(f"Gong et al. published no {type(network).__name__}")
