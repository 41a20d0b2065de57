"""Run the networks of Gong et al. (imported checkpoints) and put their field where our read-out expects it.

Their deformation network predicts a field and nothing else: no falx attachment, no line. These come from the pose
network, read in its own frame; the field is carried over to that frame.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F

from MidlineShiftLogic.geometry.fields import integrate
from MidlineShiftLogic.geometry.frame import Frame
from MidlineShiftLogic.geometry.lines import half_grid
from MidlineShiftLogic.inference.batches import batch_size, in_batches
from MidlineShiftLogic.inference.noise_difference import NoiseSettings, noise_channel
from MidlineShiftLogic.inference.window import BRAIN_WINDOW_HU, window
from MidlineShiftLogic.networks.outputs import PredictedMaps

GPU_BATCH = 8


@torch.inference_mode()
def authors_fields(
    hu: torch.Tensor,
    deformation: torch.nn.Module,
    denoisers: tuple[torch.nn.Module, torch.nn.Module],
    noise: NoiseSettings,
    device: torch.device,
    step: Callable[[int, int], None],
) -> tuple[torch.Tensor, torch.Tensor]:
    """Displacement and inverse, (N, 2, H, W) each, rows and columns in pixels of the slices' own grid.

    Args:
        hu: (N, H, W) aligned slices. deformation: ``DeformationNet``. denoisers, noise, device: as in ``predict_slices``.
        step: told (slices done, slices in all) after each batch; may raise to stop.
    """

    def read(part: slice) -> tuple[torch.Tensor, torch.Tensor]:
        slices = hu[part].to(device)
        inputs = [window(slices, BRAIN_WINDOW_HU)[:, None], noise_channel(slices, *denoisers, noise)]
        velocity = deformation(torch.cat(inputs, 1))
        step(part.stop, len(hu))
        return integrate(velocity).cpu(), integrate(-velocity).cpu()

    # these networks are large: on a processor one slice at a time, so that work can be stopped
    parts = in_batches(read, len(hu), batch_size(device, 1, GPU_BATCH))
    fields, inverses = zip(*parts, strict=True)
    return torch.cat(fields), torch.cat(inverses)


def carry_field(field: torch.Tensor, source: Frame, target: Frame) -> np.ndarray:
    """Field of one frame -> half grid of another with the same middle and angle, in that frame's pixels.

    Args:
        field: (N, 2, H, W) in pixels of ``source``.

    Returns:
        (N, 2, h, w) with h = target.size / 2, in pixels of ``target``.
    """
    axis = torch.from_numpy(half_grid(target.size) * target.step_mm / source.step_mm).float() / ((source.size - 1) / 2)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    grid = torch.stack([x, y], -1).expand(len(field), -1, -1, -1)
    carried = F.grid_sample(field, grid, align_corners=True, padding_mode="zeros")
    return (carried * (source.step_mm / target.step_mm)).numpy()


def with_field(maps: PredictedMaps, displacement: np.ndarray, inverse: np.ndarray) -> PredictedMaps:
    """The pose network's maps with a field from elsewhere; the deformed midline follows from that field.

    The sideways component of u is the difference of the distances to the deformed and to the ideal midline.
    """
    gradient = np.stack(np.gradient(maps.ideal, axis=(1, 2)), 1)
    normal = gradient / np.maximum(np.linalg.norm(gradient, axis=1, keepdims=True), 1e-6)
    sideways = (displacement * normal).sum(1)
    return replace(maps, displacement=displacement, inverse=inverse, deformed=maps.ideal + sideways)
