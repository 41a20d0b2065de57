"""From what the network saw to midlines, landmarks and millimetres.

Not the maximum of |u| over all pixels (that picks noise, edges and sulci): the ideal midline through the predicted
falx attachments, the deformed midline from the field, and the signed perpendicular distance along it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import ndimage

from MidlineShiftLogic.errors import RefusedError
from MidlineShiftLogic.geometry import lines
from MidlineShiftLogic.geometry.frame import Frame, plane_to_pixels
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.measurement.distance import CaseRule, case_slice, ideal_point, signed_shift
from MidlineShiftLogic.measurement.results import SliceMeasurement
from MidlineShiftLogic.networks.outputs import PredictedMaps

# Fractions of the ideal midline, from its anterior end, at which the deviation is read.
FRACTIONS = np.linspace(0.10, 0.90, 41)


@dataclass(frozen=True)
class ShiftSettings:
    """How the curves become a number; stored in ``model.json`` under ``readout``.

    The defaults never change: a model that was exported before a parameter existed says nothing of it, and must go on
    reading as it did. What new models are given is ``NEW_MODEL_SETTINGS``.

    Attributes:
        septum: fractions of the ideal midline between which the septum pellucidum lies.
        window_mm: heights above the anterior-commissure level of the slices that may stand for the case.
        measured_mm: heights of the slices that are measured at all.
        smooth_mm: standard deviation of the smoothing across slices.
        smooth_order: degree of the polynomial that is fitted across slices; 0 takes the mean, which flattens a peak.
        smooth_fraction: standard deviation of the smoothing along the midline.
        quantile: of the shifts of the window's slices, toward their common side, that is the case's.
        agreement: how large their mean must be, against their range, for that; else the median is taken.
        min_confidence: least confidence of a measured slice.
        plane_share: weight of the head's one mid-plane against the slice's own line, 0..1.
        field_share: weight of the displacement field's deviation against the distance maps', 0..1.
    """

    septum: tuple[float, float] = (0.30, 0.46)
    window_mm: tuple[float, float] = CaseRule.window_mm
    measured_mm: tuple[float, float] = (-8.0, 45.0)
    smooth_mm: float = 4.0
    smooth_order: int = 0
    smooth_fraction: float = 0.03
    quantile: float = CaseRule.quantile
    agreement: float = 0.0
    min_confidence: float = 0.5
    plane_share: float = 0.75
    field_share: float = 0.5

    RENAMED: ClassVar[dict[str, str]] = {"readable": "min_confidence"}
    """Names in ``model.json`` of earlier versions -> names of today."""

    @property
    def case_rule(self) -> CaseRule:
        """How the case's number is chosen."""
        low, high = self.window_mm
        return CaseRule(self.quantile, (low, high), self.agreement)


NEW_MODEL_SETTINGS = ShiftSettings(smooth_mm=8.0, smooth_order=2, smooth_fraction=0.0, agreement=1.0)
"""See docs/adr/0029 and 0031."""


@dataclass
class MidlineCurves:
    """Deviation of the midline in each slice that could be read, in the aligned frame.

    Attributes:
        index: (k,) slice indices. confidence: (k,). height: (k,) mm.
        angle, lateral_offset: (k,) ideal line of each slice (frame pixels from the middle, see ``geometry.lines``).
        falx_attachments: (k, 2, 2) falx attachments on that line (frame pixels from the middle).
        deviation: (k, len(FRACTIONS)) mm, positive toward the patient's left; the combined reading.
        by_field, by_maps: (k, len(FRACTIONS)) mm, the two readings that were combined.
        mirror: (k, len(FRACTIONS)) mm, half of what the slice and its mirror image say differently of the deviation.
        plane_offset_mm: (k,) mm by which the slice's own midline lies to the left of the head's plane, at the falx's middle.
    """

    index: np.ndarray
    confidence: np.ndarray
    height: np.ndarray
    angle: np.ndarray
    lateral_offset: np.ndarray
    falx_attachments: np.ndarray
    deviation: np.ndarray
    by_field: np.ndarray
    by_maps: np.ndarray
    mirror: np.ndarray
    plane_offset_mm: np.ndarray


def _own_lines(maps: PredictedMaps, use: np.ndarray, size: int):
    """Ends (k, 2, 2), angles (k,), offsets (k,) from each slice's own heat maps and ideal-distance map."""
    ends, _ = lines.soft_argmax(maps.attachments[use], size)
    angle, offset = lines.line_through(ends[:, 0], ends[:, 1])
    for j, k in enumerate(use):
        fit = lines.line_of_distance_map(maps.ideal[k], maps.inside[k], size)
        if fit is not None:
            # the two lines are averaged where it matters: at the falx's middle
            middle = ends[j].mean(0)
            own = offset[j] - middle @ lines.normal(angle[j])
            other = fit[1] - middle @ lines.normal(fit[0])
            angle[j] = (angle[j] + fit[0]) / 2
            offset[j] = (own + other) / 2 + middle @ lines.normal(angle[j])
    return ends, angle, offset


def _field_deviation(inverse: np.ndarray, start: np.ndarray, step: np.ndarray, n: np.ndarray, size: int) -> np.ndarray:
    """(len(FRACTIONS),) pixels: where the inverse field carries the ideal midline, measured along the normal.

    Args:
        inverse: (2, h, w) rows, columns. start, step: anterior end and anterior-to-posterior vector. n: normal.
    """
    fine = np.linspace(0.0, 1.0, 81)
    points = start + fine[:, None] * step
    nodes = (points / 2.0 + (size // 2 - 1) / 2)[:, ::-1].T
    moved = np.stack([ndimage.map_coordinates(c, nodes, order=1, mode="nearest") for c in inverse[::-1]], -1)
    along = fine + moved @ step / (step @ step)
    order = np.argsort(along)
    return np.interp(FRACTIONS, along[order], (moved @ n)[order])


def _map_deviation(deformed, ideal, start, step, n, size) -> np.ndarray:
    """(len(FRACTIONS),) pixels: where the deformed-distance map crosses zero, and what the two maps' difference says.

    The crossing is the transversal position whose neighbourhood looks most like a distance (a ramp of slope one), which
    is steadier than a sign change.
    """
    spacing = 0.15
    across = np.arange(-14.0, 14.0 + spacing / 2, spacing)
    template = np.arange(-12, 13)
    points = start + FRACTIONS[:, None, None] * step + across[:, None] * n
    nodes = (points / 2.0 + (size // 2 - 1) / 2)[..., ::-1]
    value = ndimage.map_coordinates(deformed, np.moveaxis(nodes, -1, 0), order=1, mode="nearest")
    windows = np.lib.stride_tricks.sliding_window_view(value, len(template), axis=1)
    cost = np.abs(windows - template * spacing).mean(-1)
    centre = across[len(template) // 2 : -(len(template) // 2)]
    cost = cost + 0.01 * np.abs(centre)
    best = cost.argmin(1)
    # between the sampled positions: a ramp of slope one that is off by d is off by d everywhere
    residual = windows[np.arange(len(best)), best] - template * spacing
    crossing = centre[best] - np.median(residual, axis=1)
    at = start + FRACTIONS[:, None] * step + crossing[:, None] * n
    return (crossing + _on_line(ideal - deformed, at, size)) / 2


def _on_line(half: np.ndarray, points: np.ndarray, size: int) -> np.ndarray:
    """(p,) values of a half-grid map at (p, 2) points (frame pixels from the middle), linear."""
    nodes = (points / 2.0 + (size // 2 - 1) / 2)[:, ::-1].T
    return ndimage.map_coordinates(half, nodes, order=1, mode="nearest")


def find_midlines(
    maps: PredictedMaps, frame: Frame, z_mm: np.ndarray, height: np.ndarray, s: ShiftSettings
) -> MidlineCurves:
    """Find the ideal and the deformed midline in every measurable slice.

    Args:
        maps: network outputs for all slices. frame: the aligned frame. z_mm: (slice,) positions along the normal.
        height: (slice,) fitted heights, mm. s: settings.

    Raises:
        RefusedError: fewer than three slices can be read (code ``no-midline``).
    """
    use = np.flatnonzero(
        (maps.measurable > s.min_confidence) & (height >= s.measured_mm[0]) & (height <= s.measured_mm[1])
    )
    if len(use) < 3:
        raise RefusedError(
            f"The midline could be read in only {len(use)} slices between the third ventricle and the vertex, too few "
            "for a measurement; the scan may not cover this part of the head or be disturbed by motion or metal.",
            "no-midline",
        )
    ends, angle, offset = _own_lines(maps, use, frame.size)
    weight = maps.measurable[use]
    middle = ends.mean(1)
    own = offset - (middle * lines.normal(angle)).sum(-1) + middle[:, 0]
    step_mm = frame.step_mm
    # one plane through all slices: the angle is common, the lateral place linear in z
    common = lines.weighted_median(angle, weight)
    a, b = lines.robust_linear(z_mm[use], own * step_mm, weight, spread=1.5, slope_limit=0.3)
    plane = (a + b * z_mm[use]) / step_mm
    angle = (1 - s.plane_share) * angle + s.plane_share * common
    lateral = (1 - s.plane_share) * own + s.plane_share * plane
    offset = lateral + ((middle * lines.normal(angle)).sum(-1) - middle[:, 0])
    n = lines.normal(angle)
    # the attachments are told on the line that is used
    ends = ends + (offset[:, None] - np.einsum("kei,ki->ke", ends, n))[..., None] * n[:, None]
    by_field = np.empty((len(use), len(FRACTIONS)))
    by_maps, mirror = np.empty_like(by_field), np.zeros_like(by_field)
    for j, k in enumerate(use):
        step = ends[j, 1] - ends[j, 0]
        by_field[j] = _field_deviation(maps.inverse[k], ends[j, 0], step, n[j], frame.size)
        by_maps[j] = _map_deviation(maps.deformed[k], maps.ideal[k], ends[j, 0], step, n[j], frame.size)
        if maps.mirror is not None:
            mirror[j] = _on_line(maps.mirror[k], ends[j, 0] + FRACTIONS[:, None] * step, frame.size)
    by_field, by_maps, mirror = by_field * step_mm, by_maps * step_mm, mirror * step_mm
    deviation = s.field_share * by_field + (1 - s.field_share) * by_maps
    deviation = smooth(deviation, z_mm[use], weight, s)
    plane_offset_mm = own * step_mm - a - b * z_mm[use]
    return MidlineCurves(
        use, weight, height[use], angle, offset, ends, deviation, by_field, by_maps, mirror, plane_offset_mm
    )


def smooth(deviation: np.ndarray, z_mm: np.ndarray, weight: np.ndarray, s: ShiftSettings) -> np.ndarray:
    """Smoothing of (k, f) deviations along the midline (Gaussian) and, by true distance, across slices.

    Across slices each one gets the value at its place of a polynomial fitted to its neighbours, weighted by nearness and
    confidence (local regression, Cleveland 1979): a mean would flatten a shift that peaks in a few slices.
    """
    pitch = FRACTIONS[1] - FRACTIONS[0]
    if s.smooth_fraction > 0:
        deviation = ndimage.gaussian_filter1d(deviation, s.smooth_fraction / pitch, axis=1, mode="nearest")
    if s.smooth_mm <= 0:
        return deviation
    apart = z_mm[None, :] - z_mm[:, None]
    kernel = np.exp(-0.5 * (apart / s.smooth_mm) ** 2) * weight[None, :]
    result = np.empty_like(deviation)
    for j, near in enumerate(kernel):
        # a fit of as many coefficients as slices would smooth nothing
        spare = int((near > 0.05 * near.max()).sum()) - 2
        powers = np.vander(apart[j], max(0, min(s.smooth_order, spare)) + 1, increasing=True)
        root = np.sqrt(near)[:, None]
        result[j] = np.linalg.lstsq(powers * root, deviation * root, rcond=None)[0][0]
    return result


def measure_slices(ct: HeadCT, frame: Frame, curves: MidlineCurves, s: ShiftSettings) -> list[SliceMeasurement]:
    """Landmarks and signed shift of every read slice, in pixels of the scan and LPS millimetres.

    The shifted landmark is the deformed midline's point in the septum window whose deviation is the window's mean, so
    that the number is neither the window's extreme nor at odds with the picture.
    """
    septum = np.flatnonzero((s.septum[0] <= FRACTIONS) & (s.septum[1] >= FRACTIONS))
    middle = (frame.size - 1) / 2
    result = []
    for j, index in enumerate(curves.index):
        index = int(index)
        n = lines.normal(curves.angle[j])
        start, stop = curves.falx_attachments[j]
        along = start + FRACTIONS[:, None] * (stop - start)
        midline = along + curves.deviation[j][:, None] / frame.step_mm * n
        window = curves.deviation[j][septum]
        far = np.abs(FRACTIONS[septum] - np.mean(s.septum))
        pick = septum[np.argmin(np.abs(window - window.mean()) + 1e-3 * far)]
        to_plane = lambda p, index=index: frame.to_plane(index, p + middle)  # noqa: E731
        plane = {
            "anterior_falx": to_plane(start),
            "posterior_falx": to_plane(stop),
            "shifted": to_plane(midline[pick]),
        }
        plane["ideal"] = ideal_point(plane["anterior_falx"], plane["posterior_falx"], plane["shifted"])
        shift = signed_shift(plane["anterior_falx"], plane["posterior_falx"], plane["shifted"], np.array([1.0, 0.0]))
        pixels = {name: plane_to_pixels(ct, point) for name, point in plane.items()}
        height = float(curves.height[j])
        result.append(
            SliceMeasurement(
                index=index,
                z_mm=float(ct.heights[index]),
                signed_shift_mm=float(shift),
                landmarks_px=pixels,
                landmarks_lps_mm={name: ct.to_lps(index, point) for name, point in pixels.items()},
                midline_px=plane_to_pixels(ct, to_plane(np.concatenate([start[None], midline, stop[None]]))),
                midline_shift_mm=np.concatenate([[0.0], curves.deviation[j], [0.0]]),
                height_mm=height,
                confidence=float(curves.confidence[j]),
                in_case_window=bool(s.window_mm[0] <= height <= s.window_mm[1]),
            )
        )
    return result


def select_case_slice(slices: list[SliceMeasurement], rule: CaseRule) -> SliceMeasurement:
    """The slice that stands for the case (see ``distance.case_slice``)."""
    shifts = np.array([m.signed_shift_mm for m in slices])
    window = np.array([m.in_case_window for m in slices])
    return slices[case_slice(shifts, window, rule)]
