"""The pseudo-healthy image: what the denoisers predict a slice to look like in the same head without the shift.

Gong et al. (arXiv 2301.00409) train their deformation network on it; a reader sees in it what the model takes for normal.
It is a generated image, as fine as the denoisers' grid, and nothing is measured on it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from MidlineShiftLogic.errors import Cancelled, InputError
from MidlineShiftLogic.geometry.frame import Frame
from MidlineShiftLogic.geometry.resampling import sample
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.inference.maps import Step, predict_maps
from MidlineShiftLogic.inference.noise_difference import NoiseSettings, denoiser_input
from MidlineShiftLogic.inference.pose import HeadPose, estimate_pose
from MidlineShiftLogic.inference.prediction import PosedSlices
from MidlineShiftLogic.inference.window import BRAIN_WINDOW_HU, unwindow
from MidlineShiftLogic.masks import largest_component
from MidlineShiftLogic.measurement.pseudo_healthy import PseudoHealthy
from MidlineShiftLogic.measurement.shift_settings import ShiftSettings
from MidlineShiftLogic.models.folder import Model, check_denoisers, denoiser_pair
from MidlineShiftLogic.models.settings import parse_settings
from MidlineShiftLogic.networks.diffusion import Network, ddim_timesteps, fixed_noise, make_schedule, pseudo_healthy
from MidlineShiftLogic.progress import Cancelled as CancelledCallback
from MidlineShiftLogic.progress import Progress, silent

WHAT = "making the pseudo-healthy image"
"""What progress says that it is doing."""

BONE_HU = 150.0
"""Skull above, brain, clots and contrast below."""

NOISE_STRIDE = 100_000
"""Between the seeds of the noises of one slice; the slices' own are one apart."""

EDGE = (0.35, 0.65)
"""Probabilities of being brain between which the picture fades into the scan."""

CLEARLY_UNMEASURABLE = 0.1
"""Slices less likely to be measurable than this are not shown by default."""


@torch.inference_mode()
def make_pseudo_healthy(
    ct: HeadCT,
    model: Model,
    device: str,
    slices: Sequence[int] | None = None,
    progress: Progress | None = None,
    cancelled: CancelledCallback | None = None,
) -> PseudoHealthy:
    """Make the pseudo-healthy image of some slices of a checked scan.

    The noise of a slice is fixed by the model (``NoiseSettings.seed``) and the slice's index, and every slice is made by
    itself: it comes out the same whichever others are asked for.

    Args:
        ct: the scan.
        model: with both denoisers; its ``noise`` has the noise level and the DDIM steps.
        device: torch device name.
        slices: of the scan; None for those at the heights where the model measures.
        progress: called with the DDIM steps done of all slices.
        cancelled: asked at each; True stops with ``Cancelled``.

    Raises:
        InputError: no denoisers, no such slice, or settings that this version does not know.
        RefusedError: no midline can be found. Cancelled: on request.
    """
    check_denoisers(model)
    unknown = sorted(set(slices or ()) - set(range(ct.n_slices)))
    if unknown:
        raise InputError(
            f"The scan has slices 0 to {ct.n_slices - 1}, not {unknown[0]}; choose among these.", "no-slice"
        )
    progress = progress or silent
    target = torch.device(device)
    noise = parse_settings(NoiseSettings, model.noise, "'noise' of model.json")
    try:
        ddim_timesteps(noise.steps, noise.ddim.count)
    except ValueError as error:
        raise InputError(f"'noise' of model.json cannot be used: {error}.", "model-json") from None

    def report(done: int, total: int) -> None:
        if cancelled is not None and cancelled():
            raise Cancelled("Making the pseudo-healthy image was cancelled; nothing was written.")
        progress(done, total, WHAT)

    report(0, 1)
    pose = estimate_pose(ct, model.network("pose"), **model.grid_of("pose"), device=target)
    chosen = _measured(pose, model) if slices is None else np.array(sorted(set(slices)))
    posed, denoisers = PosedSlices(ct, pose, chosen), denoiser_pair(model)
    aligned, upright = posed.align(model.grid_of("deformation")), posed.align(model.grid_of("pose"))
    maps = predict_maps(upright, model.network("pose"), target)
    hu = np.empty((len(chosen), *ct.hu.shape[1:]), np.float32)
    brain = np.empty_like(hu)
    for k, index in enumerate(chosen):

        def step(done: int, total: int, k: int = k) -> None:
            report(k * total + done, len(chosen) * total)

        # a noise of its own for every slice: one for all leaves the same marks at every height, which look like anatomy
        pair = denoisers(torch.tensor([pose.height[index]], dtype=torch.float32, device=target))
        picture = _denoise(aligned.cut(slice(k, k + 1), target), pair, noise, noise.seed + int(index), step)
        hu[k] = _on_scan(picture, aligned.frame, ct, index)
        inside = _on_scan(torch.from_numpy(maps.inside[k]), upright.frame, ct, index)
        brain[k] = np.clip((inside - EDGE[0]) / (EDGE[1] - EDGE[0]), 0, 1) * ~_skull(ct.hu[index])
    return PseudoHealthy(chosen, hu, brain, model.provenance)


def _skull(hu: np.ndarray) -> np.ndarray:
    """Mark the largest piece of bone of a slice (row, column); calcifications inside the brain are not part of it."""
    return largest_component(hu > BONE_HU)


def _measured(pose: HeadPose, model: Model) -> np.ndarray:
    """Return the indices of the slices at the heights where the model measures; all where there are none."""
    low, high = parse_settings(ShiftSettings, model.readout, "'readout' of model.json").measured_mm
    chosen = np.flatnonzero((pose.height >= low) & (pose.height <= high) & (pose.measurable > CLEARLY_UNMEASURABLE))
    return chosen if len(chosen) else np.arange(len(pose.height))


def _denoise(
    hu: torch.Tensor, denoisers: tuple[Network, Network], settings: NoiseSettings, seed: int, step: Step
) -> torch.Tensor:
    """Make the pseudo-healthy picture (grid, grid) HU of one aligned slice (1, size, size) HU."""
    ddim = settings.ddim
    x, schedule = denoiser_input(hu, settings.grid), make_schedule(settings.schedule, settings.steps)
    made = []
    for number in range(ddim.noises):
        noise = fixed_noise((1, 1, settings.grid, settings.grid), seed + number * NOISE_STRIDE).to(hu.device)

        def steps(done: int, total: int, before: int = number) -> None:
            step(before * total + done, ddim.noises * total)

        made.append(
            pseudo_healthy(
                *denoisers,
                schedule,
                x,
                noise,
                start=ddim.start,
                count=ddim.count,
                conditional_weight=ddim.conditional_weight,
                own_level=ddim.own_level,
                by_difference=ddim.by_difference,
                progress=steps,
            )
        )
    picture = torch.stack(made).mean(0) if len(made) > 1 else made[0]
    return unwindow(picture[0, 0].cpu(), BRAIN_WINDOW_HU)


def _on_scan(picture: torch.Tensor, frame: Frame, ct: HeadCT, index: int) -> np.ndarray:
    """Resample a picture (g, g) that covers the frame with pixels of its own to the pixels of a slice (row, column)."""
    rows, columns = ct.hu.shape[1:]
    row_mm, column_mm = ct.pixel_spacing
    plane = np.stack(np.meshgrid(np.arange(columns) * column_mm, np.arange(rows) * row_mm), -1)
    # a frame pixel's borders are half a pixel off its centre, whatever number of pixels the picture divides the frame into
    place = (2 * frame.from_plane(index, plane) + 1) / frame.size - 1
    grid = torch.from_numpy(place.astype(np.float32))[None]
    sampled = sample(picture[None, None].float(), grid, mode="bicubic", padding="border", edges=True)[0, 0]
    return sampled.clamp(float(picture.min()), float(picture.max())).numpy()
