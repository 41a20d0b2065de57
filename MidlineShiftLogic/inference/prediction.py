"""What a deformation network is given of a scan and what it predicts, whichever network it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch

from MidlineShiftLogic.geometry.frame import Frame
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.inference.aligned_slices import AlignedSlices
from MidlineShiftLogic.inference.maps import Step, no_step
from MidlineShiftLogic.inference.noise_difference import NoiseSettings
from MidlineShiftLogic.inference.pose import HeadPose
from MidlineShiftLogic.networks.outputs import PredictedMaps

if TYPE_CHECKING:
    from MidlineShiftLogic.models import Model


@dataclass(frozen=True)
class PosedSlices:
    """Slices of a scan whose head's pose is known.

    Attributes:
        ct: the scan.
        pose: of the head in the scan.
        indices: (k,) slices of the scan.
    """

    ct: HeadCT
    pose: HeadPose
    indices: np.ndarray

    @property
    def heights(self) -> np.ndarray:
        """(k,) mm above the anterior-commissure level."""
        return self.pose.height[self.indices]

    def align(self, grid: dict[str, Any]) -> AlignedSlices:
        """Return the slices in the aligned frame of one network.

        Args:
            grid: the network's grid (``Model.grid_of``).
        """
        return AlignedSlices(self.ct, self.pose.frame(**grid), self.indices)


@dataclass(frozen=True)
class NetworkRun:
    """With what the networks are run; the same for all slices of a scan.

    Attributes:
        model: loaded model, on ``device``.
        noise: settings of the noise difference, for models that use it.
        device: where to run.
        step: called after each batch; may raise to stop.
    """

    model: Model
    noise: NoiseSettings
    device: torch.device
    step: Step = no_step


@dataclass(frozen=True)
class Prediction:
    """Maps of k slices.

    Attributes:
        frame: the aligned frame of the maps.
        maps: outputs for the k slices.
        largest_mm: (k,) largest |displacement| of the field as the network gave it, mm (what Gong et al. report).
    """

    frame: Frame
    maps: PredictedMaps
    largest_mm: np.ndarray


class DeformationPredictor(Protocol):
    """A function that runs one kind of deformation network on some slices of a scan."""

    def __call__(self, slices: PosedSlices, run: NetworkRun) -> Prediction: ...


def largest_displacement_mm(displacement: np.ndarray, frame: Frame) -> np.ndarray:
    """Return the largest |displacement| (k,) of fields (k, 2, h, w) in frame pixels, in scan millimetres."""
    return np.linalg.norm(displacement, axis=1).max((1, 2)) * frame.step_mm
