"""Slices of phantoms cut into the aligned frame once, for the denoisers, and batches of noised slices drawn from them.

Heads are upright, centred between the falx ends and scaled to one falx length, as the measuring pipeline hands them to
the networks (``MidlineShiftLogic.geometry.frame``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import Dataset
from tqdm import tqdm

from midlineshift_training.datasets.degrade import degrade
from midlineshift_training.datasets.midline_batches import make_batch
from midlineshift_training.datasets.phantom_store import load_phantoms
from midlineshift_training.datasets.resample import resampled
from midlineshift_training.datasets.samplers import Drawing, with_share
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.inference.window import BRAIN_WINDOW_HU, window

COHORTS = ("non-mls", "all")
_DEGRADED_GRID = 128
"""Grid on which the degradations' sizes are right."""
_BATCH = 32


@dataclass
class AlignedSlices:
    """S slices in the true frame, on a grid ``fineness`` times finer than the denoisers'.

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


@dataclass
class NoisedBatch:
    """Slices (B, 1, grid, grid) in -1..1 with the steps (B,) and noise (as the slices) they are to be noised with."""

    x: Tensor
    timesteps: Tensor
    noise: Tensor


def load_aligned(
    files: list[Path],
    cohort: str,
    size: int,
    pixel_mm: float,
    frame_mm: float,
    non_mls_below_mm: float,
    heights_mm: tuple[float, float],
) -> AlignedSlices:
    """Cut the slices of a cohort, one file in memory at a time.

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
            batch = make_batch(slices, index, None, size, pixel_mm, frame_mm, torch.Generator())
            parts["hu"].append(batch.hu.half())
            parts["inside"].append(batch.inside > 0)
            parts["case_shift"].append(shift[index])
    if not parts["hu"]:
        raise InputError(f"None of the {len(files)} phantoms belongs to the cohort {cohort!r}; add more.", "no-data")
    return AlignedSlices(**{name: torch.cat(values) for name, values in parts.items()})


class NoisedBatches(Dataset):
    """Batch number -> NoisedBatch, the same for the same seed whenever it is asked for; that makes training resumable.

    Augmentation after Gong et al.: left-right flip and rotation to +-15 degrees, each with probability 0.5; to it come
    the small errors of the pose step (size, place) and, on a share of the slices, the degradations that phantoms lack.

    Args:
        slices: the cohort, on a grid ``fineness`` times the denoisers'.
        settings: ``batch``, ``grid``, ``steps``, ``mls_share``, ``non_mls_below_mm``, ``rotation_deg``,
            ``size_jitter``, ``place_jitter_px``, ``degraded_share``.
        seed: with the batch's number, seeds everything random.
        first, count: numbers of the batches ``first`` .. ``first + count - 1``.
        even_steps: spread the steps evenly over the schedule (for validation) instead of drawing them.
    """

    def __init__(
        self, slices: AlignedSlices, settings: dict, seed: int, first: int, count: int, even_steps: bool = False
    ):
        self.slices, self.settings, self.seed = slices, settings, seed
        self.first, self.count, self.even_steps = first, count, even_steps
        weight = torch.ones(len(slices)) if slices.weight is None else slices.weight
        shifted = slices.case_shift >= settings["non_mls_below_mm"]
        self.drawing = Drawing(with_share(weight, shifted, settings["mls_share"]), settings["batch"], seed)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> NoisedBatch:
        if number >= self.count:
            raise IndexError(number)
        number += self.first
        s = self.settings
        g = torch.Generator().manual_seed(self.seed * 1_000_003 + number)
        index = self.drawing.slices(number, g)
        x = self._varied(index, g)
        if self.even_steps:
            place = (torch.arange(s["batch"]) + (number * 0.618) % 1) / s["batch"]
            timesteps = (place * s["steps"]).long()
        else:
            timesteps = torch.randint(0, s["steps"], (s["batch"],), generator=g)
        return NoisedBatch(x=x, timesteps=timesteps, noise=torch.randn(x.shape, generator=g))

    def _varied(self, index: Tensor, g: torch.Generator) -> Tensor:
        s, count = self.settings, len(index)
        size = self.slices.hu.shape[-1]
        transform = _jitter(count, s, g)
        hu = self.slices.hu[index].float()[:, None] + 1000.0  # the zeros outside the grid then mean air
        hu = resampled(hu, transform) - 1000.0
        pooled = max(s["grid"], min(size, _DEGRADED_GRID))
        if pooled != size:  # else it would take as long to change nothing
            hu = functional.adaptive_avg_pool2d(hu, pooled)
        hu = hu[:, 0]
        chosen = torch.rand(count, generator=g) < s["degraded_share"]
        if chosen.any():
            inside = resampled(self.slices.inside[index].float()[:, None], transform)
            inside = functional.adaptive_avg_pool2d(inside, _DEGRADED_GRID // 2)[:, 0]
            hu[chosen] = degrade(hu[chosen], (inside[chosen] > 0.5).float(), g)
        x = window(hu, BRAIN_WINDOW_HU)[:, None]
        return functional.adaptive_avg_pool2d(x, s["grid"])


def _jitter(count: int, settings: dict, g: torch.Generator) -> Tensor:
    """(B, 2, 3) matrices for ``affine_grid``: flip, rotation, size, place."""

    def uniform() -> Tensor:
        return torch.rand(count, generator=g)

    flip = 1 - 2 * (uniform() < 0.5).float()
    turned = (uniform() < 0.5).float()
    angle = turned * (2 * uniform() - 1) * math.radians(settings["rotation_deg"])
    scale = 1 + (2 * uniform() - 1) * settings["size_jitter"]
    place = torch.randn(count, 2, 1, generator=g) * settings["place_jitter_px"] * 2 / settings["grid"]
    c, s = torch.cos(angle) * scale, torch.sin(angle) * scale
    matrix = torch.stack([torch.stack([c * flip, -s], -1), torch.stack([s * flip, c], -1)], -2)
    return torch.cat([matrix, place], dim=-1)
