"""Batches of varied slices with the steps and the noise that they are to be noised with, for the denoisers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import Dataset

from midlineshift_training.datasets.aligned_slices import AlignedSlices
from midlineshift_training.datasets.samplers import SliceSampler, with_share
from midlineshift_training.datasets.transforms.affine import resample_affine
from midlineshift_training.datasets.transforms.degrade import degrade
from midlineshift_training.datasets.transforms.frame_variation import AffineVariation, draw_affine
from midlineshift_training.datasets.transforms.pooling import block_means
from MidlineShiftLogic.inference.window import BRAIN_WINDOW_HU, window

_DEGRADED_GRID = 128
"""Grid on which the degradations' sizes are right."""
_SPREAD = 0.618
"""Golden ratio: steps of successive validation batches are spread evenly."""


@dataclass
class DenoiserBatch:
    """Slices (B, 1, grid, grid) in -1..1 with the steps (B,) and noise (as the slices) they are to be noised with."""

    x: Tensor
    timesteps: Tensor
    noise: Tensor


@dataclass(frozen=True)
class DenoiserDataSettings:
    """What a ``DenoiserDataset`` draws.

    Attributes:
        batch: slices a batch. grid: pixels of the denoisers' input. steps: of the noise schedule.
        mls_share: share of shifted slices in all draws; None: as they come.
        non_mls_below_mm: cases shifted by less count as unshifted.
        rotation_deg, size_jitter, place_jitter_px: see ``AffineVariation``; flips have the chance 0.5.
        degraded_share: share of the slices that get what real scans have and phantoms lack.
    """

    batch: int
    grid: int
    steps: int
    mls_share: float | None
    non_mls_below_mm: float
    rotation_deg: float
    size_jitter: float
    place_jitter_px: float
    degraded_share: float

    @property
    def affine(self) -> AffineVariation:
        """Return flip, rotation, size and place of a slice."""
        return AffineVariation(0.5, self.rotation_deg, self.size_jitter, self.place_jitter_px)


class DenoiserDataset(Dataset):
    """Batch number -> DenoiserBatch, the same for the same seed whenever it is asked for; that makes training resumable.

    Augmentation after Gong et al.: left-right flip and rotation to +-15 degrees, each with probability 0.5; to it come
    the small errors of the pose step (size, place) and, on a share of the slices, the degradations that phantoms lack.

    Args:
        slices: the cohort, on a grid a whole number of times finer than the denoisers'.
        settings: what is drawn.
        seed: with the batch's number, seeds everything random.
        first, count: numbers of the batches ``first`` .. ``first + count - 1``.
        even_steps: spread the steps evenly over the schedule (for validation) instead of drawing them.
    """

    def __init__(
        self,
        slices: AlignedSlices,
        settings: DenoiserDataSettings,
        seed: int,
        first: int,
        count: int,
        even_steps: bool = False,
    ):
        self.slices, self.settings, self.seed = slices, settings, seed
        self.first, self.count, self.even_steps = first, count, even_steps
        weight = torch.ones(len(slices)) if slices.weight is None else slices.weight
        shifted = slices.case_shift >= settings.non_mls_below_mm
        self.sampler = SliceSampler(with_share(weight, shifted, settings.mls_share), settings.batch, seed)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> DenoiserBatch:
        if number >= self.count:
            raise IndexError(number)
        number += self.first
        s = self.settings
        g = torch.Generator().manual_seed(self.seed * 1_000_003 + number)
        index = self.sampler.slices(number, g)
        x = self._vary(index, g)
        if self.even_steps:
            place = (torch.arange(s.batch) + (number * _SPREAD) % 1) / s.batch
            timesteps = (place * s.steps).long()
        else:
            timesteps = torch.randint(0, s.steps, (s.batch,), generator=g)
        return DenoiserBatch(x=x, timesteps=timesteps, noise=torch.randn(x.shape, generator=g))

    def _vary(self, index: Tensor, g: torch.Generator) -> Tensor:
        """Move, degrade, window and average slices onto the denoisers' grid: (B, 1, grid, grid) in -1..1."""
        s, count = self.settings, len(index)
        size = self.slices.hu.shape[-1]
        transform = draw_affine(count, s.affine, s.grid, g)
        hu = self.slices.hu[index].float()[:, None].add_(1000.0)  # the zeros outside the grid then mean air
        hu = resample_affine(hu, transform).sub_(1000.0)
        pooled = max(s.grid, min(size, _DEGRADED_GRID))
        hu = block_means(hu, pooled)[:, 0]
        chosen = torch.rand(count, generator=g) < s.degraded_share
        if chosen.any():
            inside = resample_affine(self.slices.inside[index].float()[:, None], transform)
            inside = block_means(inside, _DEGRADED_GRID // 2)[:, 0]
            hu[chosen] = degrade(hu[chosen], (inside[chosen] > 0.5).float(), g)
        x = window(hu, BRAIN_WINDOW_HU)[:, None]
        return block_means(x, s.grid)
