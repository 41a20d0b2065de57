"""Batches of slices with sparse landmarks for the deformation network, varied in place."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import Dataset

from midlineshift_training.datasets.resample import resampled
from midlineshift_training.datasets.samplers import Drawing, with_share
from midlineshift_training.datasets.set_slices import SetSlices


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
        """(B,) |shifted - ideal| in mm; NaN without landmarks."""
        return (self.landmarks[:, 2] - self.landmarks[:, 3]).norm(dim=-1) * self.pixel_mm


def make_batch(slices: SetSlices, index: Tensor, transform: Tensor) -> LandmarkBatch:
    """Slices varied by a transform.

    Args:
        index: (B,). transform: (B, 2, 3), from the batch's places to the store's, both -1..1 from edge to edge.
    """
    size = slices.hu.shape[-1]
    matrix, place = transform[:, :, :2], transform[:, :, 2]
    half = size / 2
    points = slices.landmarks[index] - (place * half)[:, None]
    points = torch.linalg.solve(matrix[:, None], points[..., None])[..., 0]
    # an affine map with rotation, flip and one size: areas tell how lengths change
    growth = torch.linalg.det(matrix).abs().sqrt()
    pixel_mm = slices.pixel_mm[index] * growth
    hu = varied(slices.hu[index].float()[:, None] + 1000.0, transform)[:, 0] - 1000.0  # zeros outside mean air
    return LandmarkBatch(
        hu=hu,
        head=(varied(slices.head[index].float()[:, None], transform)[:, 0] > 0.5).float(),
        landmarks=points + (size - 1) / 2,
        limit=slices.limit_mm[index] / pixel_mm,
        pixel_mm=pixel_mm,
        index=index,
        case=slices.case[index],
        transform=transform,
    )


def varied(images: Tensor, transform: Tensor) -> Tensor:
    """(B, C, H, W) sampled through (B, 2, 3); zeros outside. Images that are not varied stay exactly as they are."""
    if torch.equal(transform, unvaried(len(transform)).to(transform)):
        return images
    return resampled(images, transform)


def unvaried(count: int) -> Tensor:
    """(count, 2, 3) transforms that change nothing."""
    return torch.eye(2, 3).expand(count, -1, -1).clone()


def draw_transforms(count: int, settings: dict, size: int, g: torch.Generator) -> Tensor:
    """(count, 2, 3): left-right flip, rotation, size and place as the settings say.

    Args:
        settings: ``mirror`` (chance of a flip), ``rotation_deg`` (largest, on half of the slices), ``size_jitter``,
            ``place_jitter_px``.
    """

    def uniform() -> Tensor:
        return torch.rand(count, generator=g)

    flip = 1 - 2 * (uniform() < settings["mirror"]).float()
    turned = (uniform() < 0.5).float()
    angle = turned * (2 * uniform() - 1) * math.radians(settings["rotation_deg"])
    scale = 1 + (2 * uniform() - 1) * settings["size_jitter"]
    place = torch.randn(count, 2, 1, generator=g) * settings["place_jitter_px"] * 2 / size
    c, s = torch.cos(angle) * scale, torch.sin(angle) * scale
    matrix = torch.stack([torch.stack([c * flip, -s], -1), torch.stack([s * flip, c], -1)], -2)
    return torch.cat([matrix, place], dim=-1)


class LandmarkBatches(Dataset):
    """Batch number -> LandmarkBatch, the same for the same seed whenever it is asked for; that makes training resumable.

    Args:
        slices: the store.
        settings: ``batch``, ``mls_share``, ``labelled_share``, and those of ``draw_transforms``.
        seed: with the batch's number, seeds everything random. first, count: numbers ``first`` .. ``first + count - 1``.
    """

    def __init__(self, slices: SetSlices, settings: dict, seed: int, first: int, count: int):
        self.slices, self.settings, self.seed, self.first, self.count = slices, settings, seed, first, count
        weights = with_share(slices.weight, slices.shifted == 1, settings["mls_share"])
        weights = with_share(weights, slices.labelled, settings["labelled_share"])
        self.drawing = Drawing(weights, settings["batch"], seed)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> LandmarkBatch:
        if number >= self.count:
            raise IndexError(number)
        number += self.first
        g = torch.Generator().manual_seed(self.seed * 1_000_003 + number)
        index = self.drawing.slices(number, g)
        return make_batch(self.slices, index, draw_transforms(len(index), self.settings, self.slices.hu.shape[-1], g))


class InOrder(Dataset):
    """All slices as they are, in order, ``batch`` at a time: for validation, and to make something of each slice once."""

    def __init__(self, slices: SetSlices, batch: int):
        self.slices, self.batch = slices, batch

    def __len__(self) -> int:
        return math.ceil(len(self.slices) / self.batch)

    def __getitem__(self, number: int) -> LandmarkBatch:
        if number >= len(self):
            raise IndexError(number)
        index = torch.arange(number * self.batch, min(len(self.slices), (number + 1) * self.batch))
        return make_batch(self.slices, index, unvaried(len(index)))
