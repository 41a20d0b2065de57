"""Find the ideal and the deformed midline in every slice that can be measured.

Not the maximum of |u| over all pixels, which picks noise, edges and sulci: the ideal midline goes through the predicted
falx attachments, the deformed one follows from the field and from the distance maps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from MidlineShiftLogic.errors import RefusedError
from MidlineShiftLogic.geometry import lines
from MidlineShiftLogic.geometry.frame import Frame
from MidlineShiftLogic.geometry.resampling import sample_half_grid
from MidlineShiftLogic.measurement.deviation import FRACTIONS, deviation_by_field, deviation_by_maps
from MidlineShiftLogic.measurement.head_plane import draw_toward_plane
from MidlineShiftLogic.measurement.shift_settings import ShiftSettings
from MidlineShiftLogic.measurement.smoothing import smooth
from MidlineShiftLogic.networks.outputs import PredictedMaps
from MidlineShiftLogic.text import counted

MIN_SLICES = 3
"""A head of which fewer slices can be measured is refused: no neighbour would vouch for the number."""


@dataclass(frozen=True)
class Refinement:
    """What a second look along the midlines knows beside them.

    Attributes:
        deviation: (k, len(FRACTIONS)) mm from the ideal to the deformed midline before slices smoothed each other.
        spread: (k, len(FRACTIONS)) mm, standard deviation of the midline's place across, by the network itself.
        attachment_spread: (k, 2) mm, the same of the anterior and the posterior falx attachment.
        mirror: (k, len(FRACTIONS)) mm, half of the difference between the midlines found in the strip and in its mirror
            image.
        moved_mm: (k,) mm by which the shift at the septum changed, positive toward the patient's left.
    """

    deviation: np.ndarray
    spread: np.ndarray
    attachment_spread: np.ndarray
    mirror: np.ndarray
    moved_mm: np.ndarray


@dataclass
class MidlineCurves:
    """Ideal and deformed midline of k slices, in the aligned frame.

    Attributes:
        index: (k,) slices.
        confidence: (k,) 0..1. height: (k,) mm above the anterior-commissure level.
        angle, lateral_offset: (k,) ideal line of each slice: radians, and frame pixels from the frame's middle along the
            normal toward the patient's left (``geometry.lines``).
        falx_attachments: (k, 2, 2) anterior and posterior end of the ideal midline, (x, y) in frame pixels from the middle.
        deviation: (k, len(FRACTIONS)) mm from the ideal to the deformed midline, positive toward the patient's left; both
            ways combined, and smoothed.
        by_field, by_maps: (k, len(FRACTIONS)) mm, the two that were combined.
        mirror: (k, len(FRACTIONS)) mm, half of the difference between the deviations of the slice and its mirror image.
        plane_offset_mm: (k,) mm from the head's plane to the slice's own midline at the falx's middle, positive toward the
            patient's left.
        refinement: what the second look along the midline knows (``refined_curves``); None where there was none.
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
    refinement: Refinement | None = None


def find_midlines(
    maps: PredictedMaps, frame: Frame, z_mm: np.ndarray, height: np.ndarray, settings: ShiftSettings
) -> MidlineCurves:
    """Find the midlines of every slice that can be measured.

    Args:
        maps: network outputs for all slices, with a field.
        frame: the aligned frame.
        z_mm: (slice,) positions along the normal.
        height: (slice,) fitted heights, mm.
        settings: of the shift computation.

    Raises:
        RefusedError: too few slices can be measured (code ``no-midline``).
    """
    low, high = settings.measured_mm
    use = np.flatnonzero((maps.measurable > settings.min_confidence) & (height >= low) & (height <= high))
    if len(use) < MIN_SLICES:
        raise RefusedError(
            f"The midline could be found in only {counted(len(use), 'slice')} between the third ventricle and the vertex, too "
            "few for a measurement; the scan may not cover this part of the head or be disturbed by motion or metal.",
            "no-midline",
        )
    if maps.inverse is None:
        raise ValueError("the maps have no displacement field")
    attachments, angle, offset = _own_lines(maps, use, frame.size)
    weight, step_mm = maps.measurable[use], frame.step_mm
    ideal = draw_toward_plane(
        attachments, angle, offset, z_mm[use], weight, share=settings.plane_share, step_mm=step_mm
    )
    attachments, left = ideal.falx_attachments, lines.normal(ideal.angle)
    by_field = np.empty((len(use), len(FRACTIONS)))
    by_maps, mirror = np.empty_like(by_field), np.zeros_like(by_field)
    for j, k in enumerate(use):
        start, along = attachments[j, 0], attachments[j, 1] - attachments[j, 0]
        by_field[j] = deviation_by_field(maps.inverse[k], start, along, left[j], frame.size)
        by_maps[j] = deviation_by_maps(maps.deformed[k], maps.ideal[k], start, along, left[j], frame.size)
        if maps.mirror is not None:
            mirror[j] = sample_half_grid(maps.mirror[k], start + FRACTIONS[:, None] * along, frame.size)
    by_field, by_maps, mirror = by_field * step_mm, by_maps * step_mm, mirror * step_mm
    combined = settings.field_share * by_field + (1 - settings.field_share) * by_maps
    return MidlineCurves(
        index=use,
        confidence=weight,
        height=height[use],
        angle=ideal.angle,
        lateral_offset=ideal.lateral_offset,
        falx_attachments=attachments,
        deviation=smooth(combined, FRACTIONS, z_mm[use], weight, settings),
        by_field=by_field,
        by_maps=by_maps,
        mirror=mirror,
        plane_offset_mm=ideal.plane_offset_mm,
    )


def _own_lines(maps: PredictedMaps, use: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find each slice's own line, from its heat maps and its map of distances to the ideal midline.

    Returns:
        Falx attachments (k, 2, 2), angles (k,) and lateral offsets (k,).
    """
    attachments, _ = lines.soft_argmax(maps.attachments[use], size)
    angle, offset = lines.line_through(attachments[:, 0], attachments[:, 1])
    for j, k in enumerate(use):
        fit = lines.line_of_distance_map(maps.ideal[k], maps.inside[k], size)
        if fit is not None:
            # the two lines are averaged where it matters: at the falx's middle
            middle = attachments[j].mean(0)
            own = offset[j] - middle @ lines.normal(angle[j])
            other = fit[1] - middle @ lines.normal(fit[0])
            angle[j] = (angle[j] + fit[0]) / 2
            offset[j] = (own + other) / 2 + middle @ lines.normal(angle[j])
    return attachments, angle, offset
