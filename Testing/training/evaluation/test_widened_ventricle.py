"""A ventricle made wider: on the side asked for, inside the brain, with the midline where it was."""

from dataclasses import replace

import numpy as np
import pytest
from lined_head import COLUMNS, HALF_LENGTH_MM, ROWS, SPACING, line_at, lined_head, lined_measurement, place

from midlineshift_training.evaluation.widened_ventricle import widened
from MidlineShiftLogic.geometry.frame import plane_to_pixels
from MidlineShiftLogic.measurement.deviation import FRACTIONS

MIDDLE = 10
"""A slice within the heights of the ventricles."""


def measured(ct, angle, shift_mm=0.0):
    """Measured with every midline point ``shift_mm`` to the left."""
    found = lined_measurement(ct, angle)
    n, u = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    middle = np.array([COLUMNS * SPACING[2], ROWS * SPACING[1]]) / 2
    points = middle + np.linspace(-HALF_LENGTH_MM, HALF_LENGTH_MM, 57)[:, None] * u + shift_mm * n
    line = {"midline_px": plane_to_pixels(ct, points), "midline_shift_mm": np.full(57, shift_mm)}
    return replace(found, slices=[replace(one, **line) for one in found.slices])


@pytest.mark.parametrize("angle", [0.0, 0.2])
@pytest.mark.parametrize("side", [1, -1])
def test_the_wall_of_that_side_moves_outward_and_the_midline_stays(side, angle):
    ct = lined_head(angle)
    altered = widened(ct, measured(ct, angle), side)
    # the line is some millimetres wide, and its edge moves a little: where it is brightest
    peak = np.where(altered.hu[MIDDLE] > 80, altered.hu[MIDDLE], 0)
    assert line_at(peak, angle, FRACTIONS) == pytest.approx(0, abs=0.3)
    across, along = place(angle)
    changed = altered.hu[MIDDLE] != ct.hu[MIDDLE]
    assert changed.any() and not changed[across * side <= 0].any(), "the other half stays"
    assert not changed[np.abs(across) > 62].any(), "the skull stays"
    # a bright wall on both sides
    ct.hu[:, (np.abs(np.abs(across) - 12.0) < 1.0) & (np.abs(along) < 40)] = 90.0
    altered = widened(ct, measured(ct, angle), side)
    bright = (altered.hu[MIDDLE] > 75) & (np.abs(along + 16) < 8) & (across * side > 5) & (across * side < 40)
    assert np.median(np.abs(across[bright])) > 13.5, "at 12 mm before"


def test_slices_without_lateral_ventricles_stay():
    ct = lined_head(0.0)
    altered = widened(ct, measured(ct, 0.0), 1)
    assert np.array_equal(altered.hu[0], ct.hu[0]) and np.array_equal(altered.hu[-1], ct.hu[-1])


def test_the_measured_midline_is_the_one_that_stays():
    ct, across = lined_head(0.0), place(0.0)[0]
    changed = widened(ct, measured(ct, 0.0, shift_mm=6.0), 1).hu[MIDDLE] != ct.hu[MIDDLE]
    assert changed.any() and not changed[across <= 6.0].any()
