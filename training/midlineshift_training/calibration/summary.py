"""How well a calibration holds in each source of its samples, by cross-validation."""

from __future__ import annotations

import numpy as np

from midlineshift_training.calibration.fit import LEVELS, conformal_quantiles
from midlineshift_training.evaluation.intervals import coverage, probability
from MidlineShiftLogic.measurement.results import COVERAGE


def summarise(samples: list, predicted: list) -> dict[str, dict]:
    """Sum up each source by cross-validation.

    Args:
        samples: all ``Sample``. predicted: ``PredictedInterval`` of the measured ones.

    Returns:
        source -> ``cases``, ``samples``, ``refused``; ``coverage``, mean ``width`` and ``brier`` score of P(> 5 mm); and
        ``own_half_width``, in sigmas, that this source alone would need.
    """
    result = {}
    for source in dict.fromkeys(one.source for one in samples):
        mine = [one for one in samples if one.source == source]
        rows = [one for one in predicted if one.sample.source == source]
        truth, low, high, p = (
            np.array(values, float)
            for values in zip(*((one.sample.truth_mm, one.low, one.high, one.p_over_5mm) for one in rows), strict=True)
        )
        scores = np.abs(truth - (low + high) / 2) / np.array([one.sigma for one in rows])
        result[source] = {
            "cases": len({one.case for one in mine}),
            "samples": len(mine),
            "refused": sum(bool(one.refused) for one in mine),
            **{key: value for key, value in coverage(low, high, truth).items() if key != "n"},
            "brier": probability(p, truth)["brier"],
            "own_half_width": float(conformal_quantiles(scores)[LEVELS.index(COVERAGE)]),
        }
    return result


def table(summary: dict[str, dict]) -> str:
    """Return the summary as a Markdown table."""
    lines = [
        "| source | cases | samples | refused | covered (95 %) | mean width mm | Brier P(>5 mm) |",
        "|" + "---|" * 7,
    ]
    for source, s in summary.items():
        covered = s["coverage"]
        lines.append(
            f"| {source} | {s['cases']} | {s['samples']} | {s['refused']} | {covered['value']:.2f} "
            f"({covered['low']:.2f}-{covered['high']:.2f}) | {s['width']['value']:.2f} | {s['brier']['value']:.3f} |"
        )
    return "\n".join(lines)
