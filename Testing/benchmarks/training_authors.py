"""Batches the way Gong et al. load them: the whole volume is read again for every slice, and slices are varied one by one.

What comes out is what our loaders give, so that the same stage trains on either. Volumes are int16, the smallest that holds
HU. If they are in the page cache, reading costs little; ``cold`` has the system forget each before it is read, as for a set
that is larger than the memory.
"""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from midlineshift_training.datasets.annotated_slices import AnnotatedSlices, head_mask
from midlineshift_training.datasets.denoiser_dataset import DenoiserBatch
from midlineshift_training.datasets.landmark_dataset import LandmarkBatch, cut_landmark_batch
from midlineshift_training.datasets.settings import pick
from midlineshift_training.datasets.transforms.frame_variation import AffineVariation, draw_affine
from MidlineShiftLogic.inference.window import BRAIN_WINDOW_HU, window

FIRST, LEFT_OUT_ABOVE = 8, 5


def write_volumes(folder: Path, cases: int, slices: int, pixels: int) -> list[Path]:
    """Volumes (slice, row, column) of elliptic heads in HU, as ``.npy``."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:pixels, :pixels] / pixels * 2 - 1
    paths = []  # written through to the disk, so that the system can forget them
    for case in range(cases):
        radius = np.hypot(columns / rng.uniform(0.6, 0.75), rows / rng.uniform(0.8, 0.9))
        head = np.where(radius < 0.92, 32, np.where(radius < 1, 900, -1000))
        volume = head + rng.normal(0, 3, (slices, pixels, pixels))
        paths.append(folder / f"{case:03d}.npy")
        with open(paths[-1], "wb") as file:
            np.save(file, volume.astype(np.int16))
            os.fsync(file.fileno())
    return paths


def read(path: Path, cold: bool) -> np.ndarray:
    """The whole volume."""
    if cold:
        handle = os.open(path, os.O_RDONLY)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)
    return np.load(path)


def index_of(paths: list[Path]) -> list[tuple[Path, int]]:
    """(volume, slice) of every slice that they train on."""
    depth = len(np.load(paths[0], mmap_mode="r"))
    return [(path, k) for path in paths for k in range(FIRST, depth - LEFT_OUT_ABOVE)]


def kept_in_memory(paths: list[Path]) -> AnnotatedSlices:
    """The same slices as we keep them: read once, their masks made once. Every second one has landmarks."""
    index = index_of(paths)
    hu = np.stack([np.load(path)[k] for path, k in index])
    return AnnotatedSlices(
        hu=torch.from_numpy(hu).half(),
        head=torch.from_numpy(np.stack([head_mask(one) for one in hu])),
        landmarks=torch.stack([_landmarks(number, hu.shape[-1]) for number in range(len(hu))]),
        limit_mm=torch.full((len(hu),), 4.0),
        shifted=torch.ones(len(hu), dtype=torch.int8),
        pixel_mm=torch.ones(len(hu)),
        weight=torch.ones(len(hu)),
        height=torch.full((len(hu),), torch.nan),
        case=torch.tensor([paths.index(path) for path, _ in index]),
    )


def _landmarks(number: int, size: int) -> Tensor:
    points = torch.tensor([[0.0, -0.4], [0.0, 0.4], [0.02, -0.1], [0.0, -0.1]]) * size
    return points if number % 2 == 0 else torch.full_like(points, torch.nan)


def landmark_batch(index: list[tuple[Path, int]], chosen: Tensor, settings: dict, g: torch.Generator) -> LandmarkBatch:
    """Slices ``chosen`` of ``index``, one after another."""
    parts, varied = [], pick(AffineVariation, settings)
    for number in chosen.tolist():
        path, k = index[number]
        hu = np.load(path)[k]
        one = AnnotatedSlices(
            hu=torch.from_numpy(hu).half()[None],
            head=torch.from_numpy(head_mask(hu))[None],
            landmarks=_landmarks(number, hu.shape[-1])[None],
            limit_mm=torch.tensor([4.0]),
            shifted=torch.ones(1, dtype=torch.int8),
            pixel_mm=torch.ones(1),
            weight=torch.ones(1),
            height=torch.full((1,), torch.nan),
            case=torch.zeros(1, dtype=torch.long),
        )
        parts.append(cut_landmark_batch(one, torch.zeros(1, dtype=torch.long), draw_affine(1, varied, hu.shape[-1], g)))
    whole = {f.name: torch.cat([getattr(part, f.name) for part in parts]) for f in fields(LandmarkBatch)}
    return LandmarkBatch(**whole | {"index": chosen})


def noised_batch(
    index: list[tuple[Path, int]], settings: dict, g: torch.Generator, cold: bool = False
) -> DenoiserBatch:
    """A batch for a denoiser."""
    chosen = torch.randint(len(index), (settings["batch"],), generator=g)
    varied = pick(AffineVariation, settings | {"mirror": 0.5})
    images = []
    for number in chosen.tolist():
        path, k = index[number]
        hu = torch.from_numpy(read(path, cold)[k]).float()[None, None] + 1000.0
        transform = draw_affine(1, varied, hu.shape[-1], g)
        points = functional.affine_grid(transform, list(hu.shape), align_corners=False)
        hu = functional.grid_sample(hu, points, align_corners=False)[:, 0] - 1000.0
        images.append(functional.adaptive_avg_pool2d(window(hu, BRAIN_WINDOW_HU)[:, None], settings["grid"]))
    x = torch.cat(images)
    timesteps = torch.randint(0, settings["steps"], (len(x),), generator=g)
    return DenoiserBatch(x=x, timesteps=timesteps, noise=torch.randn(x.shape, generator=g))
