"""The way of a scan: pose, aligned slices, networks, read-out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from MidlineShiftLogic.errors import Cancelled
from MidlineShiftLogic.geometry.frame import Frame, align
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.inference.authors_predictor import authors_fields, carry_field, with_field
from MidlineShiftLogic.inference.batches import out_of_memory, release
from MidlineShiftLogic.inference.dense_result import DenseResult
from MidlineShiftLogic.inference.flags import quality_flags, reject_unreliable
from MidlineShiftLogic.inference.noise_difference import NoiseSettings
from MidlineShiftLogic.inference.outline import Outline, trace
from MidlineShiftLogic.inference.pose import MIN_MEASURABLE_SLICES, HeadPose, estimate_pose, fit_heights
from MidlineShiftLogic.inference.predictor import predict_slices
from MidlineShiftLogic.measurement.compute_shift import (
    MidlineCurves,
    ShiftSettings,
    find_midlines,
    measure_slices,
    select_case_slice,
)
from MidlineShiftLogic.measurement.results import Measurement, SliceMeasurement
from MidlineShiftLogic.measurement.uncertainty import parse_uncertainty
from MidlineShiftLogic.measurement.uncertainty_features import uncertainty_features
from MidlineShiftLogic.models.folder import denoiser_pair
from MidlineShiftLogic.models.settings import parse_settings
from MidlineShiftLogic.networks.midline_unet import MidlineUNet
from MidlineShiftLogic.networks.outputs import PredictedMaps
from MidlineShiftLogic.progress import Cancelled as CancelledCallback
from MidlineShiftLogic.progress import Progress, silent
from MidlineShiftLogic.quality import Quality

if TYPE_CHECKING:
    from MidlineShiftLogic.models import Model

HEIGHT_MARGIN_MM = 8.0


def measure_ct(
    ct: HeadCT,
    model: Model,
    device: str,
    progress: Progress | None = None,
    authors_readout: bool = False,
    cancelled: CancelledCallback | None = None,
    case_id: str = "",
) -> tuple[Measurement, DenseResult]:
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
        RefusedError: no midline can be found, or the slices show that none can be measured. Cancelled: on request.
        InputError: the model gives a parameter that this version does not know.
    """
    progress = progress or silent

    def step(done: int, total: int) -> None:
        if cancelled is not None and cancelled():
            raise Cancelled("Measuring was cancelled; nothing was written.")
        progress(done, total, "reading slices")

    step(0, ct.n_slices)
    uncertainty = parse_uncertainty(model.uncertainty)
    read, device, memory_flags = _read_or_fall_back(ct, model, device, step)
    frame, maps, chosen = read.frame, read.maps, read.chosen
    found = compute_shift(ct, read)
    slices, case = found.slices, found.case
    dense = _dense_result(ct, frame, maps, chosen, found.curves.index)
    authors_case = None
    if authors_readout:
        of_slice = dict(zip(chosen.tolist(), read.largest_mm.tolist(), strict=True))
        slices = [replace(m, authors_readout_mm=of_slice[m.index]) for m in slices]
        authors_case = max(of_slice.values())
    flags = quality_flags(ct, read.pose, found.curves, found.slices, case, found.outline, read.settings)
    measurement = Measurement(
        case_id=case_id,
        signed_shift_mm=case.signed_shift_mm,
        slice=case.index,
        slices=tuple(slices),
        quality=(*ct.quality, *memory_flags, *flags),
        authors_readout_mm=authors_case,
        model=model.provenance,
        device=str(torch.device(device)),
        case_rule=read.settings.case_rule,
        interval_mm=uncertainty and uncertainty.interval_mm(case.signed_shift_mm, found.features),
        p_over_5mm=uncertainty and uncertainty.p_over(case.signed_shift_mm, found.features),
    )
    return measurement, dense


def _read_or_fall_back(
    ct: HeadCT, model: Model, device: str, step: Callable[[int, int], None]
) -> tuple[NetworkOutputs, str, list[Quality]]:
    """What the networks say, where they ran, and the flag that tells of it if that is not where they were asked to."""
    try:
        return run_networks(ct, model, device, step), device, []
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
    release()
    flag = Quality(
        "gpu-memory",
        "warning",
        "The GPU had too little free memory even for one slice at a time, so the scan was measured on the processor; "
        "close other programs that use the GPU.",
    )
    return run_networks(ct, model.on("cpu"), "cpu", step), "cpu", [flag]


def _dense_result(
    ct: HeadCT, frame: Frame, maps: PredictedMaps, chosen: np.ndarray, measured: np.ndarray
) -> DenseResult:
    """The fields of the measured slices; only the brain moves: what the network says of bone, scalp and air is noise."""
    rows = {int(index): int(np.flatnonzero(chosen == index)[0]) for index in measured}

    def inside(field: np.ndarray) -> dict[int, np.ndarray]:
        return {index: field[row] * maps.inside[row] for index, row in rows.items()}

    return DenseResult(ct, frame, inside(maps.displacement), inside(maps.inverse))


@dataclass(frozen=True)
class ComputedShift:
    """What the read-out made of the networks' word.

    Attributes:
        curves: midlines of the k measured slices; ``curves.index`` counts the scan's slices.
        slices: their k measurements. case: the one that stands for the case.
        outline: skull and skin around them.
        features: disagreements that show how uncertain the number is (``measurement.uncertainty_features``).
    """

    curves: MidlineCurves
    slices: list[SliceMeasurement]
    case: SliceMeasurement
    outline: Outline
    features: dict[str, float]


def compute_shift(ct: HeadCT, read: NetworkOutputs) -> ComputedShift:
    """Midlines, numbers and the case's slice from what the networks said.

    Raises:
        RefusedError: too few slices can be read, or what they show makes any number worthless (``flags``).
    """
    settings, pose, frame, chosen = read.settings, read.pose, read.frame, read.chosen
    curves = find_midlines(read.maps, frame, ct.heights[chosen], read.height, settings)
    curves.index = chosen[curves.index]
    slices = measure_slices(ct, frame, curves, settings)
    if ct.source_slices:
        slices = [replace(m, source_slices=tuple(ct.source_slices[m.index])) for m in slices]
    outline = trace(ct, frame, curves.index, curves.falx_attachments.mean(1) + (frame.size - 1) / 2)
    reject_unreliable(ct, curves, slices, outline)
    case = select_case_slice(slices, settings.case_rule)
    row = int(np.flatnonzero(curves.index == case.index)[0])
    features = uncertainty_features(curves, row, case.signed_shift_mm, pose.spread_mm, pose.falx_length_mm, settings)
    return ComputedShift(curves, slices, case, outline, features)


@dataclass(frozen=True)
class NetworkOutputs:
    """What the networks said of a scan, before any line is drawn.

    Attributes:
        pose: the head's mid-plane. settings: of the read-out, from the model.
        chosen: (k,) slices that the deformation network read. frame: theirs.
        maps: its outputs for these. height: (k,) mm above the anterior-commissure level, fitted.
        largest_mm: (k,) max |displacement|, mm (the read-out of Gong et al.).
    """

    pose: HeadPose
    settings: ShiftSettings
    chosen: np.ndarray
    frame: Frame
    maps: PredictedMaps
    height: np.ndarray
    largest_mm: np.ndarray


def run_networks(
    ct: HeadCT, model: Model, device: str, step: Callable[[int, int], None] = lambda done, total: None
) -> NetworkOutputs:
    """Pose of the head, and the deformation network's maps of the slices that may be measured.

    Args:
        ct: the scan. model: loaded model. device: torch device name. step: told (slices done, in all); may raise.

    Raises:
        RefusedError: no midline can be found. InputError: the model gives a parameter that this version does not know.
    """
    target = torch.device(device)
    settings = parse_settings(ShiftSettings, model.readout, "'readout' of model.json")
    noise = parse_settings(NoiseSettings, model.noise, "'noise' of model.json")
    pose = estimate_pose(ct, model.network("pose"), **model.grid_of("pose"), device=target)
    low, high = settings.measured_mm
    # a margin around the measured heights, since the deformation network judges the height anew
    chosen = np.flatnonzero(
        (pose.height > low - HEIGHT_MARGIN_MM) & (pose.height < high + HEIGHT_MARGIN_MM) & (pose.measurable > 0.1)
    )
    if len(chosen) < MIN_MEASURABLE_SLICES:
        chosen = np.arange(ct.n_slices)
    frame, maps, largest_mm = _read(ct, model, noise, pose, chosen, target, step)
    height = fit_heights(maps.height, maps.measurable, ct.heights[chosen])
    return NetworkOutputs(pose, settings, chosen, frame, maps, height, largest_mm)


def _read(
    ct, model: Model, noise: NoiseSettings, pose: HeadPose, chosen, device, step
) -> tuple[Frame, PredictedMaps, np.ndarray]:
    """The chosen slices by our deformation network or by that of Gong et al.: frame, maps, and the largest displacement.

    The last is (k,) mm, taken from the field as the network gave it, before it is carried to another frame.
    """
    denoisers = denoiser_pair(model) if model.uses_noise_difference else None
    frame = pose.frame(**model.grid_of("deformation"))
    network = model.network("deformation")
    if isinstance(network, MidlineUNet):
        maps = predict_slices(
            align(ct, frame.upsampled(network.upsampling), chosen),
            network,
            denoisers,
            noise,
            device,
            step,
            pose.height[chosen],
        )
        return frame, maps, _largest_mm(maps.displacement, frame)
    both = (model.network("conditional"), model.network("unconditional"))
    fields = authors_fields(align(ct, frame, chosen), network, both, noise, device, step)
    upright = pose.frame(**model.grid_of("pose"))
    pose_network = model.network("pose")
    hu = align(ct, upright.upsampled(pose_network.upsampling), chosen)
    maps = predict_slices(hu, pose_network, None, noise, device, lambda *_: None)
    maps = with_field(maps, *(carry_field(field, frame, upright) for field in fields))
    return upright, maps, _largest_mm(fields[0].numpy(), frame)


def _largest_mm(displacement: np.ndarray, frame: Frame) -> np.ndarray:
    """(k, 2, h, w) frame pixels -> (k,) scan millimetres: the read-out of Gong et al. of every slice."""
    return np.linalg.norm(displacement, axis=1).max((1, 2)) * frame.step_mm
