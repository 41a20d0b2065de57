"""Intervals and probabilities follow from the calibration by hand-checked arithmetic, and only rightful ones are read."""

import json
from dataclasses import replace

import numpy as np
import pytest

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.measurement.uncertainty import CLIP, FeatureWeight, Uncertainty, parse_uncertainty
from MidlineShiftLogic.measurement.uncertainty_features import FEATURES

LEVELS = (0.25, 0.5, 0.75, 0.9, 0.95)
KNOWN = Uncertainty(
    log_sigma=float(np.log(0.8)),
    features={name: FeatureWeight(0.5, 0.2, 0.3 if name == "readings" else 0.0) for name in FEATURES},
    levels=LEVELS,
    quantiles=(0.3, 0.7, 1.2, 1.9, 2.4),
)
CALM = dict.fromkeys(FEATURES, 0.5)


def test_interval_is_the_quantile_times_sigma():
    assert KNOWN.sigma(CALM) == pytest.approx(0.8)
    assert KNOWN.interval_mm(6.0, CALM) == pytest.approx((6.0 - 0.8 * 1.9, 6.0 + 0.8 * 1.9))
    assert replace(KNOWN, gain=1.1).interval_mm(-6.0, CALM) == pytest.approx((-6.6 - 1.52, -6.6 + 1.52))


def test_doubt_widens_and_stops_widening():
    doubtful = CALM | {"readings": 0.5 + 2 * 0.2}
    assert KNOWN.sigma(doubtful) == pytest.approx(0.8 * np.exp(0.6))
    assert KNOWN.sigma(CALM | {"readings": 99.0}) == pytest.approx(0.8 * np.exp(0.3 * CLIP))


@pytest.mark.parametrize("shift", [0.0, 2.0, 4.9, 5.0, 7.3, 30.0])
def test_probability_is_that_of_the_errors_distribution(shift):
    """Against errors drawn from it: |error| / sigma uniform between the quantiles."""
    rng = np.random.default_rng(0)
    share = rng.uniform(0, 1, 400_000)
    size = np.interp(share, (0, *LEVELS), (0, *KNOWN.quantiles))
    beyond = share > LEVELS[-1]
    rate = np.log((1 - LEVELS[-2]) / (1 - LEVELS[-1])) / (KNOWN.quantiles[-1] - KNOWN.quantiles[-2])
    size[beyond] = KNOWN.quantiles[-1] - np.log((1 - share[beyond]) / (1 - LEVELS[-1])) / rate
    true = shift + 0.8 * size * rng.choice([-1, 1], len(size))
    assert KNOWN.p_over(shift, CALM) == pytest.approx(np.mean(np.abs(true) > 5), abs=0.003)
    low, high = KNOWN.interval_mm(shift, CALM)
    assert np.mean((true >= low) & (true <= high)) == pytest.approx(0.9, abs=0.003)


def test_left_and_right_are_treated_alike():
    for shift in (0.4, 4.0, 12.0):
        low, high = KNOWN.interval_mm(shift, CALM)
        assert KNOWN.interval_mm(-shift, CALM) == pytest.approx((-high, -low))
        assert KNOWN.p_over(-shift, CALM) == pytest.approx(KNOWN.p_over(shift, CALM))


def test_probability_grows_with_the_shift_and_stays_one():
    probabilities = [KNOWN.p_over(shift, CALM) for shift in np.linspace(0, 40, 200)]
    assert np.all(np.diff(probabilities) >= -1e-12) and probabilities[0] >= 0 and probabilities[-1] <= 1
    assert probabilities[0] < 0.01 and probabilities[-1] > 0.99


def test_json_keeps_it():
    assert parse_uncertainty(json.loads(json.dumps(KNOWN.to_json()))) == KNOWN
    assert parse_uncertainty(None) is None


@pytest.mark.parametrize(
    "change",
    [
        {"levels": [0.5, 0.9]},
        {"levels": [0.25, 0.5, 0.75, 0.9, 1.0]},
        {"levels": [0.1, 0.2, 0.3, 0.4, 0.5]},
        {"quantiles": [0.3, 0.7, 0.7, 1.9, 2.4]},
        {"quantiles": "wide"},
        {"log_sigma": None},
        {"log_sigma": float("nan")},
        {"gain": 0.0},
        {"signs": {"weather": {"mean": 0, "sd": 1, "weight": 0}}},
        {"signs": {"size": {"mean": 0, "sd": 0, "weight": 0}}},
        {"signs": {"size": {"mean": 0, "sd": 1, "weight": -1}}},
        {"signs": {"size": {"mean": 0}}},
        {"signs": 3},
        {"half_width": 2.0},
    ],
)
def test_what_is_no_calibration_is_refused_in_one_sentence(change):
    with pytest.raises(InputError, match=r"'uncertainty' of model\.json is not usable") as caught:
        parse_uncertainty(KNOWN.to_json() | change)
    assert caught.value.code == "model-json"
