"""Compute millimetres from midlines: the one perpendicular distance of every slice, and the slice that is the case's."""

from __future__ import annotations

import numpy as np

from MidlineShiftLogic.geometry import lines
from MidlineShiftLogic.geometry.frame import Frame, plane_to_pixels
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.measurement.deviation import FRACTIONS
from MidlineShiftLogic.measurement.distance import LEFT, CaseRule, case_slice, ideal_point, signed_shift
from MidlineShiftLogic.measurement.midline_curves import MidlineCurves
from MidlineShiftLogic.measurement.results import SliceMeasurement
from MidlineShiftLogic.measurement.shift_settings import ShiftSettings

CENTRE_PREFERENCE_MM = 1e-3
"""A point that is a whole midline away from the septum's middle must fit better by so much to be the landmark."""


def measure_slices(ct: HeadCT, frame: Frame, curves: MidlineCurves, settings: ShiftSettings) -> list[SliceMeasurement]:
    """Compute landmarks and signed shift of every measured slice, in pixels of the scan and LPS millimetres.

    The shifted landmark is the deformed midline's point in the septum window whose deviation is the window's mean, so
    that the number is neither the window's extreme nor at odds with the picture.

    Args:
        ct: the scan.
        frame: the aligned frame of ``curves``.
        curves: midlines; ``curves.index`` counts the scan's slices.
        settings: of the shift computation.
    """
    septum = np.flatnonzero((settings.septum[0] <= FRACTIONS) & (settings.septum[1] >= FRACTIONS))
    low, high = settings.window_mm
    middle = (frame.size - 1) / 2
    result = []
    for j, index in enumerate(curves.index):
        index = int(index)
        n = lines.normal(curves.angle[j])
        start, stop = curves.falx_attachments[j]
        along = start + FRACTIONS[:, None] * (stop - start)
        midline = along + curves.deviation[j][:, None] / frame.step_mm * n
        polyline = np.concatenate([start[None], midline, stop[None]])
        window = curves.deviation[j][septum]
        far = np.abs(FRACTIONS[septum] - np.mean(settings.septum))
        pick = septum[np.argmin(np.abs(window - window.mean()) + CENTRE_PREFERENCE_MM * far)]
        plane = {
            "anterior_falx": frame.to_plane(index, start + middle),
            "posterior_falx": frame.to_plane(index, stop + middle),
            "shifted": frame.to_plane(index, midline[pick] + middle),
        }
        plane["ideal"] = ideal_point(plane["anterior_falx"], plane["posterior_falx"], plane["shifted"])
        shift = signed_shift(plane["anterior_falx"], plane["posterior_falx"], plane["shifted"], LEFT)
        pixels = {name: plane_to_pixels(ct, point) for name, point in plane.items()}
        height = float(curves.height[j])
        result.append(
            SliceMeasurement(
                index=index,
                z_mm=float(ct.heights[index]),
                signed_shift_mm=float(shift),
                landmarks_px=pixels,
                landmarks_lps_mm={name: ct.to_lps(index, point) for name, point in pixels.items()},
                midline_px=plane_to_pixels(ct, frame.to_plane(index, polyline + middle)),
                midline_shift_mm=np.concatenate([[0.0], curves.deviation[j], [0.0]]),
                height_mm=height,
                confidence=float(curves.confidence[j]),
                in_case_window=bool(low <= height <= high),
            )
        )
    return result


def select_case_slice(slices: list[SliceMeasurement], rule: CaseRule) -> SliceMeasurement:
    """Choose the slice that stands for the case (see ``distance.case_slice``)."""
    shifts = np.array([m.signed_shift_mm for m in slices])
    window = np.array([m.in_case_window for m in slices])
    return slices[case_slice(shifts, window, rule)]
