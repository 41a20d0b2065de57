"""Compute uncertainty features of a case: disagreements within its own measurement, which cost nothing extra to see.

Each feature is 0 or more and grows with doubt, so that ``uncertainty`` may only widen an interval by it.
"""

from __future__ import annotations

import numpy as np

from MidlineShiftLogic.measurement.deviation import FRACTIONS
from MidlineShiftLogic.measurement.midline_curves import MidlineCurves, Refinement
from MidlineShiftLogic.measurement.shift_settings import ShiftSettings

FEATURES = ("size", "readings", "mirror", "neighbours", "line", "plane", "confidence", "few", "scale")
"""Names, as calibrations store them in ``model.json``."""
REFINEMENT_FEATURES = ("blur", "refined", "strips")
"""The same, of models that look again along the midline; others do not have them."""
ADULT_FALX_MM = 160.0
"""Falx end to falx end of a middling adult head."""


def field_map_disagreement_mm(curves: MidlineCurves, row: int, settings: ShiftSettings) -> float:
    """Compute by how much displacement field and distance maps disagree on a slice's shift at the septum, mm.

    Args:
        curves: midlines. row: the slice among them. settings: of the shift computation.
    """
    return abs(float((curves.by_field - curves.by_maps)[row, _septum(settings)].mean()))


def uncertainty_features(
    curves: MidlineCurves,
    row: int,
    shift_mm: float,
    spread_mm: float,
    falx_length_mm: float,
    settings: ShiftSettings,
) -> dict[str, float]:
    """Compute the features of one case.

    Args:
        curves: the measured slices.
        row: the case's slice among them.
        shift_mm: the case's signed shift.
        spread_mm: scatter of the slices' midlines about the head's plane (``HeadPose``).
        falx_length_mm: falx end to falx end.
        settings: of the shift computation.

    Returns:
        Name of ``FEATURES`` -> value. Those in millimetres enter as log(1 + mm), since errors grow by factors: ``size``
        of the shift; ``readings``, displacement field against distance maps on the case's slice; ``mirror``, that
        slice against its mirror image; ``neighbours``, slices near the septum against their smoothed shifts; ``line``,
        the slice's own midline against the head's plane; ``plane``, scatter of all slices about that plane. Others:
        ``confidence``, 1 - the least one near the septum; ``few``, 1 / slices there; ``scale``, |log| of the falx's
        length against an adult's. With a second look along the midline also those of ``REFINEMENT_FEATURES``, all as
        log(1 + mm) on the case's slice: ``blur``, standard deviation of the shift that the network itself gives;
        ``refined``, by how much it changed the shift; ``strips``, the strip against its mirror image. ``neighbours``
        is then that of the midlines of the second look.
    """
    septum = _septum(settings)
    low, high = settings.window_mm
    near = (curves.height >= low) & (curves.height <= high)
    if not near.any():
        near[:] = True
    refinement = curves.refinement
    single = settings.field_share * curves.by_field + (1 - settings.field_share) * curves.by_maps
    if refinement is not None:
        single = refinement.deviation
    rough = (single - curves.deviation)[near][:, septum].mean(1)
    mm = {
        "size": abs(shift_mm),
        "readings": field_map_disagreement_mm(curves, row, settings),
        "mirror": abs(float(curves.mirror[row, septum].mean())),
        "neighbours": float(np.sqrt(np.mean(rough**2))),
        "line": abs(float(curves.plane_offset_mm[row])),
        "plane": spread_mm,
    }
    if refinement is not None:
        mm["blur"] = shift_spread_mm(refinement, row, settings)
        mm["refined"] = abs(float(refinement.moved_mm[row]))
        mm["strips"] = abs(float(refinement.mirror[row, septum].mean()))
    return {name: float(np.log1p(value)) for name, value in mm.items()} | {
        "confidence": float(1 - curves.confidence[near].min()),
        "few": float(1 / near.sum()),
        "scale": float(abs(np.log(falx_length_mm / ADULT_FALX_MM))),
    }


def shift_spread_mm(refinement: Refinement, row: int, settings: ShiftSettings) -> float:
    """Compute the standard deviation of a slice's shift from those of the midline and of both falx attachments, mm.

    The shift is the midline's place less that of the line between the attachments, whose shares are those of the lever.

    Args:
        refinement: of the second look. row: the slice in it. settings: of the shift computation.
    """
    at = float(np.mean(settings.septum))
    anterior, posterior = refinement.attachment_spread[row]
    midline = refinement.spread[row, _septum(settings)].mean()
    return float(np.sqrt(midline**2 + ((1 - at) * anterior) ** 2 + (at * posterior) ** 2))


def _septum(settings: ShiftSettings) -> np.ndarray:
    return (settings.septum[0] <= FRACTIONS) & (settings.septum[1] >= FRACTIONS)
