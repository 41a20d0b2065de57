"""Statistics of agreement between measured and true (or read) midline shifts, as the field reports them."""

from __future__ import annotations

import numpy as np
from scipy import stats

THRESHOLDS_MM = (3.0, 5.0, 10.0)
RESAMPLES = 2000


def _with_interval(statistic, arrays: tuple[np.ndarray, ...], seed: int) -> dict[str, float]:
    """Value and 95 % percentile bootstrap interval over cases."""
    value = float(statistic(*arrays))
    if len(arrays[0]) < 3:
        return {"value": value}
    found = stats.bootstrap(
        arrays, statistic, paired=True, vectorized=False, n_resamples=RESAMPLES, method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval  # fmt: skip
    return {"value": value, "low": float(found.low), "high": float(found.high)}


def icc_2_1(*raters: np.ndarray) -> float:
    """Intraclass correlation ICC(2,1): two-way random effects, absolute agreement, single rater (Shrout & Fleiss 1979).

    Args:
        raters: two or more, (n,) values each.
    """
    table = np.stack(raters, 1)
    n, k = table.shape
    grand = table.mean()
    rows = k * ((table.mean(1) - grand) ** 2).sum() / (n - 1)
    columns = n * ((table.mean(0) - grand) ** 2).sum() / (k - 1)
    error = ((table - table.mean(1, keepdims=True) - table.mean(0) + grand) ** 2).sum() / ((n - 1) * (k - 1))
    return float((rows - error) / (rows + (k - 1) * error + k * (columns - error) / n))


def agreement(measured: np.ndarray, truth: np.ndarray, seed: int = 0) -> dict:
    """All statistics of one set of cases.

    Args:
        measured, truth: (n,) signed shifts in mm, positive toward the patient's left, no NaN.
        seed: of the bootstrap.

    Returns:
        ``n``; ``mae``, ``rmse``, ``bias`` with intervals; ``limits`` of agreement (bias -+ 1.96 sd); ``icc``; ``slope``
        of the reading on the truth; ``side_right`` / ``side_cases`` for |truth| >= 3 mm; per threshold sensitivity,
        specificity and area under the ROC curve of |shift| where both classes exist.
    """
    measured, truth = np.asarray(measured, float), np.asarray(truth, float)
    error = measured - truth
    magnitude, size = np.abs(measured), np.abs(truth)
    result = {
        "n": len(error),
        "mae": _with_interval(lambda e: np.mean(np.abs(e)), (error,), seed),
        "rmse": _with_interval(lambda e: np.sqrt(np.mean(e**2)), (error,), seed),
        "bias": _with_interval(np.mean, (error,), seed),
        "magnitude_bias": _with_interval(np.mean, (magnitude - size,), seed),
        "median_absolute": float(np.median(np.abs(error))),
        "median_reading": float(np.median(magnitude)),
        "largest_reading": float(magnitude.max()),
    }
    if len(error) > 2:
        sd = error.std(ddof=1)
        result["limits"] = [float(error.mean() - 1.96 * sd), float(error.mean() + 1.96 * sd)]
    if len(error) > 4 and np.ptp(truth) > 0:
        result["icc"] = _with_interval(icc_2_1, (measured, truth), seed)
        result["slope"] = float(stats.linregress(truth, measured).slope)
    large = size >= 3
    result["side_cases"] = int(large.sum())
    result["side_right"] = int((np.sign(measured[large]) == np.sign(truth[large])).sum())
    for threshold in THRESHOLDS_MM:
        positive, called = size >= threshold, magnitude >= threshold
        entry = {"positive": int(positive.sum())}
        if positive.any():
            entry["sensitivity"] = float(called[positive].mean())
        if (~positive).any():
            entry["specificity"] = float((~called[~positive]).mean())
        if positive.any() and (~positive).any():
            u = stats.mannwhitneyu(magnitude[positive], magnitude[~positive]).statistic
            entry["auc"] = float(u / (positive.sum() * (~positive).sum()))
        result[f"at_{threshold:g}_mm"] = entry
    return result
