"""Where the falx ends below and how stiff it is: above its free edge the midline hardly gives way."""

from __future__ import annotations

import numpy as np
import torch

from midlineshift_training.datasets.phantoms.fields import LATTICE

EDGE_Y = (-120, -46, -42, -30, -10, 10, 30, 45, 60, 72)
EDGE_Z = (-20, 3, 18, 36, 44, 42, 32, 18, 2, -16)


def straight_sinus_z(y: np.ndarray) -> np.ndarray:
    """Return height (template mm) of the ridge of the tentorium on the midsagittal plane."""
    return np.where(y < -46, 2 + 0.31 * (y + 46), 2 - 0.5 * (y + 46))


def free_edge_z(y: np.ndarray) -> np.ndarray:
    """Return height (template mm) of the lower edge of the falx; behind, it ends on the straight sinus."""
    return np.where(y < -46, straight_sinus_z(y), np.interp(y, EDGE_Y, EDGE_Z))


def sideways_freedom(rng: np.random.Generator) -> torch.Tensor:
    """Return (X, Y, Z) on the lattice: factor of the sideways flow, about 0.05-0.3 at the falx and 1 far from it.

    The brain slides below the free edge (subfalcine herniation) while the falx above, tense between its attachments,
    stays nearly straight; now and then a slack falx bends along.
    """
    x, y, z = (torch.from_numpy(a) for a in LATTICE.coordinates())
    stiffness = rng.uniform(0.75, 0.97) if rng.random() < 0.85 else rng.uniform(0.2, 0.7)
    above = z - torch.from_numpy(free_edge_z(y.numpy())).float()
    held = torch.sigmoid((above + float(rng.uniform(-2, 8))) / float(rng.uniform(3.5, 6)))
    return 1 - stiffness * held * torch.exp(-((x / float(rng.uniform(16, 26))) ** 2))
