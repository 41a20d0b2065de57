"""Statistics of agreement between measured and true midline shifts, as the field reports them."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from midlineshift_training.evaluation import bootstrap

THRESHOLDS_MM = (3.0, 5.0, 10.0)
SIDED_MM = 3.0
"""Below this size the side of a shift is within what readers differ by."""
MIN_FOR_CORRELATION = 5
"""Fewest numbers for a correlation or a slope."""


def proportion(successes: int, of: int) -> dict[str, float]:
    """Return a share with its exact 95 % interval (Clopper and Pearson 1934); ``of`` is at least 1."""
    found = stats.binomtest(successes, of).proportion_ci(0.95, method="exact")
    return {"value": successes / of, "low": float(found.low), "high": float(found.high), "count": successes, "of": of}


def _share(hit: np.ndarray, weights: np.ndarray, clustered: bool) -> dict[str, float]:
    """Return the share of hits: exact interval for independent cases, bootstrap interval for slices that share cases."""
    exact = proportion(int(hit.sum()), len(hit))
    if not clustered:
        return exact
    return bootstrap.interval(bootstrap.mean(weights, hit.astype(float))) | {"count": exact["count"], "of": exact["of"]}


def agreement(measured: np.ndarray, truth: np.ndarray, cases: np.ndarray | None = None, seed: int = 0) -> dict:
    """Return all statistics of one set; every entry with an interval is ``{"value", "low", "high"}``, 95 %.

    Intervals are percentile bootstrap over cases, those of proportions exact where each case gives one number. With
    fewer than three cases there are none.

    Args:
        measured, truth: (n,) signed shifts in mm, positive toward the patient's left, no NaN, n >= 1.
        cases: (n,) the case of each number where a case gives several (its slices); None: each is its own case.
        seed: of the bootstrap.

    Returns:
        ``n`` and ``cases``; ``mae``, ``rmse``, ``bias``, ``magnitude_bias`` (of |shift|), ``median_absolute`` (error),
        ``median_reading``, ``largest_reading``; ``limits`` of agreement, ``low`` and ``high`` (bias -+ 1.96 sd; Bland
        and Altman 1986); ``icc`` (2,1) and ``slope`` of measured on true for five or more; ``side``: share measured to
        the right side of |truth| >= 3 mm; per threshold ``sensitivity``, ``specificity`` and ``auc`` of |shift| where the
        classes exist.
    """
    measured, truth = np.asarray(measured, float), np.asarray(truth, float)
    clustered = cases is not None
    cases = np.arange(len(truth)) if cases is None else np.asarray(cases)
    weights = bootstrap.draw_weights(cases, seed)
    error, magnitude, size = measured - truth, np.abs(measured), np.abs(truth)

    def mean(values: np.ndarray) -> dict[str, float]:
        return bootstrap.interval(bootstrap.mean(weights, values))

    bias, spread = bootstrap.mean(weights, error), bootstrap.spread(weights, error)
    result = {
        "n": len(error),
        "cases": len(np.unique(cases)),
        "mae": mean(np.abs(error)),
        "rmse": bootstrap.interval(np.sqrt(bootstrap.mean(weights, error**2))),
        "bias": bootstrap.interval(bias),
        "magnitude_bias": mean(magnitude - size),
        "median_absolute": bootstrap.interval(bootstrap.median(weights, np.abs(error))),
        "median_reading": bootstrap.interval(bootstrap.median(weights, magnitude)),
        "largest_reading": float(magnitude.max()),
    }
    if len(error) > 2:
        result["limits"] = {
            name: bootstrap.interval(bias + sign * 1.96 * spread) for name, sign in (("low", -1), ("high", 1))
        }
    if len(error) >= MIN_FOR_CORRELATION and np.ptp(truth) > 0:
        result["icc"] = bootstrap.interval(bootstrap.icc_2_1(weights, np.stack([measured, truth], 1)))
        result["slope"] = bootstrap.interval(bootstrap.slope(weights, truth, measured))
    large = size >= SIDED_MM
    if large.any():
        result["side"] = _share(np.sign(measured[large]) == np.sign(truth[large]), weights[:, large], clustered)
    for threshold in THRESHOLDS_MM:
        result[f"at_{threshold:g}_mm"] = _detection(magnitude, size >= threshold, threshold, weights, clustered)
    return result


def _detection(magnitude: np.ndarray, positive: np.ndarray, threshold: float, weights, clustered: bool) -> dict:
    called = magnitude >= threshold
    entry: dict[str, Any] = {"positive": int(positive.sum()), "negative": int((~positive).sum())}
    if positive.any():
        entry["sensitivity"] = _share(called[positive], weights[:, positive], clustered)
    if not positive.all():
        entry["specificity"] = _share(~called[~positive], weights[:, ~positive], clustered)
    if positive.any() and not positive.all():
        entry["auc"] = bootstrap.interval(bootstrap.area_under_roc(weights, magnitude, positive))
    return entry


def paired_difference(a: np.ndarray, b: np.ndarray, truth: np.ndarray, seed: int = 0) -> dict[str, float]:
    """Return the mean of |a - truth| - |b - truth| over the same cases, mm, with its bootstrap interval: above 0, b is better."""
    difference = np.abs(np.asarray(a) - truth) - np.abs(np.asarray(b) - truth)
    weights = bootstrap.draw_weights(np.arange(len(difference)), seed)
    return bootstrap.interval(bootstrap.mean(weights, difference)) | {"n": len(difference)}
