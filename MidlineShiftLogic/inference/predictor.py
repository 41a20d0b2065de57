"""Run the networks over the aligned slices of one scan."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from MidlineShiftLogic.inference.batches import batch_size, in_batches
from MidlineShiftLogic.inference.noise_difference import NoiseSettings, noise_channel
from MidlineShiftLogic.inference.window import two_windows
from MidlineShiftLogic.networks.diffusion import DenoiserPair
from MidlineShiftLogic.networks.midline_unet import SlicePrediction
from MidlineShiftLogic.networks.outputs import PredictedMaps

BATCH = 8


@torch.inference_mode()
def predict_slices(
    hu: torch.Tensor,
    deformation: torch.nn.Module,
    denoisers: DenoiserPair | None,
    noise: NoiseSettings,
    device: torch.device,
    step: Callable[[int, int], None],
    heights: np.ndarray | None = None,
) -> PredictedMaps:
    """Deformation network on every slice and on its mirror image, averaged so that left and right are treated alike.

    Args:
        hu: (N, H, W) aligned slices, sampled as finely as the network wants them (``MidlineUNet.upsampling``).
        deformation: ``MidlineUNet``; without flow heads the maps have no field.
        denoisers: both denoisers of slices at given heights, or None for a network trained without the noise difference.
        noise: settings of the noise difference.
        device: where to run.
        step: told (slices done, slices in all) after each batch; may raise to stop.
        heights: (N,) mm above the anterior-commissure level by the pose step; needed for denoisers only.

    Returns:
        Maps of all N slices.
    """

    def read(part: slice) -> dict[str, np.ndarray]:
        batch = hu[part].to(device)
        both = torch.cat([batch, batch.flip(-1)])
        inputs = two_windows(both)
        if denoisers is not None:
            pair = denoisers(torch.as_tensor(heights[part], dtype=torch.float32, device=device))
            inputs = torch.cat([inputs, noise_channel(both, *pair, noise)], 1)
        values = _both_ways(deformation(inputs), len(batch))
        step(part.stop, len(hu))
        return {name: value.float().cpu().numpy() for name, value in values.items()}

    parts = list(in_batches(read, len(hu), batch_size(device, BATCH)))
    return PredictedMaps(**{name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def _both_ways(out: SlicePrediction, n: int) -> dict[str, torch.Tensor]:
    """Mean of the outputs of n slices and of their n mirror images, which follow them, and how these differ."""

    def mean(a: torch.Tensor, sign: float) -> torch.Tensor:
        return (a[:n] + sign * a[n:].flip(-1)) / 2

    def mean_field(a: torch.Tensor) -> torch.Tensor:
        mirrored = a[n:].flip(-1) * a.new_tensor([1.0, -1.0])[:, None, None]
        return (a[:n] + mirrored) / 2

    values = {
        "attachments": mean(out.attachments, 1),
        "ideal": mean(out.ideal, -1),
        "deformed": mean(out.deformed, -1),
        "inside": torch.sigmoid(mean(out.inside, 1)),
        "measurable": torch.sigmoid((out.measurable[:n] + out.measurable[n:]) / 2),
        "height": (out.height[:n] + out.height[n:]) / 2,
        # a mirrored head deviates the other way: what the two say alike is what they disagree by
        "mirror": mean(out.ideal - out.deformed, 1),
    }
    if out.displacement is not None:
        values |= {"displacement": mean_field(out.displacement), "inverse": mean_field(out.inverse)}
    return values
