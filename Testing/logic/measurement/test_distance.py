"""The number itself: perpendicular, signed toward the patient's left, and the slice that stands for the case."""

import numpy as np
import pytest

from MidlineShiftLogic.measurement.distance import CaseRule, case_slice, ideal_point, signed_shift

LEFT = np.array([1.0, 0.0])


@pytest.mark.parametrize("turn", [-40, 0, 25])
@pytest.mark.parametrize("shift", [-7.5, 0.0, 3.25])
def test_perpendicular_distance_is_signed_toward_the_left_whatever_the_yaw(turn, shift):
    a = np.radians(turn)
    left, down = np.array([np.cos(a), np.sin(a)]), np.array([-np.sin(a), np.cos(a)])
    anterior, posterior = np.array([60.0, 20.0]), np.array([60.0, 20.0]) + 150 * down
    shifted = anterior + 55 * down + shift * left
    assert signed_shift(anterior, posterior, shifted, LEFT) == pytest.approx(shift, abs=1e-9)
    assert ideal_point(anterior, posterior, shifted) == pytest.approx(anterior + 55 * down, abs=1e-9)


def test_distance_works_in_three_dimensions():
    anterior, posterior = np.array([0.0, -70.0, 30.0]), np.array([0.0, 80.0, 30.0])
    shifted = np.array([-4.0, -10.0, 30.0])
    assert signed_shift(anterior, posterior, shifted, np.array([1.0, 0, 0])) == pytest.approx(-4.0)


def test_coinciding_attachments_are_refused():
    point = np.array([1.0, 2.0])
    with pytest.raises(ValueError, match="coincide"):
        ideal_point(point, point, point + 1)


def test_case_slice_takes_the_quantile_inside_the_window():
    shifts = np.array([9.0, -1.0, -4.0, -3.0, -2.0, 8.0])
    window = np.array([False, True, True, True, True, False])
    assert shifts[case_slice(shifts, window, CaseRule(1.0))] == -4.0
    assert shifts[case_slice(shifts, window, CaseRule(0.0))] == -1.0
    assert shifts[case_slice(shifts, np.zeros(6, bool), CaseRule(1.0))] == 9.0


def test_one_stray_slice_of_the_other_side_does_not_stand_for_the_case():
    shifts = np.array([-1.0, -2.0, 3.5, -2.5])
    assert shifts[case_slice(shifts, np.ones(4, bool), CaseRule(1.0))] == -2.5
    assert case_slice(-shifts, np.ones(4, bool), CaseRule(1.0)) == 3, "the mirror image gives the same slice"


@pytest.mark.parametrize(
    ("shifts", "chosen"),
    [
        ([-0.4, 0.1, 0.5, 0.9], 0.1),  # noise about nothing
        ([2.7, 1.7, -0.1, -1.6], -0.1),  # the two sides: no common shift
        ([0.5, 0.7, 0.8, 0.9], 0.8),  # little, but all alike
        ([4.0, 6.0, 7.0, 8.0], 7.0),  # a shift
        ([6.0], 6.0),
    ],
)
def test_where_slices_have_little_in_common_their_median_stands(shifts, chosen):
    rule = CaseRule(0.75, agreement=1.0)
    shifts, window = np.array(shifts), np.ones(len(shifts), bool)
    assert shifts[case_slice(shifts, window, rule)] == chosen
    assert case_slice(-shifts, window, rule) == case_slice(shifts, window, rule)
