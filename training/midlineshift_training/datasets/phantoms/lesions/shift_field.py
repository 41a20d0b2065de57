"""The flow that shifts the brain sideways, scaled until the septum moves by the wished amount."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d

from midlineshift_training.datasets.phantoms.fields import LATTICE, follow
from midlineshift_training.datasets.phantoms.lesions.model import Push

SEARCH_STEPS = 5
"""Secant steps on the amplitude of the flow."""
SEPTUM_Y, SEPTUM_Z = np.arange(-10, 19, 4.0), np.arange(-8, 33, 4.0)
"""Points of the midsagittal plane (head units) at which the shift is measured: about the septum window of ``truth.py``."""


def shift_profile(rng, side: int, inside: torch.Tensor) -> torch.Tensor:
    """Return (3, X, Y, Z) unit sideways flow of the brain under a mass: largest at the septum, zero at the inner table."""
    x, y, z = (torch.from_numpy(a) for a in LATTICE.coordinates())
    y0, z0 = rng.uniform(-16, 16), rng.uniform(2, 15)
    wide_y, up, down = rng.uniform(20, 44), (44 - z0) * rng.uniform(0.38, 0.6), rng.uniform(13, 25)
    along = torch.exp(-0.5 * ((y - y0) / wide_y) ** 2)
    along = along * torch.exp(-0.5 * ((z - z0) / torch.where(z > z0, up, down)) ** 2)
    bowed = ((y - rng.uniform(-8, 16)) / rng.uniform(10, 18)) ** 2 + ((z - rng.uniform(2, 14)) / 12) ** 2
    along = along + rng.uniform(0, 0.45) * torch.exp(-bowed)  # septum and third ventricle give way most
    opposite = (-x * side).clamp(0, 70)  # the far hemisphere gives way less and less toward its skull
    lateral = torch.cos(opposite / 70 * np.pi / 2).clamp(min=1e-4) ** rng.uniform(1.2, 2.0)
    amount = along * lateral * inside
    profile = torch.zeros(3, *LATTICE.shape)
    profile[0] = -side * amount
    # What is pushed also turns: the near ventricle forward or backward, up or down against the other one.
    profile[1] = amount * (0.1 * torch.tanh((y - y0) / 10) * rng.uniform(-1, 1) + x / 40 * rng.uniform(-0.4, 0.4))
    profile[2] = amount * x / 40 * rng.uniform(-0.3, 0.3)
    return profile


def _shift_at_septum(velocity: torch.Tensor) -> float:
    """Return largest x (head units) that the flow adds to the midsagittal plane at the septum, smoothed like a case's label."""
    y, z = np.meshgrid(SEPTUM_Y, SEPTUM_Z, indexing="ij")
    points = torch.from_numpy(np.stack([0 * y, y, z], -1).reshape(-1, 3)).float()
    moved = follow(velocity, points)[:, 0].reshape(y.shape).mean(0).numpy()
    inner = gaussian_filter1d(moved, 1.25, mode="nearest")[2:-2]
    return float(inner[np.abs(inner).argmax()])


def reach_target(push: Push, profile: torch.Tensor, side: int, target_mm: float, scale_x: float) -> torch.Tensor:
    """Return the velocity with so much of the profile that the septum moves by the wanted shift (secant steps).

    Where the lesions' own push goes too far it is weakened, and the flow turned back by no more than 3 mm. What the shift
    came out to be is measured afterwards.
    """

    def shift(velocity: torch.Tensor) -> float:
        return -side * _shift_at_septum(velocity) * scale_x

    own = shift(push.velocity + push.radial)
    velocity = push.velocity
    if own > target_mm:
        without = shift(push.velocity)
        weaker = float(np.clip((target_mm - without) / max(own - without, 1e-3), 0.3, 1))
        velocity = velocity + weaker * push.radial
        own = shift(velocity)
    else:
        velocity = velocity + push.radial
    target = max(target_mm, own - 3.0)
    before, here = 0.0, (target - own) * 1.1 / scale_x
    value_before, value = own, shift(velocity + here * profile)
    for _ in range(SEARCH_STEPS - 1):
        if abs(value - target) < 0.05:
            break
        slope = (value - value_before) / (here - before) if abs(here - before) > 1e-4 else scale_x
        before, value_before = here, value
        here = float(np.clip(here + (target - value) / max(slope, 0.2), -10, 60))
        value = shift(velocity + here * profile)
    return velocity + here * profile
