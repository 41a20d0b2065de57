"""The weights of the reference outputs: filled by a rule over the authors' parameter names (reference/README.md)."""

import math
import zlib

import torch

from MidlineShiftLogic.models.authors_names import authors_name, authors_shape

TINY = {"base_channels": 32, "residual_blocks": 1, "head_channels": 16}
"""Settings of the denoiser of the reference outputs."""


def authors_state(network, prefix):
    """State dict in the authors' names and shapes; ``prefix`` is "con.", "unc." or "deform."."""
    state = {}
    for name, parameter in network.state_dict().items():
        theirs, shape = authors_name(network, name), authors_shape(name, parameter)
        generator = torch.Generator().manual_seed(zlib.crc32(f"dev.{prefix}{theirs}".encode()))
        value = torch.randn(shape, generator=generator)
        if len(shape) > 1:
            value = value / math.sqrt(math.prod(shape[1:]))
        else:
            value = 0.1 * value + (1 if theirs.endswith("weight") else 0)
        state[theirs] = value
    return state


def filled(network, prefix):
    """The network with those weights, in evaluation mode."""
    own = network.state_dict()
    values = authors_state(network, prefix).values()
    network.load_state_dict({name: value.reshape(own[name].shape) for name, value in zip(own, values, strict=True)})
    return network.eval()
