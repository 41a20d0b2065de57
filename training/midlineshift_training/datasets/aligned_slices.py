"""Slices cut into the aligned frame once, for the denoisers.

Heads are upright, centred between the falx attachments and scaled to one falx length, as the measuring pipeline hands them
to the networks (``MidlineShiftLogic.geometry.frame``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from midlineshift_training.datasets.midline_dataset import cut_midline_batch
from midlineshift_training.datasets.phantom_slices import load_phantoms
from midlineshift_training.datasets.phantoms.files import read_case_shift
from midlineshift_training.datasets.slice_cache import map_phantoms
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
    cache: Path | None = None,
) -> AlignedSlices:
    """Cut the slices of a cohort of phantoms, one file in memory at a time.

    Args:
        files: phantom files.
        cohort: "non-mls" (cases that shift less than ``non_mls_below_mm``) or "all".
        size, pixel_mm: grid to keep the slices on. frame_mm: falx length in the frame.
        heights_mm: lowest and highest height above the anterior-commissure level of the slices taken.
        cache: folder of slices cut before (``slice_cache``); None: without.

    Raises:
        InputError: a file is damaged, or the cohort is empty.
    """
    if cohort not in COHORTS:
        raise InputError(f"Unknown cohort {cohort!r}; there are {' and '.join(COHORTS)}.", "cohort")
    if cohort == "non-mls":
        files = [path for path in files if abs(read_case_shift(path)) < non_mls_below_mm]
    parts = map_phantoms(_cut_phantom, files, (size, pixel_mm, frame_mm, heights_mm), cache, "aligning")
    if not parts:
        raise InputError(f"None of the {len(files)} phantoms belongs to the cohort {cohort!r}; add more.", "no-data")
    return AlignedSlices(**{name: torch.cat([part[name] for part in parts]) for name in parts[0]})


def _cut_phantom(
    path: Path, size: int, pixel_mm: float, frame_mm: float, heights_mm: tuple[float, float]
) -> dict[str, Tensor]:
    """Return ``hu``, ``inside`` and ``case_shift`` of a phantom's slices; empty without any."""
    try:
        slices = load_phantoms([path])
    except InputError as error:
        if error.code == "no-data":  # no slice of this head shows the falx: there is nothing to align it by
            return {}
        raise
    low, high = heights_mm
    chosen = ((slices.height > low) & (slices.height < high)).nonzero()[:, 0]
    if not len(chosen):
        return {}
    hu, inside = [], []
    for index in chosen.split(_BATCH):
        batch = cut_midline_batch(slices, index, None, size, pixel_mm, frame_mm, torch.Generator())
        hu.append(batch.hu.half())
        inside.append(batch.inside > 0)
    return {"hu": torch.cat(hu), "inside": torch.cat(inside), "case_shift": slices.case_shift.abs()[chosen]}
