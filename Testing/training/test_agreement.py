"""Statistics of agreement against values worked out by hand or published."""

import numpy as np
import pytest

from midlineshift_training.evaluation.agreement import agreement, icc_2_1

# The worked example of Shrout and Fleiss (1979), table 2: their ICC(2,1) over four raters is 0.29.
RATINGS = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float)


def test_icc_of_the_published_example_and_of_two_raters():
    assert icc_2_1(*RATINGS.T) == pytest.approx(0.29, abs=0.005)
    a = RATINGS[:, 0]
    assert icc_2_1(a, a) == pytest.approx(1.0)
    assert icc_2_1(a, a + 3) < icc_2_1(a, a + 0.1) < 1, "a constant offset is a disagreement"


def test_errors_bias_and_side():
    truth = np.array([-6.0, -3.5, 0.0, 0.5, 4.0, 12.0])
    measured = truth + np.array([1.0, -1.0, 0.5, 0.0, 1.0, -2.0])
    found = agreement(measured, truth)
    assert found["mae"]["value"] == pytest.approx(5.5 / 6)
    assert found["bias"]["value"] == pytest.approx(-0.5 / 6)
    assert found["mae"]["low"] <= found["mae"]["value"] <= found["mae"]["high"]
    assert (found["side_right"], found["side_cases"]) == (4, 4)
    wrong = agreement(-measured, truth)
    assert wrong["side_right"] == 0


def test_thresholds():
    truth = np.array([0.0, 1.0, 4.9, 5.1, 7.0, -9.0])
    measured = np.array([0.0, 1.0, 5.2, 4.0, 7.0, -9.0])
    at5 = agreement(measured, truth)["at_5_mm"]
    assert at5["positive"] == 3
    assert at5["sensitivity"] == pytest.approx(2 / 3)
    assert at5["specificity"] == pytest.approx(2 / 3)
    assert at5["auc"] == pytest.approx(8 / 9)  # one pair of nine is in the wrong order
    assert "sensitivity" not in agreement(measured, truth)["at_10_mm"], "no case is that large"


def test_the_bootstrap_is_repeatable():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=30), rng.normal(size=30)
    assert agreement(a, b) == agreement(a, b)
