"""The way of a scan: pose, aligned slices, networks, read-out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from MidlineShiftLogic.errors import Cancelled
from MidlineShiftLogic.geometry.frame import Frame, align
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.measurement.measurement import Measurement
from MidlineShiftLogic.measurement.readout import (
    FRACTIONS,
    ReadoutSettings,
    read_case,
    read_curves,
    slice_measurements,
)
from MidlineShiftLogic.models.parameters import parameters
from MidlineShiftLogic.networks.maps import NetworkMaps
from MidlineShiftLogic.networks.midline_unet import MidlineUNet
from MidlineShiftLogic.pipeline.authors_reading import authors_fields, carry_field, with_field
from MidlineShiftLogic.pipeline.evidence import Evidence, make_evidence
from MidlineShiftLogic.pipeline.noise import NoiseSettings
from MidlineShiftLogic.pipeline.pose import MIN_READABLE_SLICES, HeadPose, estimate_pose, fit_heights
from MidlineShiftLogic.pipeline.reading import read_slices
from MidlineShiftLogic.progress import Cancelled as CancelledCallback
from MidlineShiftLogic.progress import Progress, silent
from MidlineShiftLogic.quality import Quality

if TYPE_CHECKING:
    from MidlineShiftLogic.models import Model

# Above this scatter of the slices' own midlines about the head's plane, the plane is in doubt.
PLANE_SPREAD_MM = 3.0
# The field's and the distance maps' readings of one case should agree; two that differ by more are a warning.
READINGS_DIFFER_MM = 2.0
# Slices around the septum that a case's number should rest on.
FEW_WINDOW_SLICES = 2
LARGE_TURN_DEG = 35.0
# A mass pushes the midline one way; slices of one head that read more than this to either side contradict each other.
BOTH_SIDES_MM = 3.0
HEIGHT_MARGIN_MM = 8.0


def measure_ct(
    ct: HeadCT,
    model: Model,
    device: str,
    progress: Progress | None = None,
    authors_readout: bool = False,
    cancelled: CancelledCallback | None = None,
    case_id: str = "",
) -> tuple[Measurement, Evidence]:
    """Measure one checked scan.

    Args:
        ct: the scan; its fatal flags must have been dealt with.
        model: loaded model. device: torch device name.
        progress: told about the slices done.
        authors_readout: also report max |u| (Gong et al. 2023), in the deformation network's own frame, the case's over
            all slices that this network read. Theirs are slices 8 to depth - 5, whatever these show.
        cancelled: asked between batches; True stops with ``Cancelled``.
        case_id: name of the case.

    Raises:
        RefusedError: no midline can be found. Cancelled: on request.
        InputError: the model gives a parameter that this version does not know.
    """
    progress = progress or silent

    def step(done: int, total: int) -> None:
        if cancelled is not None and cancelled():
            raise Cancelled("Measuring was cancelled; nothing was written.")
        progress(done, total, "reading slices")

    target = torch.device(device)
    step(0, ct.n_slices)
    settings = parameters(ReadoutSettings, model.readout, "'readout' of model.json")
    noise = parameters(NoiseSettings, model.noise, "'noise' of model.json")
    pose = estimate_pose(ct, model.network("pose"), **_grid(model, "pose"), device=target)
    low, high = settings.measured_mm
    # a margin around the measured heights, since the deformation network judges the height anew
    chosen = np.flatnonzero(
        (pose.height > low - HEIGHT_MARGIN_MM) & (pose.height < high + HEIGHT_MARGIN_MM) & (pose.readable > 0.1)
    )
    if len(chosen) < MIN_READABLE_SLICES:
        chosen = np.arange(ct.n_slices)
    frame, maps, largest_mm = _read(ct, model, noise, pose, chosen, target, step)
    z = ct.heights[chosen]
    height = fit_heights(maps.height, maps.readable, z)
    curves = read_curves(maps, frame, z, height, settings)
    curves.index = chosen[curves.index]
    slices = slice_measurements(ct, frame, curves, settings)
    if ct.source_slices:
        slices = [replace(m, source_slices=tuple(ct.source_slices[m.index])) for m in slices]
    fields = {
        name: np.zeros((ct.n_slices, *getattr(maps, name).shape[1:]), np.float32)
        for name in ("displacement", "inverse")
    }
    for name, value in fields.items():
        # only the brain moves: what the network says of bone, scalp and air is noise
        value[chosen] = getattr(maps, name) * maps.inside[:, None]
    evidence = make_evidence(ct, frame, curves.index, fields["displacement"], fields["inverse"])
    authors_case = None
    if authors_readout:
        of_slice = dict(zip(chosen.tolist(), largest_mm.tolist(), strict=True))
        slices = [replace(m, authors_readout_mm=of_slice[m.index]) for m in slices]
        authors_case = max(of_slice.values())
    case = read_case(slices, settings.quantile)
    quality = (*ct.quality, *_flags(pose, curves, slices, case, settings))
    measurement = Measurement(
        case_id=case_id,
        signed_shift_mm=case.signed_shift_mm,
        slice=case.index,
        slices=tuple(slices),
        quality=quality,
        authors_readout_mm=authors_case,
        model=model.provenance,
        device=str(target),
    )
    return measurement, evidence


def _grid(model: Model, component: str) -> dict:
    frame = model.frame_of(component)
    return {"size": frame["grid"], "pixel_mm": frame["pixel_mm"], "length_mm": frame["length_mm"]}


def _read(
    ct, model: Model, noise: NoiseSettings, pose: HeadPose, chosen, device, step
) -> tuple[Frame, NetworkMaps, np.ndarray]:
    """The chosen slices by our deformation network or by that of Gong et al.: frame, maps, and the largest displacement.

    The last is (k,) mm, taken from the field as the network gave it, before it is carried to another frame.
    """
    denoisers = None
    if model.uses_noise_difference:
        denoisers = (model.network("conditional"), model.network("unconditional"))
    frame = pose.frame(**_grid(model, "deformation"))
    network = model.network("deformation")
    if isinstance(network, MidlineUNet):
        maps = read_slices(align(ct, frame, chosen), network, denoisers, noise, device, step)
        return frame, maps, _largest_mm(maps.displacement, frame)
    fields = authors_fields(align(ct, frame, chosen), network, denoisers, noise, device, step)
    upright = pose.frame(**_grid(model, "pose"))
    maps = read_slices(align(ct, upright, chosen), model.network("pose"), None, noise, device, lambda *_: None)
    maps = with_field(maps, *(carry_field(field, frame, upright) for field in fields))
    return upright, maps, _largest_mm(fields[0].numpy(), frame)


def _largest_mm(displacement: np.ndarray, frame: Frame) -> np.ndarray:
    """(k, 2, h, w) frame pixels -> (k,) scan millimetres: the read-out of Gong et al. of every slice."""
    return np.linalg.norm(displacement, axis=1).max((1, 2)) * frame.step_mm


def _flags(pose: HeadPose, curves, slices, case, settings: ReadoutSettings) -> list[Quality]:
    """What a reader should beware of in this measurement."""
    flags = []
    if pose.spread_mm > PLANE_SPREAD_MM:
        flags.append(
            Quality(
                "plane-spread",
                "warning",
                f"The slices' midlines scatter by {pose.spread_mm:.1f} mm about the head's mid-plane; look at the "
                "ideal midline before trusting the number.",
            )
        )
    turn = np.degrees(pose.angle)
    if abs(turn) > LARGE_TURN_DEG:
        flags.append(Quality("head-turned", "warning", f"The head is turned by {turn:.0f} degrees in the slice plane."))
    window = [m for m in slices if m.in_case_window]
    if len(window) < FEW_WINDOW_SLICES:
        flags.append(
            Quality(
                "few-septum-slices",
                "warning",
                f"Only {len(window)} slices at the height of the septum pellucidum could be read; the case's number "
                "may come from another structure.",
            )
        )
    shifts = [m.signed_shift_mm for m in slices]
    if max(shifts) > BOTH_SIDES_MM and min(shifts) < -BOTH_SIDES_MM:
        flags.append(
            Quality(
                "both-sides",
                "warning",
                f"Slices of this head read from {-min(shifts):.1f} mm to the right to {max(shifts):.1f} mm to the left; "
                "look at all slices before trusting the number.",
            )
        )
    row = int(np.flatnonzero(curves.index == case.index)[0])
    septum = (settings.septum[0] <= FRACTIONS) & (settings.septum[1] >= FRACTIONS)
    difference = abs(float(curves.by_field[row, septum].mean() - curves.by_maps[row, septum].mean()))
    if difference > READINGS_DIFFER_MM:
        flags.append(
            Quality(
                "readings-differ",
                "warning",
                f"The displacement field and the midline map disagree by {difference:.1f} mm on the case's slice.",
            )
        )
    return flags
