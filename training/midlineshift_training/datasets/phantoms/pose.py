"""How the head lay in the scanner: slice heights, pixel size, and the map from pixels to the head.

Scanner frame (mm, RAS-like): x_s = -(column - 127.5) * pixel, y_s = -(row - 127.5) * pixel, z_s = height. Columns run to
the patient's left, rows to the back, slices upward.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from midlineshift_training.datasets.phantoms.subject import Subject

SIZE = 256  # pixels of a slice
NODES = 64  # coarse nodes along an edge of a slice, at linspace(0, SIZE - 1, NODES)
MIN_SLICES, MAX_SLICES = 22, 36
HEAD_CENTRE = np.array([0.0, -18.0, 14.0])  # head units
HALF_PIXELS = (SIZE - 1) / 2


@dataclass(frozen=True)
class Pose:
    """Geometry of one scan.

    Attributes:
        pixel_mm: pixel edge.
        thickness_mm: tissue a slice averages.
        heights_mm: (n,) slice positions along the stack normal, increasing.
        rotation: (3, 3) scanner frame -> subject frame.
        offset_mm: (2,) where the head's centre is in the scanner frame, x_s and y_s.
        scale: (3,) subject mm per head unit.
        angles: (yaw, pitch, roll) in degrees.
    """

    pixel_mm: float
    thickness_mm: float
    heights_mm: np.ndarray
    rotation: np.ndarray
    offset_mm: np.ndarray
    scale: np.ndarray
    angles: tuple[float, float, float]

    @property
    def n_slices(self) -> int:
        return len(self.heights_mm)

    def affine(self) -> tuple[np.ndarray, np.ndarray]:
        """Return matrix (3, 3) and shift (3,) such that head units = matrix @ (column, row, height) + shift."""
        to_scanner = np.diag([-self.pixel_mm, -self.pixel_mm, 1.0])
        origin = np.array([HALF_PIXELS * self.pixel_mm - self.offset_mm[0], HALF_PIXELS * self.pixel_mm, 0.0])
        origin[1] -= self.offset_mm[1]
        to_head = self.rotation / self.scale[:, None]
        return to_head @ to_scanner, to_head @ origin + HEAD_CENTRE

    def to_head(self, points: np.ndarray | torch.Tensor) -> torch.Tensor:
        """Convert (..., 3) (column, row, height in mm) to (..., 3) head units, float32."""
        matrix, shift = self.affine()
        points = torch.as_tensor(points, dtype=torch.float32)
        return points @ torch.tensor(matrix.T, dtype=torch.float32) + torch.tensor(shift, dtype=torch.float32)

    def to_pixels(self, displacement: torch.Tensor) -> torch.Tensor:
        """Convert the in-plane part of (..., 3) displacements in head units to (..., 2) pixels (row, column)."""
        inverse = np.linalg.inv(self.affine()[0])
        return displacement @ torch.tensor(inverse[[1, 0]].T, dtype=torch.float32)

    def coarse_points(self, heights: np.ndarray) -> torch.Tensor:
        """Return (len(heights), NODES, NODES, 3) head-unit positions of the coarse nodes."""
        ticks = np.linspace(0, SIZE - 1, NODES, dtype=np.float32)
        height, row, column = np.meshgrid(np.asarray(heights, np.float32), ticks, ticks, indexing="ij")
        return self.to_head(np.stack([column, row, height], -1))


def draw(rng: np.random.Generator, subject: Subject) -> Pose:
    """Draw a pose and a stack of slices."""
    yaw = rng.normal(0, 10) if rng.random() < 0.85 else rng.uniform(-42, 42)
    pitch = rng.normal(0, 11) if rng.random() < 0.85 else rng.uniform(-28, 28)
    roll = rng.normal(0, 4) if rng.random() < 0.9 else rng.uniform(-12, 12)
    angles = np.clip([yaw, pitch, roll], [-42, -28, -12], [42, 28, 12])
    rotation = Rotation.from_euler("ZXY", angles, degrees=True).as_matrix()

    uniform = rng.random()
    thickness = (
        rng.uniform(4.5, 5.5) if uniform < 0.8 else rng.uniform(2.5, 4.5) if uniform < 0.9 else rng.uniform(5.5, 7.0)
    )
    spacing = thickness * (rng.uniform(1.0, 1.1) if rng.random() < 0.2 else 1.0)
    top = rng.uniform(76, 90) * subject.scale[2]
    if rng.random() < 0.1:  # vertex not covered
        top -= rng.uniform(8, 30)
    bottom = -rng.uniform(52, 92) * subject.scale[2]
    count = int(np.clip(round((top - bottom) / spacing), MIN_SLICES, MAX_SLICES))
    steps = np.full(count, spacing)
    if rng.random() < 0.06:  # two step sizes in one stack, as after a change of collimation at the skull base
        steps[: count // 3] *= rng.uniform(0.55, 0.75)
    heights = top - np.cumsum(steps[::-1])[::-1] + spacing / 2

    small = subject.scale.mean() < 0.88
    pixel = rng.uniform(0.80, 0.95) if small and rng.random() < 0.6 else rng.uniform(0.80, 1.10)
    spread = 15 if rng.random() < 0.25 else 6
    offset = rng.normal(0, spread, 2).clip(-28, 28)
    return Pose(
        pixel_mm=float(pixel),
        thickness_mm=float(thickness),
        heights_mm=heights,
        rotation=rotation,
        offset_mm=offset,
        scale=subject.scale.astype(float),
        angles=(float(angles[0]), float(angles[1]), float(angles[2])),
    )
