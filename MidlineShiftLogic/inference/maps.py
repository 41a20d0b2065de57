"""Maps of a scan's slices by a ``MidlineUNet``: each slice and its mirror image, averaged."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from MidlineShiftLogic.inference.aligned_slices import AlignedSlices
from MidlineShiftLogic.inference.batches import batch_size, in_batches
from MidlineShiftLogic.inference.noise_difference import NoiseSettings, noise_channel
from MidlineShiftLogic.inference.window import two_windows
from MidlineShiftLogic.networks.diffusion import DenoiserPair
from MidlineShiftLogic.networks.midline_unet import SlicePrediction
from MidlineShiftLogic.networks.outputs import PredictedMaps

BATCH = 8
"""Slices of a batch on a processor; with their mirror images twice as many pictures."""

Step = Callable[[int, int], None]
"""Called as ``step(slices done, slices in all)`` after each batch; may raise to stop."""


def no_step(done: int, total: int) -> None:
    """Take no notice of how far it is."""


@torch.inference_mode()
def predict_maps(
    aligned: AlignedSlices,
    network: torch.nn.Module,
    device: torch.device,
    *,
    denoisers: DenoiserPair | None = None,
    heights: np.ndarray | None = None,
    noise: NoiseSettings | None = None,
    step: Step = no_step,
) -> PredictedMaps:
    """Run a network on every slice and on its mirror image, so that left and right are treated alike.

    Args:
        aligned: the slices.
        network: ``MidlineUNet`` on ``device``; without flow heads the maps have no field.
        device: where to run.
        denoisers: both denoisers of slices at given heights, for a network that takes the noise difference.
        heights: (N,) mm above the anterior-commissure level by the pose, for ``denoisers``.
        noise: settings of the noise difference.
        step: called after each batch.

    Returns:
        Maps of all slices.
    """

    if denoisers is not None and heights is None:
        raise ValueError("denoisers need the heights of the slices")

    def predict(part: slice) -> dict[str, np.ndarray]:
        batch = aligned.cut(part, device, network.upsampling)
        both = torch.cat([batch, batch.flip(-1)])
        inputs = two_windows(both)
        if denoisers is not None and heights is not None:
            pair = denoisers(torch.as_tensor(heights[part], dtype=torch.float32, device=device))
            inputs = torch.cat([inputs, noise_channel(both, *pair, noise or NoiseSettings())], 1)
        values = average_mirrored(network(inputs), len(batch))
        step(part.stop, len(aligned))
        return {name: value.float().cpu().numpy() for name, value in values.items()}

    parts = list(in_batches(predict, len(aligned), batch_size(device, BATCH)))
    return PredictedMaps(**{name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def average_mirrored(out: SlicePrediction, n: int) -> dict[str, torch.Tensor]:
    """Average the outputs of n slices and of their n mirror images, which follow them in the batch.

    Returns:
        Values of ``PredictedMaps`` by name; ``mirror`` is by how much the two differ.
    """

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
        # a mirrored head deviates the other way: what both have in common is what they disagree by
        "mirror": mean(out.ideal - out.deformed, 1),
    }
    if out.displacement is not None and out.inverse is not None:
        values |= {"displacement": mean_field(out.displacement), "inverse": mean_field(out.inverse)}
    return values
