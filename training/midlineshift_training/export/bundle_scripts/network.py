"""The deformation network as one tensor in, one tensor out."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from MidlineShiftLogic.geometry.fields import integrate
from MidlineShiftLogic.models import load_model
from MidlineShiftLogic.networks.midline_unet import MidlineUNet


class DisplacementNetwork(nn.Module):
    """Predict the displacement field of aligned slices.

    Args:
        network: deformation network of a model.
    """

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Return the displacement from where tissue is to where it would be in the unshifted head.

        Args:
            x: (N, C, H, W) windowed slices in the aligned frame, -1..1.

        Returns:
            (N, 2, h, w) along rows and columns, in points of the aligned frame.
        """
        if isinstance(self.network, MidlineUNet):
            return self.network(x).displacement
        return integrate(self.network(x))


def load_network(folder: str | Path) -> DisplacementNetwork:
    """Load the deformation network of a model folder, in evaluation mode."""
    network = load_model(folder, "cpu").network("deformation")
    return DisplacementNetwork(network).to(torch.float32).eval()
