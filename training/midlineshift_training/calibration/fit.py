"""Fit ``measurement.uncertainty`` to samples, and check by cross-validation whether its intervals hold.

The scale model is fitted by maximum likelihood with Student t residuals (Lange, Little and Taylor, J Am Stat Assoc 84,
1989), which one blunder does not carry away, with weights that are not negative and a small ridge penalty. Every source
counts alike in it, however many samples it has. The quantiles are those of |error| / sigma with sigma fitted on the other
folds (cross-conformal prediction; Vovk, Ann Math Artif Intell 74, 2015). Sources may be harder than their features say:
each one's scores are divided by their mean, the quantiles of all together are taken and multiplied by the largest of the means.
So the interval is made for the hardest source, and its tail is learned from all of them: the 90 % quantile of one small
source would be little less than its largest error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np
from scipy import optimize

from midlineshift_training.calibration.samples import Sample
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.measurement.uncertainty import CLIP, FeatureWeight, Uncertainty
from MidlineShiftLogic.measurement.uncertainty_features import FEATURES, REFINEMENT_FEATURES
from MidlineShiftLogic.text import counted

FREEDOM = 4.0
"""Degrees of freedom of the Student t of the residuals."""
PRIOR_SD = 0.5
"""Standard deviation of the prior on a weight: what one sd of a feature is thought to do to log sigma."""
FOLDS = 5
"""Of the cross-validation."""
LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.975)
FEWEST_CASES = 10
"""Fewer cases of a source do not determine its 90 % quantile."""


@dataclass(frozen=True)
class PredictedInterval:
    """What a calibration that did not see a sample's case gives for it.

    Attributes:
        sigma: of the error, mm. low, high: ends of the 90 % interval, signed mm. p_over_5mm: P(|shift| > 5 mm).
    """

    sample: Sample
    sigma: float
    low: float
    high: float
    p_over_5mm: float


def fit_uncertainty(samples: Sequence[Sample], correct_gain: bool = False) -> Uncertainty:
    """Fit the calibration to the measured (not refused) samples.

    Args:
        samples: refused ones are left out.
        correct_gain: also fit by what factor measured shifts are too small or too large; 1 if not.
    """
    samples = measured(samples)
    folds = fold_of(samples)
    scores = np.empty(len(samples))
    for fold in range(FOLDS):
        scale = _fit_scale([one for one, k in zip(samples, folds, strict=True) if k != fold], correct_gain)
        for i in np.flatnonzero(folds == fold):
            shift_mm, features = samples[i].numbers()
            scores[i] = abs(samples[i].truth_mm - scale.gain * shift_mm) / scale.sigma(features)
    sources = np.array([one.source for one in samples])
    _, of_source, counts = np.unique(sources, return_inverse=True, return_counts=True)
    means = np.maximum(np.bincount(of_source, scores) / counts, 1e-6)
    quantiles = conformal_quantiles(scores / means[of_source]) * means.max()
    quantiles = quantiles + 1e-6 * np.arange(1, len(LEVELS) + 1)  # equal scores would make levels without a width
    return replace(_fit_scale(samples, correct_gain), quantiles=tuple(quantiles.tolist()))


def cross_validated(samples: Sequence[Sample], correct_gain: bool = False) -> list[PredictedInterval]:
    """Return what the calibration would have given for every measured sample had its case not been there."""
    samples = measured(samples)
    folds = fold_of(samples, salt="outer")
    predicted: dict[int, PredictedInterval] = {}
    for fold in range(FOLDS):
        fitted = fit_uncertainty([one for one, k in zip(samples, folds, strict=True) if k != fold], correct_gain)
        for i in np.flatnonzero(folds == fold).tolist():
            shift_mm, features = samples[i].numbers()
            low, high = fitted.interval_mm(shift_mm, features)
            p_over_5mm = fitted.p_over(shift_mm, features)
            predicted[i] = PredictedInterval(samples[i], fitted.sigma(features), low, high, p_over_5mm)
    return [predicted[i] for i in range(len(samples))]


def fold_of(samples: Sequence[Sample], salt: str = "inner") -> np.ndarray:
    """Return (n,) fold of each sample: cases in the order of a hash of their names, dealt out source by source."""
    cases = sorted({(one.source, crc32(f"{salt} {one.case}".encode()), one.case) for one in samples})
    fold = {case: number % FOLDS for number, (_, _, case) in enumerate(cases)}
    return np.array([fold[one.case] for one in samples])


def conformal_quantiles(scores: np.ndarray) -> np.ndarray:
    """Return (len(LEVELS),) quantiles of n scores: the ceil((n + 1) level)-th smallest, the largest where there is none."""
    ranks = np.ceil((len(scores) + 1) * np.array(LEVELS)).astype(int)
    return np.sort(scores)[np.minimum(ranks, len(scores)) - 1]


def measured(samples: Sequence[Sample]) -> list[Sample]:
    """Return the samples that were not refused."""
    return [one for one in samples if not one.refused]


def check_enough(samples: Sequence[Sample]) -> None:
    """Raise InputError if a source has fewer than ``FEWEST_CASES`` measured cases, or there is none."""
    samples = measured(samples)
    if not samples:
        raise InputError("None of the cases could be measured; there is nothing to calibrate on.", "too-few-cases")
    for source in dict.fromkeys(one.source for one in samples):
        count = len({one.case for one in samples if one.source == source})
        if count < FEWEST_CASES:
            raise InputError(
                f"Only {counted(count, 'case')} of '{source}' could be measured; calibration needs {FEWEST_CASES}.",
                "too-few-cases",
            )


def _fit_scale(samples: Sequence[Sample], correct_gain: bool) -> Uncertainty:
    """Fit the scale model alone; its quantiles are those of the Student t it was fitted with."""
    from scipy import stats

    shift, truth = (np.array([getattr(one, name) for one in samples]) for name in ("measured_mm", "truth_mm"))
    gain = _gain(shift, truth) if correct_gain else 1.0
    names = _features_of(samples)
    raw = np.array([[one.numbers()[1][name] for name in names] for one in samples])
    mean, sd = raw.mean(0), raw.std(0)
    sd = np.where(sd > 1e-6, sd, 1.0)
    z = np.clip((raw - mean) / sd, -CLIP, CLIP)
    square = (truth - gain * shift) ** 2 / FREEDOM
    _, of_source, counts = np.unique([one.source for one in samples], return_inverse=True, return_counts=True)
    weight = 1 / counts[of_source] / len(counts)
    ridge = 0.5 / PRIOR_SD**2 / len(samples)

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the weighted mean negative log likelihood + ridge, and its gradient."""
        log_sigma = parameters[0] + z @ parameters[1:]
        ratio = square * np.exp(-2 * log_sigma)
        value = weight @ (log_sigma + (FREEDOM + 1) / 2 * np.log1p(ratio))
        slope = weight * (1 - (FREEDOM + 1) * ratio / (1 + ratio))
        gradient = np.r_[slope.sum(), slope @ z + 2 * ridge * parameters[1:]]
        return float(value + ridge * parameters[1:] @ parameters[1:]), gradient

    start = np.r_[0.5 * np.log(weight @ square * FREEDOM + 1e-6), np.zeros(len(names))]
    bounds = [(-6.0, 6.0)] + [(0.0, 2.0)] * len(names)
    found = optimize.minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    features = {
        name: FeatureWeight(*(float(v) for v in of)) for name, *of in zip(names, mean, sd, found[1:], strict=True)
    }
    quantiles = stats.t.ppf((1 + np.array(LEVELS)) / 2, FREEDOM)
    return Uncertainty(float(found[0]), features, LEVELS, tuple(quantiles.tolist()), gain)


def _features_of(samples: Sequence[Sample]) -> list[str]:
    """Return the features that all samples have: those of a second look only where the model has one."""
    return [*FEATURES, *(name for name in REFINEMENT_FEATURES if all(name in one.numbers()[1] for one in samples))]


def _gain(shift: np.ndarray, truth: np.ndarray) -> float:
    """Find the factor g that makes sum |truth - g measured| least: the weighted median of the ratios."""
    size = np.abs(shift)
    use = size > 1e-3
    ratio = truth[use] / shift[use]
    order = np.argsort(ratio)
    total = np.cumsum(size[use][order])
    return float(ratio[order][np.searchsorted(total, total[-1] / 2)])
