"""Slices cut into the aligned frame once, for the denoisers.

Heads are upright, centred between the falx attachments and scaled to one falx length, as the measuring pipeline hands them
to the networks (``MidlineShiftLogic.geometry.frame``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from midlineshift_training.datasets.midline_dataset import cut_midline_batch
from midlineshift_training.datasets.phantom_slices import load_phantoms
from MidlineShiftLogic.errors import InputError

COHORTS = ("non-mls", "all")
"""Groups of cases: those known to be unshifted, and all."""
_BATCH = 32


@dataclass
class AlignedSlices:
    """S slices in the true frame, on a grid a whole number of times finer than the denoisers'.

    Attributes:
        hu: (S, size, size) float16.
        inside: (S, size / 2, size / 2) bool, inside the skull.
        case_shift: (S,) size of the case's shift, mm.
        weight: (S,) how often a slice is drawn beside that; None: all alike.
    """

    hu: Tensor
    inside: Tensor
    case_shift: Tensor
    weight: Tensor | None = None

    def __len__(self) -> int:
        return len(self.hu)


def load_aligned(
    files: list[Path],
    cohort: str,
    size: int,
    pixel_mm: float,
    frame_mm: float,
    non_mls_below_mm: float,
    heights_mm: tuple[float, float],
) -> AlignedSlices:
    """Cut the slices of a cohort of phantoms, one file in memory at a time.

    Args:
        files: phantom files.
        cohort: "non-mls" (cases that shift less than ``non_mls_below_mm``) or "all".
        size, pixel_mm: grid to keep the slices on. frame_mm: falx length in the frame.
        heights_mm: lowest and highest height above the anterior-commissure level of the slices taken.

    Raises:
        InputError: a file is damaged, or the cohort is empty.
    """
    if cohort not in COHORTS:
        raise InputError(f"Unknown cohort {cohort!r}; there are {' and '.join(COHORTS)}.", "cohort")
    low, high = heights_mm
    parts: dict[str, list[Tensor]] = {"hu": [], "inside": [], "case_shift": []}
    for path in tqdm(files, desc="aligning", unit="case", disable=None):
        try:
            slices = load_phantoms([path])
        except InputError as error:
            if error.code == "no-data":  # no slice of this head shows the falx: there is nothing to align it by
                continue
            raise
        shift = slices.case_shift.abs()
        if cohort == "non-mls" and shift[0] >= non_mls_below_mm:
            continue
        for index in ((slices.height > low) & (slices.height < high)).nonzero()[:, 0].split(_BATCH):
            batch = cut_midline_batch(slices, index, None, size, pixel_mm, frame_mm, torch.Generator())
            parts["hu"].append(batch.hu.half())
            parts["inside"].append(batch.inside > 0)
            parts["case_shift"].append(shift[index])
    if not parts["hu"]:
        raise InputError(f"None of the {len(files)} phantoms belongs to the cohort {cohort!r}; add more.", "no-data")
    return AlignedSlices(**{name: torch.cat(values) for name, values in parts.items()})
