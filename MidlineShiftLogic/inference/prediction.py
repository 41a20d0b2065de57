"""What a deformation network predicts of a scan, whichever network it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from MidlineShiftLogic.geometry.frame import Frame
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.inference.maps import Step
from MidlineShiftLogic.inference.noise_difference import NoiseSettings
from MidlineShiftLogic.inference.pose import HeadPose
from MidlineShiftLogic.networks.outputs import PredictedMaps

if TYPE_CHECKING:
    from MidlineShiftLogic.models import Model


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

    def __call__(
        self,
        ct: HeadCT,
        pose: HeadPose,
        indices: np.ndarray,
        model: Model,
        *,
        noise: NoiseSettings,
        device: torch.device,
        step: Step,
    ) -> Prediction: ...


def largest_displacement_mm(displacement: np.ndarray, frame: Frame) -> np.ndarray:
    """Return the largest |displacement| (k,) of fields (k, 2, h, w) in frame pixels, in scan millimetres."""
    return np.linalg.norm(displacement, axis=1).max((1, 2)) * frame.step_mm
