"""Bootstrap over cases by weights: a resample is how often each case was drawn, and a statistic is a weighted one.

Slices of one head are no independent samples, so whole cases are drawn with all their slices (cluster bootstrap;
Efron and Tibshirani 1993; Field and Welsh 2007). Row 0 of the weights is the sample itself.
"""

from __future__ import annotations

import numpy as np

RESAMPLES = 2000
MIN_CASES = 3
"""With fewer cases an interval says nothing."""


def draw_weights(cases: np.ndarray, seed: int = 0, resamples: int = RESAMPLES) -> np.ndarray:
    """Draw how often each item counts: once in the sample itself (row 0), then as often as its case was drawn.

    Args:
        cases: (n,) name or number of each item's case.
        seed: of the draws.
        resamples: number of resamples; 0 with fewer than ``MIN_CASES`` cases.

    Returns:
        (1 + resamples, n).
    """
    names, index = np.unique(np.asarray(cases), return_inverse=True)
    itself = np.ones((1, len(index)))
    if len(names) < MIN_CASES or resamples == 0:
        return itself
    counts = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
    return np.concatenate([itself, counts[:, index]])


def interval(values: np.ndarray) -> dict[str, float]:
    """Return the value and the 95 % percentile interval of a statistic computed for all rows of ``draw_weights``.

    Resamples in which the statistic does not exist (one class only, no spread) are NaN and left out.
    """
    result = {"value": float(values[0])}
    drawn = values[1:][np.isfinite(values[1:])]
    if len(drawn):
        low, high = np.percentile(drawn, [2.5, 97.5])
        result |= {"low": float(low), "high": float(high)}
    return result


def mean(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the weighted means (R,) of values (n,) by weights (R, n); NaN where no weight is left."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return weights @ values / weights.sum(1)


def median(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the medians (R,) of the resamples of values (n,) by whole-numbered weights (R, n)."""
    order = np.argsort(values)
    total = np.cumsum(weights[:, order], axis=1)
    half = total[:, -1:] / 2
    lower, upper = (total >= half).argmax(1), (total > half).argmax(1)
    return (values[order][lower] + values[order][upper]) / 2


def spread(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the sample standard deviations (R,) of values (n,) by weights (R, n)."""
    count = weights.sum(1)
    centred = values - values.mean()
    square = mean(weights, centred**2) - mean(weights, centred) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.sqrt(np.maximum(square, 0) * count / (count - 1))


def slope(weights: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the slopes (R,) of the least-squares line of y on x (n,) by weights (R, n)."""
    x, y = x - x.mean(), y - y.mean()
    mean_x = mean(weights, x)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (mean(weights, x * y) - mean_x * mean(weights, y)) / (mean(weights, x * x) - mean_x**2)


def area_under_roc(weights: np.ndarray, score: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """Return areas (R,) of scores and bool classes (n,) by weights (R, n): the Mann-Whitney statistic, ties counting half."""
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(score[order]) > 0])
    ones = np.add.reduceat(weights[:, order] * positive[order], starts, axis=1)
    zeros = np.add.reduceat(weights[:, order] * ~positive[order], starts, axis=1)
    below = np.cumsum(zeros, axis=1) - zeros / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return (ones * below).sum(1) / (ones.sum(1) * zeros.sum(1))


def icc_2_1(weights: np.ndarray, ratings: np.ndarray) -> np.ndarray:
    """Return intraclass correlation ICC(2,1): two-way random effects, absolute agreement, one rater (Shrout & Fleiss 1979).

    Args:
        weights: (R, n). ratings: (n, k), one column a rater.

    Returns:
        (R,)
    """
    ratings = ratings - ratings.mean()
    k, n = ratings.shape[1], weights.sum(1)
    of_rows = ratings.mean(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        grand = mean(weights, of_rows)
        rows = k * (weights @ of_rows**2 - n * grand**2)
        columns = n * ((weights @ ratings / n[:, None] - grand[:, None]) ** 2).sum(1)
        error = weights @ (ratings**2).sum(1) - k * n * grand**2 - rows - columns
        rows, columns, error = rows / (n - 1), columns / (k - 1), error / ((n - 1) * (k - 1))
        return (rows - error) / (rows + (k - 1) * error + k * (columns - error) / n)
