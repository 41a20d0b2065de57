"""One lateral ventricle of a scan made wider while its midline stays: the measured shift should stay, too.

Ventricles are seldom equal, and where they differ much the middle of the fluid is not the septum. The shape is that of
the training's ``transforms.unequal_ventricles``, at one fixed strength; training draws strength, reach and place.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from scipy import ndimage

from midlineshift_training.datasets.transforms.unequal_ventricles import Widening, pull
from midlineshift_training.evaluation.known_shifts import fade, midline_course
from MidlineShiftLogic.geometry import lines
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.measurement.results import Measurement

STRENGTH = 0.6
"""Relative pull: the ventricle becomes up to two thirds wider."""
REACH_SHARE = 0.13
"""Reach of the pull over the length of the falx, as 26 mm of 198."""
CENTRE, EXTENT = 0.40, 0.22
"""Fraction of the falx where the pull is strongest, and its spread."""
LEAST_MM = 0.3
"""Smaller moves are left out, so that the skull keeps its values."""
HEIGHTS_MM = (-5.0, 40.0)
"""Heights of the lateral ventricles, above the anterior-commissure level."""


def widened(ct: HeadCT, measurement: Measurement, side: int) -> HeadCT:
    """Widen one lateral ventricle.

    Args:
        ct: the scan. measurement: of it; the measured midline is the one that stays.
        side: +1: on the patient's left; -1: right.

    Returns:
        The scan with the ventricle wider; linear interpolation, pixels that do not move keep their values.
    """
    course = midline_course(ct, measurement)
    measured = measurement.slices
    nearest = np.abs(ct.heights[:, None] - np.array([one.z_mm for one in measured])).argmin(1)
    row_mm, column_mm = ct.pixel_spacing
    rows, columns = ct.hu.shape[1:]
    plane = np.stack(np.meshgrid(np.arange(columns) * column_mm, np.arange(rows) * row_mm), -1)
    hu = np.array(ct.hu, dtype=np.float32)
    for k, share in enumerate(fade(course.height, HEIGHTS_MM)):
        if share == 0:
            continue
        x, fraction = course.place(k, plane)
        one = measured[nearest[k]]
        _, places = course.place(one.index, one.midline_px * (column_mm, row_mm))
        beside = x - np.interp(fraction, places, one.midline_shift_mm)
        length = course.posterior[k] - course.anterior[k]
        one = (torch.tensor([float(value)]) for value in (STRENGTH, side, REACH_SHARE * length, CENTRE, EXTENT))
        pulled = (
            share * pull(torch.from_numpy(beside)[None], torch.from_numpy(fraction)[None], Widening(*one))[0].numpy()
        )
        moved = np.abs(pulled) > LEAST_MM
        at = (plane[moved] - pulled[moved][:, None] * lines.normal(course.angle)) / (column_mm, row_mm)
        hu[k][moved] = ndimage.map_coordinates(ct.hu[k], at.T[::-1], order=1, mode="nearest")
    return replace(ct, hu=hu)
