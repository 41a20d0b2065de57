"""Lines through samples of which some are wrong."""

import numpy as np
import pytest

from MidlineShiftLogic.geometry.lines import robust_linear
from MidlineShiftLogic.inference.pose import fit_heights

Z = 5.0 * np.arange(20)


def test_a_line_is_found_in_spite_of_outliers():
    value = 3.0 + 0.1 * Z
    value[[2, 9, 15]] += (25, -18, 30)
    a, b = robust_linear(Z, value, np.ones(20), spread=1.5, slope_limit=0.5)
    assert a == pytest.approx(3.0, abs=0.3)
    assert b == pytest.approx(0.1, abs=0.01)


def test_only_the_proportions_of_the_weights_count():
    value = 3.0 + 0.1 * Z + np.sin(Z)
    weight = np.linspace(0.2, 1.0, 20)
    expected = robust_linear(Z, value, weight, spread=1.5, slope_limit=0.05)
    assert robust_linear(Z, value, 1e-3 * weight, spread=1.5, slope_limit=0.05) == pytest.approx(expected)


def test_few_samples_make_no_steep_line():
    z, value = np.array([0.0, 1.0]), np.array([0.0, 5.0])
    _, b = robust_linear(z, value, np.ones(2), spread=1.5, slope_limit=0.3)
    assert abs(b) < 0.6


def test_heights_are_a_straight_line_through_most_predictions():
    raw = 1.1 * Z - 30
    raw[[4, 11]] = (40, -40)
    assert fit_heights(raw, np.ones(20), Z) == pytest.approx(1.1 * Z - 30, abs=1e-6)


def test_heights_of_too_few_slices_are_left_as_predicted():
    raw = np.array([1.0, 9.0, 2.0])
    assert fit_heights(raw, np.ones(3), Z[:3]) is raw
