"""Draw the slices' own lines toward one midsagittal plane of the head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from MidlineShiftLogic.geometry import lines

PLANE_SPREAD_MM, PLANE_SLOPE = 1.5, 0.3
"""Usual scatter of a slice's own midline about the head's plane, and of its slope over the slices. The head is upright
here, so that the slope is less than where the pose is found."""


@dataclass(frozen=True)
class IdealLines:
    """Ideal midlines of k slices, in frame pixels from the frame's middle.

    Attributes:
        angle, lateral_offset: (k,) the lines (``geometry.lines``).
        falx_attachments: (k, 2, 2) anterior and posterior end, (x, y), moved onto the lines.
        plane_offset_mm: (k,) mm from the head's plane to the slice's own line at the falx's middle, positive toward the
            patient's left.
    """

    angle: np.ndarray
    lateral_offset: np.ndarray
    falx_attachments: np.ndarray
    plane_offset_mm: np.ndarray


def draw_toward_plane(
    attachments: np.ndarray,
    angle: np.ndarray,
    offset: np.ndarray,
    z_mm: np.ndarray,
    weight: np.ndarray,
    *,
    share: float,
    step_mm: float,
) -> IdealLines:
    """Fit one plane through all slices' own lines and mix each line with it: a common angle, an offset linear in z.

    Args:
        attachments: (k, 2, 2) falx attachments, frame pixels from the middle.
        angle, offset: (k,) each slice's own line.
        z_mm: (k,) positions along the normal. weight: (k,) confidence.
        share: weight of the plane against the slice's own line, 0..1.
        step_mm: scan millimetres of a frame pixel.
    """
    middle = attachments.mean(1)
    own = offset - (middle * lines.normal(angle)).sum(-1) + middle[:, 0]
    common = lines.weighted_median(angle, weight)
    a, b = lines.robust_linear(z_mm, own * step_mm, weight, spread=PLANE_SPREAD_MM, slope_limit=PLANE_SLOPE)
    plane = (a + b * z_mm) / step_mm
    angle = (1 - share) * angle + share * common
    lateral = (1 - share) * own + share * plane
    offset = lateral + ((middle * lines.normal(angle)).sum(-1) - middle[:, 0])
    left = lines.normal(angle)
    # the attachments are moved onto the line that is used
    moved = attachments + (offset[:, None] - np.einsum("kei,ki->ke", attachments, left))[..., None] * left[:, None]
    return IdealLines(angle, offset, moved, own * step_mm - a - b * z_mm)
