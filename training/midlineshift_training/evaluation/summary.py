"""Sum the results of all cases up into the numbers of ``evaluation.json``.

The keys ``median_reading`` and ``largest_reading`` are of the model's results; they keep their names for older readers of
the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from midlineshift_training.evaluation import bootstrap
from midlineshift_training.evaluation.agreement import SIDED_MM, agreement, paired_difference, proportion
from midlineshift_training.evaluation.case_tables import f1_scores
from midlineshift_training.evaluation.groups import size_group, size_groups
from midlineshift_training.evaluation.intervals import coverage, probability
from midlineshift_training.evaluation.jobs import CASE_SIZES, THIS_MODEL, WITHOUT_SIDE, ModelResult
from midlineshift_training.evaluation.robustness import counted

UNSHIFTED_MM = 0.5
"""A phantom without a lesion may depart from symmetry by a millimetre; below this the true median is a quarter of one."""
WORST = 8
"""Cases listed as farthest from the truth."""


def summarise_set(results: list[ModelResult], seed: int = 0) -> dict:
    """Sum up one set, or one group of it, by one model; refused cases are counted, not measured.

    Returns:
        ``cases``, ``refused``, ``codes`` (reasons), ``seconds`` (median); with a truth: what ``agreement`` gives,
        ``largest_shift`` (by the truth), ``unshifted`` (|truth| < ``UNSHIFTED_MM``, with the median truth), ``intervals``
        and ``probability`` where they exist; without: ``median_reading``, ``largest_reading`` and ``at_least_3_mm``.
    """
    done = [r for r in results if r.measured_mm is not None]
    result: dict = {
        "cases": len(results),
        "refused": len(results) - len(done),
        "codes": counted(r.refused for r in results),
    }
    if not done:
        return result
    result["seconds"] = float(np.median([r.seconds for r in done]))
    values = np.array([r.measured_mm for r in done])
    if any(r.truth_mm is None for r in done):
        size = np.abs(values)
        weights = bootstrap.draw_weights(np.arange(len(size)), seed)
        return result | {
            "median_reading": bootstrap.interval(bootstrap.median(weights, size)),
            "largest_reading": float(size.max()),
            "at_least_3_mm": proportion(int((size >= SIDED_MM).sum()), len(size)),
        }
    truth = np.array([r.truth_mm for r in done])
    # "cases" counts the refused ones, too
    result = agreement(values, truth, seed=seed) | result
    if results[0].set in WITHOUT_SIDE:
        result.pop("side", None)
    if results[0].set == CASE_SIZES:
        result["f1"] = f1_scores(values, truth, seed)
    far = int(np.abs(truth).argmax())
    result["largest_shift"] = {
        "case": done[far].case,
        "truth_mm": float(truth[far]),
        "measured_mm": float(values[far]),
        "ratio": float(values[far] / truth[far]) if truth[far] else None,
    }
    unshifted = np.abs(truth) < UNSHIFTED_MM
    if unshifted.any():
        weights = bootstrap.draw_weights(np.arange(unshifted.sum()), seed)
        median = bootstrap.interval(bootstrap.median(weights, np.abs(values[unshifted])))
        median_truth = float(np.median(np.abs(truth[unshifted])))
        result["unshifted"] = {"n": int(unshifted.sum()), "median_truth": median_truth, "median_reading": median}
    with_interval = [r for r in done if r.interval_mm is not None]
    if with_interval:
        low, high = np.array([r.interval_mm for r in with_interval]).T
        result["intervals"] = coverage(low, high, np.array([r.truth_mm for r in with_interval]), seed)
    with_p = [r for r in done if r.p_over_5mm is not None]
    if with_p:
        result["probability"] = probability(_column(with_p, "p_over_5mm"), _column(with_p, "truth_mm"), seed)
    return result


def summarise_slices(results: list[ModelResult], seed: int = 0) -> dict | None:
    """Sum up the agreement slice by slice, whole cases drawn in the bootstrap; None without slices that have a truth."""
    rows = [(r.case, *one) for r in results for one in r.slices]
    if not rows:
        return None
    cases, _, truth, values = (np.array(column) for column in zip(*rows, strict=True))
    return agreement(values, truth, cases, seed) | {"unread": sum(r.unmeasured_slices for r in results)}


def summarise_groups(results: list[ModelResult], seed: int = 0) -> dict:
    """Return by (size, lesion, age, ...) -> group -> numbers, for every group that has cases."""
    members: dict[str, dict[str, list[ModelResult]]] = {}
    truths = [r.truth_mm for r in results if r.truth_mm is not None]
    if len(truths) == len(results):
        members["size of shift"] = {name: [] for name in size_groups()}
        for r, truth_mm in zip(results, truths, strict=True):
            members["size of shift"][size_group(truth_mm)].append(r)
    for by in dict.fromkeys(by for r in results for by in r.groups):
        names = sorted({name for r in results for name in r.groups.get(by, ())})
        members[by] = {name: [r for r in results if name in r.groups.get(by, ())] for name in names}
    return {
        by: {name: summarise_set(mine, seed) for name, mine in groups.items() if mine} for by, groups in members.items()
    }


def summarise(results: list[ModelResult], readers: Mapping[str, list[dict]], seed: int = 0) -> dict:
    """Return ``sets``: set -> numbers of this model, with ``slices`` and ``by``; ``baselines``: set -> method -> numbers;
    ``readers``: the two readers against each other; ``worst``: the results farthest from the truth of each set.

    Args:
        results: by all models. readers: case -> the readers' rows.
    """
    result: dict = {"sets": {}, "baselines": {}, "worst": []}
    for name in dict.fromkeys(r.set for r in results):
        in_set = [r for r in results if r.set == name]
        own = [r for r in in_set if r.model == THIS_MODEL]
        numbers = summarise_set(own, seed)
        slices = summarise_slices(own, seed)
        if slices:
            numbers["slices"] = slices
        numbers["by"] = summarise_groups(own, seed)
        result["sets"][name] = numbers
        result["baselines"][name] = _baselines(in_set, own, seed)
        result["worst"] += _worst(own)
    of_both = [
        [cells[name] for name in sorted(cells)]
        for rows in readers.values()
        if len(cells := {row["reader"]: row["shift_mm"] for row in rows}) == 2
    ]
    if of_both:
        first, second = np.array(of_both).T
        result["readers"] = agreement(first, second, seed=seed)
    return result


def _baselines(in_set: list[ModelResult], own: list[ModelResult], seed: int) -> dict:
    """Sum up the compared models and simple methods; paired with this model on the cases that both measured."""
    result = {}
    for model in dict.fromkeys(r.model for r in in_set if r.model != THIS_MODEL):
        theirs = [r for r in in_set if r.model == model]
        result[model] = summarise_set(theirs, seed)
        slices = summarise_slices(theirs, seed)
        if slices:
            result[model]["slices"] = slices
        pairs = [
            (b.measured_mm, a.measured_mm, a.truth_mm)
            for a, b in zip(own, theirs, strict=True)
            if None not in (a.measured_mm, b.measured_mm, a.truth_mm)
        ]
        if pairs:
            compared, this, truth = np.array(pairs, float).T
            result[model]["mae_more_than_this_model"] = paired_difference(compared, this, truth, seed=seed)
    done = [r for r in own if r.measured_mm is not None]
    largest = [r for r in done if r.authors_mm is not None]
    if largest:
        found = _of_sizes(largest, _column(largest, "authors_mm"), seed)
        slices = summarise_slices([replace(r, slices=r.authors_slices, unmeasured_slices=0) for r in largest], seed)
        if slices:
            slices.pop("side", None)
            found["slices"] = slices
        result["largest displacement (Gong et al.)"] = found
    if done and done[0].truth_mm is not None:
        result["always zero"] = _of_sizes(done, np.zeros(len(done)), seed)
    return result


def _column(results: list[ModelResult], name: str) -> np.ndarray:
    """Return (n,) numbers of the results that all have them."""
    return np.array([getattr(r, name) for r in results], float)


def _of_sizes(results: list[ModelResult], sizes: np.ndarray, seed: int) -> dict:
    """Sum up a method that gives (n,) sizes in mm and no side, held against the size of the truth."""
    if results[0].truth_mm is None:
        weights = bootstrap.draw_weights(np.arange(len(sizes)), seed)
        return {
            "n": len(sizes),
            "median_reading": bootstrap.interval(bootstrap.median(weights, sizes)),
            "largest_reading": float(sizes.max()),
            "at_least_3_mm": proportion(int((sizes >= SIDED_MM).sum()), len(sizes)),
        }
    found = agreement(sizes, np.abs(_column(results, "truth_mm")), seed=seed)
    found.pop("side", None)
    return found


def _worst(results: list[ModelResult]) -> list[dict]:
    """Return the results farthest from the truth; without a truth, the largest."""
    far = [(abs(r.measured_mm - (r.truth_mm or 0.0)), r) for r in results if r.measured_mm is not None]
    far.sort(key=lambda pair: -pair[0])
    return [
        {
            "set": r.set,
            "case": r.case,
            "truth_mm": r.truth_mm,
            "measured_mm": r.measured_mm,
            "interval_mm": None if r.interval_mm is None else list(r.interval_mm),
            "flags": r.flags,
            "groups": {by: list(names) for by, names in r.groups.items()},
        }
        for _, r in far[:WORST]
    ]
