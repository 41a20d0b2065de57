"""Statistics of agreement against values worked out by hand, published, or computed by SciPy."""

import numpy as np
import pytest
from scipy import stats

from midlineshift_training.evaluation import bootstrap
from midlineshift_training.evaluation.agreement import agreement, paired_difference
from midlineshift_training.evaluation.intervals import coverage, probability

# The worked example of Shrout and Fleiss (1979), table 2: their ICC(2,1) over four raters is 0.29.
RATINGS = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float)


def icc(*raters):
    return bootstrap.icc_2_1(np.ones((1, len(raters[0]))), np.stack(raters, 1))[0]


def test_icc_of_the_published_example_and_of_two_raters():
    assert icc(*RATINGS.T) == pytest.approx(0.29, abs=0.005)
    a = RATINGS[:, 0]
    assert icc(a, a) == pytest.approx(1.0)
    assert icc(a, a + 3) < icc(a, a + 0.1) < 1, "a constant offset is a disagreement"


def test_weighted_statistics_are_those_of_the_repeated_sample():
    """A weight of k counts as k copies, in every statistic."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=12), rng.normal(size=12).round(1)
    counts = rng.integers(0, 4, 12)
    weights, again = counts[None].astype(float), np.repeat(np.arange(12), counts)
    assert bootstrap.mean(weights, x)[0] == pytest.approx(x[again].mean())
    assert bootstrap.median(weights, x)[0] == pytest.approx(np.median(x[again]))
    assert bootstrap.spread(weights, x)[0] == pytest.approx(x[again].std(ddof=1))
    assert bootstrap.slope(weights, x, y)[0] == pytest.approx(stats.linregress(x[again], y[again]).slope)
    positive = x > 0.2
    u = stats.mannwhitneyu(y[again][positive[again]], y[again][~positive[again]]).statistic
    pairs = positive[again].sum() * (~positive[again]).sum()
    assert bootstrap.area_under_roc(weights, y, positive)[0] == pytest.approx(u / pairs)
    both = np.stack([x, y], 1)
    assert bootstrap.icc_2_1(weights, both)[0] == pytest.approx(icc(x[again], y[again]))


def test_the_bootstrap_interval_is_scipys():
    rng = np.random.default_rng(0)
    error = rng.normal(0.5, 1.0, 40)
    ours = bootstrap.interval(bootstrap.mean(bootstrap.draw_weights(np.arange(40)), error))
    theirs = stats.bootstrap((error,), np.mean, method="percentile", rng=np.random.default_rng(1)).confidence_interval
    assert (ours["low"], ours["high"]) == pytest.approx((theirs.low, theirs.high), abs=0.03)


def test_slices_of_one_case_are_drawn_together():
    """Ten equal slices a case carry no more than the case does."""
    rng = np.random.default_rng(1)
    truth, error = np.zeros(12), rng.normal(0, 1, 12)
    alone = agreement(error, truth)["mae"]
    repeated = agreement(np.repeat(error, 10), np.zeros(120), np.repeat(np.arange(12), 10))
    assert (repeated["n"], repeated["cases"]) == (120, 12)
    assert repeated["mae"] == pytest.approx(alone)
    naive = agreement(np.repeat(error, 10), np.zeros(120))["mae"]
    assert naive["high"] - naive["low"] < 0.5 * (alone["high"] - alone["low"])


def test_errors_bias_limits_and_side():
    truth = np.array([-6.0, -3.5, 0.0, 0.5, 4.0, 12.0])
    measured = truth + np.array([1.0, -1.0, 0.5, 0.0, 1.0, -2.0])
    found = agreement(measured, truth)
    assert found["mae"]["value"] == pytest.approx(5.5 / 6)
    assert found["bias"]["value"] == pytest.approx(-0.5 / 6)
    assert found["mae"]["low"] <= found["mae"]["value"] <= found["mae"]["high"]
    sd = (measured - truth).std(ddof=1)
    assert found["limits"]["high"]["value"] == pytest.approx(-0.5 / 6 + 1.96 * sd)
    assert found["limits"]["low"]["low"] < found["limits"]["low"]["value"]
    assert (found["side"]["count"], found["side"]["of"]) == (4, 4)
    assert agreement(-measured, truth)["side"]["count"] == 0


def test_thresholds():
    truth = np.array([0.0, 1.0, 4.9, 5.1, 7.0, -9.0])
    measured = np.array([0.0, 1.0, 5.2, 4.0, 7.0, -9.0])
    at5 = agreement(measured, truth)["at_5_mm"]
    assert at5["positive"] == 3
    assert at5["sensitivity"]["value"] == pytest.approx(2 / 3)
    assert at5["specificity"]["value"] == pytest.approx(2 / 3)
    assert at5["auc"]["value"] == pytest.approx(8 / 9)  # one pair of nine is in the wrong order
    assert at5["auc"]["low"] < 8 / 9
    # Clopper and Pearson's interval of two in three
    assert (at5["sensitivity"]["low"], at5["sensitivity"]["high"]) == pytest.approx((0.0943, 0.9916), abs=1e-4)
    assert "sensitivity" not in agreement(measured, truth)["at_10_mm"], "no case is that large"


def test_the_bootstrap_is_repeatable():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=30), rng.normal(size=30)
    assert agreement(a, b) == agreement(a, b)


def test_paired_difference_has_the_sign_of_the_worse():
    truth = np.arange(8.0)
    assert paired_difference(truth + 1.0, truth - 0.25, truth)["value"] == pytest.approx(0.75)


def test_coverage_of_intervals_and_worth_of_probabilities():
    truth = np.array([-6.0, -1.0, 0.0, 2.0, 7.0])
    found = coverage(truth - [1, 1, 1, 1, -0.5], truth + 1, truth)
    assert (found["coverage"]["count"], found["coverage"]["of"]) == (4, 5)
    assert found["width"]["value"] == pytest.approx((4 * 2 + 0.5) / 5)
    figures = probability(np.array([0.9, 0.1, 0.0, 0.2, 0.7]), truth)
    assert figures["auc"]["value"] == 1.0
    assert figures["brier"]["value"] == pytest.approx((0.01 + 0.01 + 0.04 + 0.09) / 5)
    assert "auc" not in probability(np.array([0.1, 0.2]), np.array([1.0, 2.0])), "one class only"
