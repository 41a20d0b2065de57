"""Less memory in training: activations of blocks are not kept, but computed again in the backward pass."""

from __future__ import annotations

from functools import partial

from torch import nn
from torch.utils.checkpoint import checkpoint

from MidlineShiftLogic.networks.denoiser import ResidualBlock, SelfAttention


def checkpoint_activations(network: nn.Module) -> None:
    """Let the blocks of a denoiser compute their activations twice (Chen et al. 2016); values and gradients stay.

    Args:
        network: changed in place; what it stores and loads stays the same.
    """
    for module in network.modules():
        if isinstance(module, (ResidualBlock, SelfAttention)):
            module.forward = partial(checkpoint, module.forward, use_reentrant=False)  # type: ignore[method-assign]
