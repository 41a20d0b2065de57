"""Run the networks of Gong et al. (imported checkpoints), and carry their field to the frame of the other maps.

Their deformation network predicts a field and nothing else: no falx attachment, no line. These come from the pose
network, in its own frame.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from MidlineShiftLogic.geometry.fields import integrate
from MidlineShiftLogic.geometry.frame import Frame
from MidlineShiftLogic.geometry.lines import half_grid
from MidlineShiftLogic.geometry.resampling import sample
from MidlineShiftLogic.inference.aligned_slices import AlignedSlices
from MidlineShiftLogic.inference.batches import batch_size, in_batches
from MidlineShiftLogic.inference.maps import Step, predict_maps
from MidlineShiftLogic.inference.noise_difference import NoiseSettings, noise_channel
from MidlineShiftLogic.inference.prediction import NetworkRun, PosedSlices, Prediction, largest_displacement_mm
from MidlineShiftLogic.inference.window import BRAIN_WINDOW_HU, window
from MidlineShiftLogic.networks.outputs import PredictedMaps

CPU_BATCH = 1
"""Their networks are large: on a processor a slice at a time, so that the work can be stopped."""
GPU_BATCH = 8


def predict_voxelmorph(slices: PosedSlices, run: NetworkRun) -> Prediction:
    """Run their networks for the field, and the pose network for the falx attachments and the ideal midline.

    The slices are cut twice: each of the two networks has a grid of its own.
    """
    model, theirs = run.model, slices.align(run.model.grid_of("deformation"))
    upright = slices.align(model.grid_of("pose"))
    denoisers = model.network("conditional"), model.network("unconditional")
    fields = predict_fields(
        theirs, model.network("deformation"), run.device, denoisers=denoisers, noise=run.noise, step=run.step
    )
    maps = predict_maps(upright, model.network("pose"), run.device)
    maps = with_field(maps, *(carry_field(field, theirs.frame, upright.frame) for field in fields))
    return Prediction(upright.frame, maps, largest_displacement_mm(fields[0].numpy(), theirs.frame))


@torch.inference_mode()
def predict_fields(
    aligned: AlignedSlices,
    network: torch.nn.Module,
    device: torch.device,
    *,
    denoisers: tuple[torch.nn.Module, torch.nn.Module],
    noise: NoiseSettings,
    step: Step,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Predict displacement and inverse of every slice.

    Args:
        aligned: the slices.
        network: ``DeformationNet`` on ``device``.
        denoisers, noise, step: as of ``maps.predict_maps``.

    Returns:
        (N, 2, H, W) each, on the CPU: rows and columns in pixels of the slices' own grid.
    """

    def predict(part: slice) -> tuple[torch.Tensor, torch.Tensor]:
        slices = aligned.cut(part, device)
        inputs = [window(slices, BRAIN_WINDOW_HU)[:, None], noise_channel(slices, *denoisers, noise)]
        velocity = network(torch.cat(inputs, 1))
        step(part.stop, len(aligned))
        return integrate(velocity).cpu(), integrate(-velocity).cpu()

    parts = in_batches(predict, len(aligned), batch_size(device, CPU_BATCH, GPU_BATCH))
    fields, inverses = zip(*parts, strict=True)
    return torch.cat(fields), torch.cat(inverses)


def carry_field(field: torch.Tensor, source: Frame, target: Frame) -> np.ndarray:
    """Carry a field from one frame to the half grid of another with the same middle and angle.

    Args:
        field: (N, 2, H, W) in pixels of ``source``.

    Returns:
        (N, 2, h, w) with h = target.size / 2, in pixels of ``target``.
    """
    axis = torch.from_numpy(half_grid(target.size) * target.step_mm / source.step_mm).float() / ((source.size - 1) / 2)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    grid = torch.stack([x, y], -1).expand(len(field), -1, -1, -1)
    carried = sample(field, grid)
    return (carried * (source.step_mm / target.step_mm)).numpy()


def with_field(maps: PredictedMaps, displacement: np.ndarray, inverse: np.ndarray) -> PredictedMaps:
    """Put a field from elsewhere into the pose network's maps; the deformed midline follows from that field.

    The sideways component of u is the difference of the distances to the deformed and to the ideal midline.
    """
    gradient = np.stack(np.gradient(maps.ideal, axis=(1, 2)), 1)
    normal = gradient / np.maximum(np.linalg.norm(gradient, axis=1, keepdims=True), 1e-6)
    sideways = (displacement * normal).sum(1)
    return replace(maps, displacement=displacement, inverse=inverse, deformed=maps.ideal + sideways)
