"""Check whether intervals hold the truth as often as they claim, and whether probabilities are right."""

from __future__ import annotations

import numpy as np

from midlineshift_training.evaluation import bootstrap
from midlineshift_training.evaluation.agreement import proportion

LARGE_MM = 5.0
"""Shift whose probability a model gives: the usual threshold for surgery."""


def coverage(low: np.ndarray, high: np.ndarray, truth: np.ndarray, seed: int = 0) -> dict:
    """Count how often the truth is in the interval.

    Args:
        low, high: (n,) ends of the intervals, signed mm. truth: (n,) signed mm.
        seed: of the bootstrap of the mean width.

    Returns:
        ``n``; ``coverage`` with its exact interval; ``width`` mm with its bootstrap interval.
    """
    low, high, truth = (np.asarray(values, float) for values in (low, high, truth))
    weights = bootstrap.draw_weights(np.arange(len(truth)), seed)
    return {
        "n": len(truth),
        "coverage": proportion(int(((low <= truth) & (truth <= high)).sum()), len(truth)),
        "width": bootstrap.interval(bootstrap.mean(weights, high - low)),
    }


def probability(p: np.ndarray, truth: np.ndarray, seed: int = 0) -> dict:
    """Score P(|shift| > 5 mm).

    Args:
        p: (n,) probabilities. truth: (n,) signed mm.

    Returns:
        ``n``; ``brier`` score (mean squared error of the probability; Brier 1950); ``auc`` where both classes exist.
    """
    p, large = np.asarray(p, float), np.abs(np.asarray(truth, float)) > LARGE_MM
    weights = bootstrap.draw_weights(np.arange(len(p)), seed)
    result = {"n": len(p), "brier": bootstrap.interval(bootstrap.mean(weights, (p - large) ** 2))}
    if large.any() and not large.all():
        result["auc"] = bootstrap.interval(bootstrap.area_under_roc(weights, p, large))
    return result
