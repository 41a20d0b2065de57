"""Slices of one scan in an aligned frame, as the networks take them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from MidlineShiftLogic.geometry.frame import Frame, align
from MidlineShiftLogic.headct.headct import HeadCT


@dataclass(frozen=True)
class AlignedSlices:
    """Slices of a scan in a frame, cut when a network asks for them: each once, on the network's device.

    A scan may have hundreds of slices, of which a network takes a batch at a time.

    Attributes:
        ct: the scan.
        frame: the aligned frame.
        indices: (k,) slices of the scan.
    """

    ct: HeadCT
    frame: Frame
    indices: np.ndarray

    def __len__(self) -> int:
        return len(self.indices)

    def cut(self, part: slice, device: torch.device | str, upsampling: int = 1) -> torch.Tensor:
        """Cut some of the slices out of the scan.

        Args:
            part: which of ``indices``.
            device: where to cut them.
            upsampling: grid points for each of the frame's along an axis (``MidlineUNet.upsampling``).

        Returns:
            (n, H, W) float32 HU with H = W = upsampling * frame.size.
        """
        return align(self.ct, self.frame.upsampled(upsampling), self.indices[part], device)
