"""Landmarks as readers gave them, by slice of the scan that they were placed in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from midlineshift_training.datasets.annotated.case import SliceDetails, is_slab, one_a_slice
from midlineshift_training.datasets.annotated.points import GivenPoints, Misplaced
from MidlineShiftLogic.headct.headct import HeadCT


def place_slices(
    ct: HeadCT, slices: Sequence[GivenPoints]
) -> tuple[dict[int, np.ndarray], dict[int, SliceDetails], list[str]]:
    """Place the labelled slices of a scan; those that several readers labelled are averaged.

    Returns:
        Landmarks (4, 2) px and details, both by slice of the scan as read, and what is wrong, in sentences.
    """
    found: dict[tuple[int, int | None], list[tuple[np.ndarray, SliceDetails, GivenPoints]]] = {}
    bad: list[str] = []
    for points in slices:
        try:
            index, placed = points.place(ct)
            found.setdefault((index, points.slice), []).append((placed, points.details(ct), points))
        except Misplaced as error:
            bad += error.args
    averaged, details = [], {}
    for (index, _), group in found.items():
        readers = {points.reader for _, _, points in group}
        if len(group) > 1 and (len(readers) < len(group) or "" in readers):
            bad.append(f"{group[-1][2].where}: its slice is labelled twice.")
            continue
        averaged.append((index, np.mean([placed for placed, _, _ in group], axis=0)))
        # of a slab of several labelled slices only the four landmarks are kept (``one_a_slice``)
        details[index] = SliceDetails() if index in details else _mean_details([one for _, one, _ in group])
    if not _only_slabs_repeat(ct, [index for index, _ in averaged]):
        bad.append(f"{slices[-1].where}: its slice is labelled twice.")
    return one_a_slice(averaged), details, bad


def _only_slabs_repeat(ct: HeadCT, indices: Sequence[int]) -> bool:
    """Return whether only slabs, which several slices of the file went into, are named more than once."""
    return all(is_slab(ct, index) for index in set(indices) if list(indices).count(index) > 1)


def _mean_details(given: Sequence[SliceDetails]) -> SliceDetails:
    """Return details of a slice that one or more readers labelled: points of all who gave them, the mean confidence."""
    names = sorted({name for one in given for name in one.midline})
    midline = {
        name: tuple(np.mean([one.midline[name] for one in given if name in one.midline], axis=0).tolist())
        for name in names
    }
    return SliceDetails(midline, float(np.mean([one.confidence for one in given])), given[0].structure)
