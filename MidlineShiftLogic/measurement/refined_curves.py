"""Move midlines and their ideal lines to where a second look along the midline found them.

The second look gives, for every slice, the midline's lateral place at places along the first ideal line and a little
beyond its ends. The falx attachments are at the ends, so that both the ideal line and the deviation follow anew.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from MidlineShiftLogic.geometry import lines
from MidlineShiftLogic.measurement.deviation import FRACTIONS
from MidlineShiftLogic.measurement.head_plane import draw_toward_plane
from MidlineShiftLogic.measurement.midline_curves import MidlineCurves, Refinement
from MidlineShiftLogic.measurement.shift_settings import ShiftSettings
from MidlineShiftLogic.measurement.smoothing import smooth

ANTERIOR_END, POSTERIOR_END = (-0.02, 0.03), (0.97, 1.02)
"""Fractions of the first ideal line over which a falx attachment's lateral place is averaged."""


@dataclass(frozen=True)
class SecondLook:
    """Where k slices' midlines are, by a second look.

    Attributes:
        fractions: (n,) rising places along the first ideal line, 0 at its anterior end, 1 at the posterior one.
        midline_mm: (k, n) mm from the first ideal line to the midline, positive toward the patient's left.
        spread_mm: (k, n) mm, standard deviation of that.
        mirror_mm: (k, n) mm, half of the difference between the strip's midline and that of its mirror image.
    """

    fractions: np.ndarray
    midline_mm: np.ndarray
    spread_mm: np.ndarray
    mirror_mm: np.ndarray


def midline_at(deviation: np.ndarray, fractions: np.ndarray) -> np.ndarray:
    """Interpolate deviations (k, len(FRACTIONS)) at other fractions (n,); 0 at the attachments and beyond.

    Returns:
        (k, n), in the unit of ``deviation``.
    """
    places = np.concatenate([[0.0], FRACTIONS, [1.0]])
    return np.stack([np.interp(fractions, places, np.concatenate([[0.0], one, [0.0]])) for one in deviation])


def move_midlines(
    curves: MidlineCurves, seen: SecondLook, z_mm: np.ndarray, step_mm: float, settings: ShiftSettings
) -> MidlineCurves:
    """Draw ideal lines and midlines anew from a second look.

    Args:
        curves: of the first look, k slices.
        seen: of the second one.
        z_mm: (k,) positions of the slices along their normal.
        step_mm: scan millimetres of a frame pixel.
        settings: of the shift computation.

    Returns:
        Midlines of the same slices; ``by_field``, ``by_maps`` and ``mirror`` are those of the first look.
    """
    start, along = curves.falx_attachments[:, 0], curves.falx_attachments[:, 1] - curves.falx_attachments[:, 0]
    left = lines.normal(curves.angle)
    ends = [_at_end(seen.fractions, end) for end in (ANTERIOR_END, POSTERIOR_END)]
    moved = np.stack([seen.midline_mm[:, end].mean(1) for end in ends], 1)
    attachments = curves.falx_attachments + (moved / step_mm)[..., None] * left[:, None]
    ideal = draw_toward_plane(
        attachments,
        *lines.line_through(attachments[:, 0], attachments[:, 1]),
        z_mm,
        curves.confidence,
        share=settings.refined_plane_share,
        step_mm=step_mm,
    )
    points = start[:, None] + seen.fractions[:, None] * along[:, None]
    points = points + (seen.midline_mm / step_mm)[..., None] * left[:, None]
    deviation = step_mm * _deviation(points, ideal.falx_attachments, lines.normal(ideal.angle))
    smoothed = smooth(
        deviation, FRACTIONS, z_mm, curves.confidence, replace(settings, smooth_mm=settings.refined_smooth_mm)
    )
    septum = (settings.septum[0] <= FRACTIONS) & (settings.septum[1] >= FRACTIONS)
    refinement = Refinement(
        deviation=deviation,
        spread=_at_fractions(seen.fractions, seen.spread_mm),
        attachment_spread=np.stack([seen.spread_mm[:, end].mean(1) for end in ends], 1),
        mirror=_at_fractions(seen.fractions, seen.mirror_mm),
        moved_mm=(smoothed - curves.deviation)[:, septum].mean(1),
    )
    return replace(
        curves,
        angle=ideal.angle,
        lateral_offset=ideal.lateral_offset,
        falx_attachments=ideal.falx_attachments,
        deviation=smoothed,
        plane_offset_mm=ideal.plane_offset_mm,
        refinement=refinement,
    )


def _at_end(fractions: np.ndarray, end: tuple[float, float]) -> np.ndarray:
    """Mark the places of an end; the nearest one where they are too far apart for any."""
    inside = (fractions > end[0]) & (fractions < end[1])
    if not inside.any():
        inside[np.abs(fractions - np.mean(end)).argmin()] = True
    return inside


def _at_fractions(fractions: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.stack([np.interp(FRACTIONS, fractions, one) for one in values])


def _deviation(points: np.ndarray, attachments: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Measure curves (k, n, 2) from new lines, at ``FRACTIONS`` of these; all in frame pixels."""
    result = np.empty((len(points), len(FRACTIONS)))
    for j, curve in enumerate(points):
        along = attachments[j, 1] - attachments[j, 0]
        apart = curve - attachments[j, 0]
        fraction = apart @ along / (along @ along)
        order = np.argsort(fraction)  # a curve that turns back on the new line is taken in its order
        result[j] = np.interp(FRACTIONS, fraction[order], (apart @ left[j])[order])
    return result
