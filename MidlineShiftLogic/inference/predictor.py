"""All deformation networks behind one function, ``predict``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.inference.aligned_slices import AlignedSlices
from MidlineShiftLogic.inference.authors_predictor import predict_voxelmorph
from MidlineShiftLogic.inference.maps import Step, predict_maps
from MidlineShiftLogic.inference.noise_difference import NoiseSettings
from MidlineShiftLogic.inference.pose import HeadPose
from MidlineShiftLogic.inference.prediction import DeformationPredictor, Prediction, largest_displacement_mm
from MidlineShiftLogic.models.folder import denoiser_pair

if TYPE_CHECKING:
    from MidlineShiftLogic.models import Model


def predict_midline_unet(
    ct: HeadCT,
    pose: HeadPose,
    indices: np.ndarray,
    model: Model,
    *,
    noise: NoiseSettings,
    device: torch.device,
    step: Step,
) -> Prediction:
    """Run our own deformation network, which predicts field, lines and distance maps at once."""
    frame = pose.frame(**model.grid_of("deformation"))
    aligned = AlignedSlices(ct, frame, indices)
    denoisers = denoiser_pair(model) if model.uses_noise_difference else None
    maps = predict_maps(
        aligned,
        model.network("deformation"),
        device,
        denoisers=denoisers,
        heights=pose.height[indices],
        noise=noise,
        step=step,
    )
    return Prediction(frame, maps, largest_displacement_mm(maps.displacement, frame))


PREDICTORS: dict[str, DeformationPredictor] = {
    "midline_unet": predict_midline_unet,
    "voxelmorph": predict_voxelmorph,
}
"""Kind of the deformation network (``models.registry.KINDS``) -> how it is run."""


def predict(
    ct: HeadCT,
    pose: HeadPose,
    indices: np.ndarray,
    model: Model,
    *,
    noise: NoiseSettings,
    device: torch.device,
    step: Step,
) -> Prediction:
    """Run the model's deformation network on some slices of a scan.

    Args:
        ct: the scan.
        pose: of the head in the scan.
        indices: (k,) slices.
        model: loaded model, on ``device``.
        noise: settings of the noise difference, for models that use it.
        step: called after each batch.
    """
    run = PREDICTORS[model.kind_of("deformation")]
    return run(ct, pose, indices, model, noise=noise, device=device, step=step)
