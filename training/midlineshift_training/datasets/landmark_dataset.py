"""Batches of slices with sparse landmarks for the deformation network, varied in place."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import Dataset

from midlineshift_training.datasets.annotated_slices import AnnotatedSlices
from midlineshift_training.datasets.samplers import SliceSampler, with_share
from midlineshift_training.datasets.transforms.affine import resample_affine
from midlineshift_training.datasets.transforms.frame_variation import AffineVariation, draw_affine


@dataclass
class LandmarkBatch:
    """One batch; lengths in pixels of its grid.

    Attributes:
        hu: (B, size, size). head: (B, size, size) float, 1 in the head.
        landmarks: (B, 4, 2) px as (column, row) from the grid's first pixel: anterior falx, posterior falx, shifted,
            ideal; NaN where the slice has no label.
        limit: (B,) size of the case's shift; NaN: not known.
        pixel_mm: (B,) scan millimetres a pixel.
        index: (B,) slices of the store. case: (B,) their cases.
        transform: (B, 2, 3) for ``affine_grid``: how the slices were varied.
    """

    hu: Tensor
    head: Tensor
    landmarks: Tensor
    limit: Tensor
    pixel_mm: Tensor
    index: Tensor
    case: Tensor
    transform: Tensor

    @property
    def true_mm(self) -> Tensor:
        """Return (B,) |shifted - ideal| in mm; NaN without landmarks."""
        return (self.landmarks[:, 2] - self.landmarks[:, 3]).norm(dim=-1) * self.pixel_mm


def cut_landmark_batch(slices: AnnotatedSlices, index: Tensor, transform: Tensor) -> LandmarkBatch:
    """Return slices varied by a transform, with their landmarks.

    Args:
        index: (B,). transform: (B, 2, 3), from the batch's places to the store's, both -1..1 from edge to edge.
    """
    size = slices.hu.shape[-1]
    matrix, place = transform[:, :, :2], transform[:, :, 2]
    half = size / 2
    points = slices.landmarks[index] - (place * half)[:, None]
    points = torch.linalg.solve(matrix[:, None], points[..., None])[..., 0]
    # the map is a rotation, a flip and one size: the change of areas gives that of lengths
    growth = torch.linalg.det(matrix).abs().sqrt()
    pixel_mm = slices.pixel_mm[index] * growth
    hu = vary(slices.hu[index].float()[:, None] + 1000.0, transform)[:, 0] - 1000.0  # zeros outside mean air
    return LandmarkBatch(
        hu=hu,
        head=(vary(slices.head[index].float()[:, None], transform)[:, 0] > 0.5).float(),
        landmarks=points + (size - 1) / 2,
        limit=slices.limit_mm[index] / pixel_mm,
        pixel_mm=pixel_mm,
        index=index,
        case=slices.case[index],
        transform=transform,
    )


def vary(images: Tensor, transform: Tensor) -> Tensor:
    """Sample (B, C, H, W) through (B, 2, 3); zeros outside. Images that are not varied stay exactly as they are."""
    if torch.equal(transform, identity(len(transform)).to(transform)):
        return images
    return resample_affine(images, transform)


def identity(count: int) -> Tensor:
    """Return (count, 2, 3) transforms that change nothing."""
    return torch.eye(2, 3).expand(count, -1, -1).clone()


@dataclass(frozen=True)
class LandmarkDataSettings:
    """What a ``LandmarkDataset`` draws.

    Attributes:
        batch: slices a batch. mls_share, labelled_share: share of shifted and of labelled slices in all draws; None: as
            they come.
        mirror, rotation_deg, size_jitter, place_jitter_px: see ``AffineVariation``.
    """

    batch: int
    mls_share: float | None
    labelled_share: float | None
    mirror: float
    rotation_deg: float
    size_jitter: float
    place_jitter_px: float

    @property
    def affine(self) -> AffineVariation:
        """Return flip, rotation, size and place of a slice."""
        return AffineVariation(self.mirror, self.rotation_deg, self.size_jitter, self.place_jitter_px)


class LandmarkDataset(Dataset):
    """Batch number -> LandmarkBatch, the same for the same seed whenever it is asked for; that makes training resumable.

    Args:
        slices: the store. settings: what is drawn.
        seed: with the batch's number, seeds everything random. first, count: numbers ``first`` .. ``first + count - 1``.
    """

    def __init__(self, slices: AnnotatedSlices, settings: LandmarkDataSettings, seed: int, first: int, count: int):
        self.slices, self.settings, self.seed, self.first, self.count = slices, settings, seed, first, count
        weights = with_share(slices.weight, slices.shifted == 1, settings.mls_share)
        weights = with_share(weights, slices.labelled, settings.labelled_share)
        self.sampler = SliceSampler(weights, settings.batch, seed)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> LandmarkBatch:
        if number >= self.count:
            raise IndexError(number)
        number += self.first
        g = torch.Generator().manual_seed(self.seed * 1_000_003 + number)
        index = self.sampler.slices(number, g)
        transform = draw_affine(len(index), self.settings.affine, self.slices.hu.shape[-1], g)
        return cut_landmark_batch(self.slices, index, transform)


class SlicesInOrder(Dataset):
    """All slices as they are, in order, ``batch`` at a time: for validation, and to make something of each slice once."""

    def __init__(self, slices: AnnotatedSlices, batch: int):
        self.slices, self.batch = slices, batch

    def __len__(self) -> int:
        return math.ceil(len(self.slices) / self.batch)

    def __getitem__(self, number: int) -> LandmarkBatch:
        if number >= len(self):
            raise IndexError(number)
        index = torch.arange(number * self.batch, min(len(self.slices), (number + 1) * self.batch))
        return cut_landmark_batch(self.slices, index, identity(len(index)))
