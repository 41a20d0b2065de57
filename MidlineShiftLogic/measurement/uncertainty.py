"""Compute how sure a case's number is: an interval and P(|shift| > 5 mm), from a calibration kept with the model.

A scale model says how large errors are where the case's own measurement disagrees with itself (``uncertainty_features``):

    log sigma = log_sigma + sum over features of weight * clip((feature - mean) / sd, -CLIP, CLIP),    weight >= 0

The error divided by sigma has a distribution that was seen on calibration cases the scale model was not fitted on;
its quantiles are kept. The interval of 90 % is gain * shift +- sigma * quantile(0.9): split conformal prediction with
a locally weighted score (Lei et al., J Am Stat Assoc 113, 2018). Errors are taken to be symmetric, so that left and
right are treated alike. It holds for scans like those of the calibration, and on average over them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.measurement.results import COVERAGE, LARGE_MM
from MidlineShiftLogic.measurement.uncertainty_features import FEATURES, REFINEMENT_FEATURES

CLIP = 3.0
"""A feature far beyond those of the calibration says "worse than ever seen", not how much worse."""

# Field -> key in ``model.json``, where models of earlier versions use another word.
_KEYS = {"features": "signs"}


@dataclass(frozen=True)
class FeatureWeight:
    """One feature's mean and standard deviation over the calibration, and what one of the latter adds to log sigma."""

    mean: float
    sd: float
    weight: float


@dataclass(frozen=True)
class Uncertainty:
    """The calibration that ``model.json`` keeps under ``uncertainty``.

    Attributes:
        log_sigma: natural log of sigma (mm) where all features are at their means.
        features: name of ``FEATURES`` or ``REFINEMENT_FEATURES`` -> its weight.
        levels, quantiles: (k,) each, rising: share of calibration cases whose |error| / sigma is at most the quantile.
        gain: the middle of the interval is gain times the measured shift; 1 where shifts are not too small or too large.
        calibrated_on: about the calibration, for people.
    """

    log_sigma: float
    features: dict[str, FeatureWeight]
    levels: tuple[float, ...]
    quantiles: tuple[float, ...]
    gain: float = 1.0
    calibrated_on: dict[str, Any] = field(default_factory=dict)

    def sigma(self, features: Mapping[str, float]) -> float:
        """Return the scale of the case's error, mm."""
        terms = (
            one.weight * np.clip((features[name] - one.mean) / one.sd, -CLIP, CLIP)
            for name, one in self.features.items()
        )
        return float(np.exp(self.log_sigma + sum(terms)))

    def interval_mm(self, shift_mm: float, features: Mapping[str, float]) -> tuple[float, float]:
        """Return the ends (low, high) in signed mm of the interval that covers the true shift in 90 % of cases."""
        middle = self.gain * shift_mm
        half = self.sigma(features) * float(np.interp(COVERAGE, self.levels, self.quantiles))
        return middle - half, middle + half

    def p_over(self, shift_mm: float, features: Mapping[str, float], limit_mm: float = LARGE_MM) -> float:
        """Return P(|true shift| > ``limit_mm``), both sides counted, 0..1."""
        middle, sigma = abs(self.gain * shift_mm), self.sigma(features)
        return float(self._tail((limit_mm - middle) / sigma) + self._tail((limit_mm + middle) / sigma))

    def _tail(self, x: float) -> float:
        """Compute P(error / sigma > x): half of P(|error| / sigma > |x|) on either side.

        Linear between the quantiles; beyond the last one it falls exponentially, at the rate of the last two.
        """
        q, levels = np.r_[0.0, self.quantiles], np.r_[0.0, self.levels]
        size = abs(x)
        if size <= q[-1]:
            beyond = 1 - float(np.interp(size, q, levels))
        else:
            rate = np.log((1 - levels[-2]) / (1 - levels[-1])) / (q[-1] - q[-2])
            beyond = (1 - levels[-1]) * float(np.exp(-rate * (size - q[-1])))
        return beyond / 2 if x >= 0 else 1 - beyond / 2

    def to_json(self) -> dict[str, Any]:
        """Return the object kept in ``model.json``."""
        content = asdict(self)
        return {_KEYS.get(name, name): value for name, value in content.items()}


def parse_uncertainty(content: Mapping[str, Any] | None, refinement: bool = True) -> Uncertainty | None:
    """Parse ``uncertainty`` of ``model.json``; None where the model has none.

    Args:
        content: of that key.
        refinement: whether the model looks again along the midline, and so has the features of this.

    Raises:
        InputError: an unknown or missing key or feature, or values that make no distribution (code ``model-json``).
    """
    if content is None:
        return None
    try:
        values = dict(content)
        values["features"] = {
            name: FeatureWeight(**{key: float(number) for key, number in one.items()})
            for name, one in values.pop(_KEYS["features"]).items()
        }
        for key in ("levels", "quantiles"):
            values[key] = tuple(float(number) for number in values[key])
        for key in {"log_sigma", "gain"} & values.keys():
            values[key] = float(values[key])
        parsed = Uncertainty(**values)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"'uncertainty' of model.json is not usable ({error}).", "model-json") from None
    missing = [] if refinement else sorted(set(parsed.features) & set(REFINEMENT_FEATURES))
    wrong = f"it has the feature {missing[0]!r} but no refinement network" if missing else _what_is_wrong(parsed)
    if wrong:
        raise InputError(f"'uncertainty' of model.json is not usable ({wrong}).", "model-json")
    return parsed


def _what_is_wrong(u: Uncertainty) -> str | None:
    unknown = set(u.features) - {*FEATURES, *REFINEMENT_FEATURES}
    if unknown:
        return f"this version does not know the feature {sorted(unknown)[0]!r}"
    numbers = [u.log_sigma, u.gain, *u.levels, *u.quantiles]
    numbers += [number for one in u.features.values() for number in (one.mean, one.sd, one.weight)]
    if not np.isfinite(numbers).all():
        return "a number is not finite"
    if any(one.sd <= 0 or one.weight < 0 for one in u.features.values()):
        return "a feature has no spread or a negative weight"
    if u.gain <= 0:
        return "the gain is not positive"
    levels, quantiles = np.array(u.levels), np.array(u.quantiles)
    if len(levels) < 2 or len(levels) != len(quantiles) or not levels[0] > 0 or not levels[-1] < 1:
        return "levels and quantiles do not belong together"
    if (np.diff(levels) <= 0).any() or (np.diff(quantiles) <= 0).any() or quantiles[0] <= 0:
        return "levels and quantiles do not rise"
    if levels[-1] < COVERAGE:
        return f"the levels end below {COVERAGE}"
    return None
