"""How far the frame of a training slice strays from the true one, in the two regimes of the midline networks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from midlineshift_training.datasets.phantom_slices import PhantomSlices

# Broad regime (pose network): heads are as they were scanned.
WIDE_TURN_SHARE, WIDE_TURN_DEG, USUAL_TURN_DEG = 0.35, 46.0, 9.0
AS_SCANNED_SHARE = 0.5
"""Share of slices at scan scale; the others are scaled so that the falx has the frame's length, as in a second pass."""
BROAD_LOG_SIZE = 0.36
"""Width of the uniform distribution of the logarithm of the size: -17 % to +20 %."""
BROAD_PLACE_MM = (9.0, 4.0)
"""Spreads of the head's place; one of the two is taken with equal chance."""
# Aligned regime (deformation network): the errors that the pose step leaves.
ALIGNED_TURN_DEG, POOR_TURN_SHARE, POOR_TURN_DEG = 2.5, 0.15, 7.0
ALIGNED_SIZE = 0.08
ALIGNED_PLACE_MM = (2.5, 4.0)
"""Spreads across and along the falx."""
STRETCH = 0.035
"""Spread of the logarithm of width over height of a head."""


@dataclass(frozen=True)
class FrameVariation:
    """How a training slice is varied.

    Attributes:
        broad: True for the pose network's regime: yaw to +-46 degrees, any size and place; False: near the true frame.
        mirror: probability of a left-right flip.
        bend: share of slices whose midline is bent by a further in-plane warp. bend_mm: its largest amplitude.
        asymmetric: share of slices whose falx attachments are carried sideways, each by its own amount.
        asymmetric_mm: spread of that amount. Heads are seldom symmetric; the falx, not the symmetry of the skull, marks
            the ideal midline.
        unequal: share of slices with one lateral ventricle made wider or narrower (``unequal_ventricles``).
        degraded: share of slices that are degraded hard; the others are given a little noise.
    """

    broad: bool
    mirror: float = 0.5
    bend: float = 0.7
    bend_mm: float = 17.0
    asymmetric: float = 0.75
    asymmetric_mm: float = 3.2
    unequal: float = 0.0
    degraded: float = 1.0


UNVARIED = FrameVariation(broad=False, mirror=0.0, bend=0.0, asymmetric=0.0)


@dataclass(frozen=True)
class Frames:
    """Frames of B slices: plane mm = centre + matrix @ frame mm.

    Attributes:
        matrix: (B, 2, 2). centre: (B, 2) plane mm (column, row). scale: (B,) scan mm per frame mm.
    """

    matrix: torch.Tensor
    centre: torch.Tensor
    scale: torch.Tensor

    def to_plane(self, points: torch.Tensor) -> torch.Tensor:
        """Convert frame mm (B, h, w, 2) to plane mm."""
        return torch.einsum("bij,bhwj->bhwi", self.matrix, points) + self.centre[:, None, None]

    def to_frame(self, points: torch.Tensor) -> torch.Tensor:
        """Convert plane mm (B, 2) to frame mm."""
        return torch.einsum("bij,bj->bi", self.inverse, points - self.centre)

    @property
    def inverse(self) -> torch.Tensor:
        """Return the inverse of the matrix (B, 2, 2)."""
        return torch.linalg.inv(self.matrix)


def true_frames(slices: PhantomSlices, index: torch.Tensor, frame_mm: float) -> Frames:
    """Return the frames in which heads are upright, centred, and their falx is ``frame_mm`` frame millimetres long."""
    scale = slices.falx_length[index] / frame_mm
    matrix = _rotation(slices.angle[index]) * scale[:, None, None]
    return Frames(matrix, (slices.anterior[index] + slices.posterior[index]) / 2, scale)


def draw_frames(
    slices: PhantomSlices, index: torch.Tensor, variation: FrameVariation, frame_mm: float, g: torch.Generator
) -> Frames:
    """Draw frames near the true ones, as far from them as the variation's regime says."""
    count = len(index)
    uniform = lambda *shape: torch.rand(*shape, generator=g)  # noqa: E731
    gauss = lambda *shape: torch.randn(*shape, generator=g)  # noqa: E731
    middle = (slices.anterior[index] + slices.posterior[index]) / 2
    true_scale = slices.falx_length[index] / frame_mm
    if variation.broad:
        wide = uniform(count) < WIDE_TURN_SHARE
        turn = torch.where(wide, (uniform(count) * 2 - 1) * WIDE_TURN_DEG, gauss(count) * USUAL_TURN_DEG)
        scale = torch.where(uniform(count) < AS_SCANNED_SHARE, torch.ones(count), true_scale)
        scale = scale * ((uniform(count) - 0.5) * BROAD_LOG_SIZE).exp()
        centre = middle + gauss(count, 2) * torch.where(uniform(count, 1) < 0.5, *BROAD_PLACE_MM)
    else:
        turn = gauss(count) * ALIGNED_TURN_DEG + (uniform(count) < POOR_TURN_SHARE) * gauss(count) * POOR_TURN_DEG
        scale = true_scale * (1 + (uniform(count) * 2 - 1) * ALIGNED_SIZE)
        centre = middle + gauss(count, 2) * torch.tensor(ALIGNED_PLACE_MM)
    mirror = 1 - 2 * (uniform(count) < variation.mirror).float()
    stretch = (gauss(count) * STRETCH).exp()
    axes = torch.stack([mirror * stretch, 1 / stretch], -1)[:, None]
    angle = slices.angle[index] + torch.deg2rad(turn)
    return Frames(_rotation(angle) * axes * scale[:, None, None], centre, scale)


def _rotation(angle: torch.Tensor) -> torch.Tensor:
    """Return the rotations (B, 2, 2) by radians (B,)."""
    c, s = torch.cos(angle), torch.sin(angle)
    return torch.stack([torch.stack([c, -s], -1), torch.stack([s, c], -1)], -2)


@dataclass(frozen=True)
class AffineVariation:
    """Flip, rotation, size and place of a slice, after Gong et al. (2023).

    Attributes:
        mirror: chance of a left-right flip. rotation_deg: largest angle, on half of the slices.
        size_jitter: largest relative change of size. place_jitter_px: spread of the place.
    """

    mirror: float = 0.5
    rotation_deg: float = 15.0
    size_jitter: float = 0.0
    place_jitter_px: float = 0.0


def draw_affine(count: int, variation: AffineVariation, size: int, g: torch.Generator) -> torch.Tensor:
    """Draw flips, rotations, sizes and places for ``affine_grid``.

    Args:
        count: B. size: pixels along the picture's edge. g: random numbers.

    Returns:
        (B, 2, 3) from the result's places to the pictures', both -1..1 from edge to edge.
    """

    def uniform() -> torch.Tensor:
        return torch.rand(count, generator=g)

    flip = 1 - 2 * (uniform() < variation.mirror).float()
    turned = (uniform() < 0.5).float()
    angle = turned * (2 * uniform() - 1) * math.radians(variation.rotation_deg)
    scale = 1 + (2 * uniform() - 1) * variation.size_jitter
    place = torch.randn(count, 2, 1, generator=g) * variation.place_jitter_px * 2 / size
    c, s = torch.cos(angle) * scale, torch.sin(angle) * scale
    matrix = torch.stack([torch.stack([c * flip, -s], -1), torch.stack([s * flip, c], -1)], -2)
    return torch.cat([matrix, place], dim=-1)
