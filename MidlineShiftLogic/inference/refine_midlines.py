"""Look again along each slice's midline with a ``StripUNet``."""

from __future__ import annotations

import numpy as np
import torch

from MidlineShiftLogic.geometry.frame import Frame
from MidlineShiftLogic.geometry.midline_strip import cut_strips, expected_offset
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.inference.aligned_slices import AlignedSlices
from MidlineShiftLogic.inference.batches import batch_size, in_batches
from MidlineShiftLogic.inference.maps import Step, no_step
from MidlineShiftLogic.inference.window import two_windows
from MidlineShiftLogic.measurement.midline_curves import MidlineCurves
from MidlineShiftLogic.measurement.refined_curves import SecondLook, midline_at, move_midlines
from MidlineShiftLogic.measurement.shift_settings import ShiftSettings
from MidlineShiftLogic.networks.strip_unet import StripUNet

BATCH = 8
"""Slices of a batch on a processor; with their mirror images twice as many strips."""
UPSAMPLING = 2
"""Grid points a frame pixel along each axis of the slices that strips are cut from: 0.9 mm at 1.8 mm a pixel."""


def strip_inputs(strips: torch.Tensor) -> torch.Tensor:
    """Turn strips into the input of a ``StripUNet``: brain window, wide window, and the place along the midline.

    Args:
        strips: (N, rows, columns) HU.

    Returns:
        (N, 3, rows, columns).
    """
    n, rows, columns = strips.shape
    place = torch.linspace(-1, 1, rows, device=strips.device, dtype=strips.dtype)
    return torch.cat([two_windows(strips), place[None, None, :, None].expand(n, 1, rows, columns)], 1)


def refine_midlines(
    curves: MidlineCurves,
    ct: HeadCT,
    frame: Frame,
    network: StripUNet,
    settings: ShiftSettings,
    device: torch.device,
    step: Step = no_step,
) -> MidlineCurves:
    """Find ideal and deformed midlines anew, from a strip of every slice along its midline.

    Args:
        curves: midlines of the first look; ``curves.index`` counts the scan's slices.
        ct: the scan.
        frame: the aligned frame of ``curves``.
        network: on ``device``.
        settings: of the shift computation.
        device: where to run.
        step: called after each batch; may raise to stop.
    """
    seen = look_again(curves, ct, frame, network, device, step, settings.refinement_passes)
    return move_midlines(curves, seen, ct.heights[curves.index], frame.step_mm, settings)


@torch.inference_mode()
def look_again(
    curves: MidlineCurves,
    ct: HeadCT,
    frame: Frame,
    network: StripUNet,
    device: torch.device,
    step: Step = no_step,
    passes: int = 1,
) -> SecondLook:
    """Predict where the midline is across a strip of every slice.

    Each strip and its mirror image are seen, so that left and right are treated alike. Further passes cut the strip along
    the midline that the pass before found; spread and mirror difference are those of the last one.

    Args:
        curves, ct, frame, network, device, step: as of ``refine_midlines``.
        passes: 1 or more.
    """
    grid, aligned = network.grid, AlignedSlices(ct, frame, curves.index)
    fractions = grid.fractions.double().numpy()
    first_mm = midline_at(curves.deviation, fractions)

    def tensor(values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(values.astype(np.float32)).to(device)  # Apple's GPUs have no float64

    def predict(part: slice) -> np.ndarray:
        hu = aligned.cut(part, device, UPSAMPLING)
        anterior, posterior = tensor(curves.falx_attachments[part]).unbind(1)
        # strips are measured in the frame's millimetres, in which every head has the same length
        course = tensor(first_mm[part] / frame.scale)
        spread = mirror = torch.zeros_like(course)
        for _ in range(passes):
            strips = cut_strips(hu, anterior, posterior, course, frame.pixel_mm, grid, UPSAMPLING)
            logits = network(strip_inputs(torch.cat([strips, strips.flip(-1)])))
            moved, spread, mirror = average_mirrored_strips(logits, network)
            course = course + moved
        step(part.stop, len(aligned))
        return torch.stack([course, spread, mirror]).float().cpu().numpy()

    parts = list(in_batches(predict, len(aligned), batch_size(device, BATCH)))
    midline, spread, mirror = frame.scale * np.concatenate(parts, axis=1).astype(float)
    return SecondLook(fractions, midline, spread, mirror)


def average_mirrored_strips(
    logits: torch.Tensor, network: StripUNet
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Average the logits of n strips and of their n mirror images, which follow them in the batch.

    Returns:
        (n, rows) frame mm each: the midline's distance from the strip's middle, positive toward the patient's left, its
        standard deviation, and half of the difference between strip and mirror image.
    """
    n = len(logits) // 2
    direct, mirrored = logits[:n], logits[n:].flip(-1)
    mean, spread = expected_offset((direct + mirrored) / 2, network.grid)
    apart = expected_offset(direct, network.grid)[0] - expected_offset(mirrored, network.grid)[0]
    return mean, spread, apart / 2
