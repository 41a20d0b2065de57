"""Coarse vector fields over the head: sampling, smooth random fields, exponentials of velocity fields.

All of them live on one 4 mm lattice in *head units*: subject millimetres (RAS+, midsagittal plane x = 0) divided by the
subject's scale, so that the lattice covers every head, large or small.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from torch.nn import functional

from midlineshift_training.datasets.phantoms.tissue_model import Grid
from MidlineShiftLogic.geometry import resampling

LATTICE = Grid((-104.0, -144.0, -92.0), 4.0, (53, 65, 53))  # symmetric about x = 0, with nodes on the midsagittal plane
SQUARINGS = 6
NOISE_NODES_PER_SIGMA = 1.6


def nodes(grid: Grid = LATTICE) -> torch.Tensor:
    """Return (X, Y, Z, 3) positions of a grid's nodes."""
    return torch.from_numpy(np.stack(grid.coordinates(), -1))


def sample(volume: torch.Tensor, points: torch.Tensor, grid: Grid = LATTICE) -> torch.Tensor:
    """Sample a field trilinearly; edge values go on beyond the grid.

    Args:
        volume: (C, X, Y, Z) on ``grid``.
        points: (..., 3) in the grid's millimetres.

    Returns:
        (C, ...)
    """
    size = torch.tensor(grid.shape, dtype=torch.float32)
    scale = 2 / (grid.spacing * (size - 1))
    unit = (points - torch.tensor(grid.origin)) * scale - 1
    flat = unit.flip(-1).reshape(1, -1, 1, 1, 3)
    out = resampling.sample(volume[None], flat, padding="border")
    return out.reshape(volume.shape[0], *points.shape[:-1])


def move(field: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Return points + field(points); field (3, X, Y, Z) on the lattice, points (..., 3)."""
    return points + sample(field, points).movedim(0, -1)


def exponential(velocity: torch.Tensor) -> torch.Tensor:
    """Return the displacement (3, X, Y, Z) of a stationary velocity's flow after unit time (scaling and squaring)."""
    flow = velocity / 2**SQUARINGS
    grid_nodes = nodes()
    for _ in range(SQUARINGS):
        flow = flow + sample(flow, grid_nodes + flow.movedim(0, -1))
    return flow


def follow(velocity: torch.Tensor, points: torch.Tensor, steps: int = 6) -> torch.Tensor:
    """Return points carried by the velocity field for unit time (midpoint rule); cheap for few points."""
    for _ in range(steps):
        half = points + sample(velocity, points).movedim(0, -1) / (2 * steps)
        points = points + sample(velocity, half).movedim(0, -1) / steps
    return points


def smooth(volume: np.ndarray | torch.Tensor, sigma_mm: float, grid: Grid = LATTICE) -> torch.Tensor:
    """Smooth a volume on a grid with a Gaussian."""
    array = np.asarray(volume, dtype=np.float32)
    return torch.from_numpy(ndimage.gaussian_filter(array, sigma_mm / grid.spacing, truncate=3.0))


def noise(rng: np.random.Generator, sigma_mm: float, grid: Grid = LATTICE) -> torch.Tensor:
    """Smooth Gaussian noise of unit variance, (X, Y, Z); drawn on a lattice no finer than its smoothness needs."""
    step = max(1, int(sigma_mm / (NOISE_NODES_PER_SIGMA * grid.spacing)))
    shape = tuple(-(-(n - 1) // step) + 1 for n in grid.shape)
    white = rng.standard_normal(shape, dtype=np.float32)
    field = torch.from_numpy(ndimage.gaussian_filter(white, sigma_mm / (grid.spacing * step), truncate=3.0))
    if step > 1:
        field = upsample(field, grid.shape)
    return field / field.std()


def upsample(volume: torch.Tensor, shape: tuple[int, int, int]) -> torch.Tensor:
    """Upsample (X, Y, Z) to ``shape`` trilinearly, corner nodes aligned."""
    return functional.interpolate(volume[None, None], shape, mode="trilinear", align_corners=True)[0, 0]


def gradient(volume: torch.Tensor, grid: Grid = LATTICE) -> torch.Tensor:
    """Return (3, X, Y, Z) spatial gradient per mm."""
    return torch.stack(torch.gradient(volume, spacing=grid.spacing))


def midplane_keeping_noise(
    rng: np.random.Generator, sigma_mm: float, amplitude_mm: float, symmetric_share: float
) -> torch.Tensor:
    """Smooth random displacement (3, X, Y, Z) whose x component is exactly zero on the plane x = 0.

    The left-right symmetric part has an odd x component, hence zero there; the x component of the antisymmetric part
    is multiplied by a factor that vanishes there.
    """
    field = torch.stack([noise(rng, sigma_mm) for _ in range(3)]) * amplitude_mm
    mirrored = field.flip(1)
    mirrored = torch.cat([-mirrored[:1], mirrored[1:]])
    symmetric, antisymmetric = (field + mirrored) / 2, (field - mirrored) / 2
    x = torch.from_numpy(LATTICE.axes()[0])[:, None, None]
    antisymmetric[0] *= 1 - torch.exp(-((x / 14) ** 2))
    return 2**0.5 * (symmetric_share**0.5 * symmetric + (1 - symmetric_share) ** 0.5 * antisymmetric)
