"""Networks small enough for tests, with weights that are not the initial ones."""

import torch

SMALL_DENOISER = {
    "image_size": 32,
    "base_channels": 32,
    "channel_multipliers": [1, 1],
    "residual_blocks": 1,
    "attention_resolutions": [16],
    "head_channels": 16,
}


def awake(network, seed=0):
    """The network with every parameter nonzero, also those that start at zero; in evaluation mode."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    return network.eval()
