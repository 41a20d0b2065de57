"""Natural variation: the maps from a subject's head (before any lesion) to the template.

Both keep the midsagittal plane: a point with x = 0 maps to x = 0 exactly, so that in an unshifted head the ideal midline is a
straight line in every slice. Whatever bends the midline comes from the lesion map (``lesions.draw``) alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from midlineshift_training.datasets.phantoms import tissue_model
from midlineshift_training.datasets.phantoms.fields import (
    LATTICE,
    gradient,
    midplane_keeping_noise,
    move,
    nodes,
    sample,
    smooth,
)
from midlineshift_training.datasets.phantoms.subject import ICBM, Subject, Surgery
from midlineshift_training.datasets.phantoms.tissue_model import BRAIN, HEAD


@dataclass(frozen=True)
class Variation:
    """Backward displacements (3, X, Y, Z) on the lattice, head units -> template mm.

    Attributes:
        skull: for skull and scalp.
        brain: for the brain: the same at the inner table, more varied inside.
    """

    skull: torch.Tensor
    brain: torch.Tensor

    def to_template(self, points: torch.Tensor) -> torch.Tensor:
        """Return skull map of (..., 3) head-unit points."""
        return move(self.skull, points)

    def brain_to_template(self, points: torch.Tensor) -> torch.Tensor:
        """Return brain map of (..., 3) head-unit points (before the lesion)."""
        return move(self.brain, points)


@lru_cache(maxsize=1)
def depth_volume() -> torch.Tensor:
    """Return (1, *HEAD.shape) mm to the inner table, positive inside."""
    return torch.from_numpy(tissue_model.load().depth)[None]


@lru_cache(maxsize=4)
def ventricle_pull(brain: int, side: int) -> torch.Tensor:
    """Return (3, X, Y, Z) gradient, per mm, of the smoothed mask of one side's ventricle; side +1 is x > 0.

    Its x component vanishes on the midsagittal plane, so that widening or squeezing a ventricle keeps the midsagittal plane.
    """
    mask = tissue_model.load().ventricles[brain].copy()
    x = BRAIN.axes()[0]
    mask[x * side <= 0] = 0
    blurred = smooth(mask, 5.0, BRAIN)
    pull = gradient(sample(blurred[None], nodes(), BRAIN)[0])
    lateral = torch.from_numpy(LATTICE.axes()[0])[:, None, None]
    pull[0] *= 1 - torch.exp(-((lateral / 5) ** 2))
    return pull


def draw(rng: np.random.Generator, subject: Subject) -> Variation:
    """Draw the natural variation of one subject."""
    uneven = rng.random() < (0.3 if subject.young else 0.15)  # one half of the head plainly wider than the other
    skull = midplane_keeping_noise(rng, 40, rng.uniform(2.0, 4.5), 0.45 if uneven else 0.85)
    skull = skull + midplane_keeping_noise(rng, 18, rng.uniform(0.4, 1.1), 0.75)
    skull = skull + _base_variety(rng)
    if rng.random() < (0.15 if subject.young else 0.08):
        skull = skull + _plagiocephaly(rng, 16.0 if subject.young else 8.0)
    grid_nodes = nodes()
    if subject.surgery is not None and subject.surgery.bulge_mm:
        skull = skull + _bulge(subject.surgery)
    depth = sample(depth_volume(), grid_nodes, HEAD)[0]
    inside = 1 - torch.exp(-((depth.clamp(min=0) / 10) ** 2))
    brain = midplane_keeping_noise(rng, 11, rng.uniform(0.7, 1.6), 0.6) * inside
    brain = brain + midplane_keeping_noise(rng, 22, rng.uniform(0.5, 2.0), 0.6) * inside
    # Looking up nearer the ventricle's core makes the ventricle wider.
    strength = (55 if subject.brain == ICBM else 32) * (subject.atrophy * 1.4 - 0.1)
    # One lateral ventricle is naturally wider than the other, up to about twice.
    wider = rng.normal(0, 4) if rng.random() < 0.8 else rng.choice([-1, 1]) * rng.uniform(10, 26)
    for side in (-1, 1):
        brain = brain + ventricle_pull(subject.brain, side) * (strength * np.exp(rng.normal(0, 0.12)) + side * wider)
    return Variation(skull=skull, brain=skull + brain)


def _base_variety(rng: np.random.Generator) -> torch.Tensor:
    """(3, X, Y, Z) skull bases differ: smooth changes below the mid-brain, orbits and petrous bones higher or lower."""
    x, y, z = (torch.from_numpy(a) for a in LATTICE.coordinates())
    low = torch.sigmoid((-14 - z) / 6)
    change = midplane_keeping_noise(rng, 15, rng.uniform(0.8, 2.6), 0.6)
    front, back = torch.sigmoid((y - 30) / 8), torch.sigmoid((-5 - y) / 8)
    change[2] += rng.uniform(-7, 7) * front + (rng.uniform(-7, 7) + rng.normal(0, 2) * torch.tanh(x / 30)) * back
    return change * low


def _plagiocephaly(rng: np.random.Generator, strongest_mm: float) -> torch.Tensor:
    """(3, X, Y, Z) one side's back flattened and pushed forward, forehead and ear along with it; straight at x = 0."""
    x, y = LATTICE.coordinates()[:2]
    twist = rng.uniform(3, strongest_mm) * rng.choice([-1, 1])
    change = np.zeros((3, *LATTICE.shape), np.float32)
    change[1] = twist * np.tanh(x / 40) * np.clip((-y + 30) / 110, 0.15, 1.1)
    change[0] = -0.3 * twist * np.tanh(x / 40) ** 2 * np.clip((-y - 10) / 80, -0.6, 1.2)
    return torch.from_numpy(change)


def _bulge(surgery: Surgery) -> torch.Tensor:
    """Return (3, X, Y, Z) look-up inward over a missing flap, so that brain and scalp stand out; 0 at the midsagittal plane."""
    points = nodes()
    centre = torch.tensor(surgery.centre)
    outward = centre - torch.tensor([0.0, -18.0, 14.0])
    outward = outward / outward.norm()
    offset = points - centre
    lateral = (offset - (offset @ outward)[..., None] * outward).norm(dim=-1)
    bump = torch.exp(-((lateral / (0.75 * surgery.radius_mm)) ** 2)) * torch.sigmoid(((points @ outward) - 25) / 8)
    taper = ((points[..., 0] * surgery.side - 4) / 16).clamp(0, 1)
    return -(surgery.bulge_mm * (bump * taper)[..., None] * outward).movedim(-1, 0)
