"""All deformation networks behind one function, ``predict``."""

from __future__ import annotations

from MidlineShiftLogic.inference.authors_predictor import predict_voxelmorph
from MidlineShiftLogic.inference.maps import predict_maps
from MidlineShiftLogic.inference.prediction import (
    DeformationPredictor,
    NetworkRun,
    PosedSlices,
    Prediction,
    largest_displacement_mm,
)
from MidlineShiftLogic.models.folder import denoiser_pair


def predict_midline_unet(slices: PosedSlices, run: NetworkRun) -> Prediction:
    """Run our own deformation network, which predicts field, lines and distance maps at once."""
    model, aligned = run.model, slices.align(run.model.grid_of("deformation"))
    maps = predict_maps(
        aligned,
        model.network("deformation"),
        run.device,
        denoisers=denoiser_pair(model) if model.uses_noise_difference else None,
        heights=slices.heights,
        noise=run.noise,
        step=run.step,
    )
    return Prediction(aligned.frame, maps, largest_displacement_mm(maps.displacement, aligned.frame))


PREDICTORS: dict[str, DeformationPredictor] = {
    "midline_unet": predict_midline_unet,
    "voxelmorph": predict_voxelmorph,
}
"""Kind of the deformation network (``models.registry.KINDS``) -> how it is run."""


def predict(slices: PosedSlices, run: NetworkRun) -> Prediction:
    """Run the model's deformation network on some slices of a scan.

    Args:
        slices: with the pose of the head.
        run: the model, and where and how its networks run.
    """
    return PREDICTORS[run.model.kind_of("deformation")](slices, run)
