"""The way of a scan: pose, aligned slices, networks, shift computation.

A scan is aligned once, to the head's final pose. Before that, ``estimate_pose`` looks at all slices twice, each time in a
coarser guess of that frame: as the head was scanned, and roughly upright. The three frames differ, and a cut of a cut would blur,
so each is cut out of the scan itself. ``PosedSlices`` then carries scan, pose and chosen slices to the networks.
A second look along the midline cuts the measured slices anew, in the same frame at twice its density.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from MidlineShiftLogic.errors import Cancelled
from MidlineShiftLogic.geometry.frame import Frame
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.inference.batches import out_of_memory, release
from MidlineShiftLogic.inference.dense_result import DenseResult
from MidlineShiftLogic.inference.flags import quality_flags, reject_unreliable
from MidlineShiftLogic.inference.maps import Step, no_step
from MidlineShiftLogic.inference.noise_difference import NoiseSettings
from MidlineShiftLogic.inference.outline import Outline, trace
from MidlineShiftLogic.inference.pose import MIN_MEASURABLE_SLICES, HeadPose, estimate_pose, fit_heights
from MidlineShiftLogic.inference.prediction import NetworkRun, PosedSlices
from MidlineShiftLogic.inference.predictor import predict
from MidlineShiftLogic.inference.refine_midlines import refine_midlines
from MidlineShiftLogic.measurement.compute_shift import measure_slices, select_case_slice
from MidlineShiftLogic.measurement.midline_curves import MidlineCurves, find_midlines
from MidlineShiftLogic.measurement.results import Measurement, SliceMeasurement
from MidlineShiftLogic.measurement.shift_settings import ShiftSettings
from MidlineShiftLogic.measurement.uncertainty import parse_uncertainty
from MidlineShiftLogic.measurement.uncertainty_features import uncertainty_features
from MidlineShiftLogic.models.settings import parse_settings
from MidlineShiftLogic.networks.outputs import PredictedMaps
from MidlineShiftLogic.progress import Cancelled as CancelledCallback
from MidlineShiftLogic.progress import Progress, silent
from MidlineShiftLogic.quality import Quality

if TYPE_CHECKING:
    from MidlineShiftLogic.models import Model

HEIGHT_MARGIN_MM = 8.0
"""Beyond the measured heights: the deformation network judges the height anew, and neighbours smooth each other."""
CLEARLY_UNMEASURABLE = 0.1
"""Slices that the pose network thinks less likely to be measurable than this are not given to the deformation network."""


@dataclass(frozen=True)
class NetworkOutputs:
    """What the networks predict of a scan.

    Attributes:
        pose: the head's midsagittal plane.
        settings: of the shift computation, from the model.
        chosen: (k,) slices that went through the deformation network.
        frame: the aligned frame of ``maps``.
        maps: its outputs for these.
        height: (k,) mm above the anterior-commissure level, fitted.
        largest_mm: (k,) largest |displacement|, mm (what Gong et al. report).
        refined: midlines after a second look along them; None where the model has no network for it.
    """

    pose: HeadPose
    settings: ShiftSettings
    chosen: np.ndarray
    frame: Frame
    maps: PredictedMaps
    height: np.ndarray
    largest_mm: np.ndarray
    refined: MidlineCurves | None = None


@dataclass(frozen=True)
class ComputedShift:
    """Midlines and millimetres computed from the networks' outputs.

    Attributes:
        curves: midlines of the k measured slices; ``curves.index`` counts the scan's slices.
        slices: their k measurements.
        case: the one that stands for the case.
        outline: skull and skin around them.
        features: disagreements that show how uncertain the number is (``measurement.uncertainty_features``).
    """

    curves: MidlineCurves
    slices: list[SliceMeasurement]
    case: SliceMeasurement
    outline: Outline
    features: dict[str, float]


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
        model: loaded model.
        device: torch device name.
        progress: called with the slices done.
        authors_readout: also report max |u| (Gong et al. 2023), in the deformation network's own frame, the case's over
            all slices that went through this network. Theirs are slices 8 to depth - 5, whatever these show.
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
        progress(done, total, "measuring slices")

    step(0, ct.n_slices)
    uncertainty = parse_uncertainty(model.uncertainty, model.has_refinement)
    outputs, device, memory_flags = _run_or_fall_back(ct, model, device, step)
    shift = compute_shift(ct, outputs)
    case, slices, authors_case = shift.case, shift.slices, None
    if authors_readout:
        of_slice = dict(zip(outputs.chosen.tolist(), outputs.largest_mm.tolist(), strict=True))
        slices = [replace(m, authors_readout_mm=of_slice[m.index]) for m in slices]
        authors_case = max(of_slice.values())
    flags = quality_flags(ct, outputs.pose, shift.curves, shift.slices, case, shift.outline, outputs.settings)
    measurement = Measurement(
        case_id=case_id,
        signed_shift_mm=case.signed_shift_mm,
        slice=case.index,
        slices=tuple(slices),
        quality=(*ct.quality, *memory_flags, *flags),
        authors_readout_mm=authors_case,
        model=model.provenance,
        device=str(torch.device(device)),
        case_rule=outputs.settings.case_rule,
        interval_mm=None if uncertainty is None else uncertainty.interval_mm(case.signed_shift_mm, shift.features),
        p_over_5mm=None if uncertainty is None else uncertainty.p_over(case.signed_shift_mm, shift.features),
    )
    return measurement, _dense_result(ct, outputs, shift.curves.index)


def run_networks(ct: HeadCT, model: Model, device: str, step: Step = no_step) -> NetworkOutputs:
    """Find the head's pose, predict the maps of the slices that may be measured, and look again along the midlines.

    Args:
        ct: the scan.
        model: loaded model.
        device: torch device name.
        step: called as ``step(slices done, slices in all)``; may raise to stop.

    Raises:
        RefusedError: no midline can be found. InputError: the model gives a parameter that this version does not know.
    """
    target = torch.device(device)
    settings = parse_settings(ShiftSettings, model.readout, "'readout' of model.json")
    noise = parse_settings(NoiseSettings, model.noise, "'noise' of model.json")
    pose = estimate_pose(ct, model.network("pose"), **model.grid_of("pose"), device=target)
    chosen = _slices_to_predict(pose, settings)
    found = predict(PosedSlices(ct, pose, chosen), NetworkRun(model, noise, target, step))
    height = fit_heights(found.maps.height, found.maps.measurable, ct.heights[chosen])
    outputs = NetworkOutputs(pose, settings, chosen, found.frame, found.maps, height, found.largest_mm)
    if not model.has_refinement:
        return outputs
    curves, count = _first_midlines(ct, outputs), len(chosen)
    refined = refine_midlines(
        curves,
        ct,
        found.frame,
        model.network("refinement"),
        settings,
        target,
        lambda *_: step(count, count),  # all slices have been counted; what is left is short, but may be cancelled
    )
    return replace(outputs, refined=refined)


def compute_shift(ct: HeadCT, outputs: NetworkOutputs) -> ComputedShift:
    """Compute midlines, millimetres and the case's slice from what the networks predict.

    Raises:
        RefusedError: too few slices can be measured, or what they show makes any number unreliable (``flags``).
    """
    settings, pose, frame = outputs.settings, outputs.pose, outputs.frame
    curves = _first_midlines(ct, outputs) if outputs.refined is None else outputs.refined
    slices = measure_slices(ct, frame, curves, settings)
    if ct.source_slices:
        slices = [replace(m, source_slices=tuple(ct.source_slices[m.index])) for m in slices]
    outline = trace(ct, frame, curves.index, curves.falx_attachments.mean(1) + (frame.size - 1) / 2)
    reject_unreliable(ct, curves, slices, outline)
    case = select_case_slice(slices, settings.case_rule)
    row = int(np.flatnonzero(curves.index == case.index)[0])
    features = uncertainty_features(curves, row, case.signed_shift_mm, pose.spread_mm, pose.falx_length_mm, settings)
    return ComputedShift(curves, slices, case, outline, features)


def _first_midlines(ct: HeadCT, outputs: NetworkOutputs) -> MidlineCurves:
    """Find the midlines in the maps; their ``index`` counts the scan's slices."""
    chosen = outputs.chosen
    curves = find_midlines(outputs.maps, outputs.frame, ct.heights[chosen], outputs.height, outputs.settings)
    return replace(curves, index=chosen[curves.index])


def _run_or_fall_back(ct: HeadCT, model: Model, device: str, step: Step) -> tuple[NetworkOutputs, str, list[Quality]]:
    """Run the networks; where a GPU has too little memory on the processor, with a flag that reports it.

    Returns:
        Their outputs, the device that they ran on, and the flags.
    """
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


def _slices_to_predict(pose: HeadPose, settings: ShiftSettings) -> np.ndarray:
    """Return the indices of the slices around the measured heights; of all slices where these are too few."""
    low, high = settings.measured_mm
    near = (pose.height > low - HEIGHT_MARGIN_MM) & (pose.height < high + HEIGHT_MARGIN_MM)
    chosen = np.flatnonzero(near & (pose.measurable > CLEARLY_UNMEASURABLE))
    return chosen if len(chosen) >= MIN_MEASURABLE_SLICES else np.arange(len(pose.height))


def _dense_result(ct: HeadCT, outputs: NetworkOutputs, measured: np.ndarray) -> DenseResult:
    """Keep the fields of the measured slices; only the brain moves: what is predicted of bone, scalp and air is noise."""
    maps = outputs.maps
    rows = {int(index): int(np.flatnonzero(outputs.chosen == index)[0]) for index in measured}

    def inside(field: np.ndarray | None) -> dict[int, np.ndarray]:
        if field is None:
            raise ValueError("the deformation network gave no field")
        return {index: field[row] * maps.inside[row] for index, row in rows.items()}

    return DenseResult(ct, outputs.frame, inside(maps.displacement), inside(maps.inverse))
