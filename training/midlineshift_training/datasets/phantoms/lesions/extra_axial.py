"""Blood between skull and brain: acute, mixed and chronic subdural and epidural haematomas."""

from __future__ import annotations

import numpy as np
import torch

from midlineshift_training.datasets.phantoms.fields import LATTICE, noise, smooth
from midlineshift_training.datasets.phantoms.lesions.model import (
    ACUTE_SUBDURAL,
    CHRONIC_SUBDURAL,
    EPIDURAL,
    FINE,
    LARGE_MM,
    Lesions,
    Push,
)
from midlineshift_training.datasets.phantoms.subject import Subject


def _side_taper(side: int) -> torch.Tensor:
    """Return (X, 1, 1) 0 on the midsagittal plane and beyond, 1 well inside one side: keeps the falx attachments in place."""
    x = torch.from_numpy(LATTICE.axes()[0])[:, None, None] * side
    return ((x - 5) / 14).clamp(0, 1) ** 2 * (3 - 2 * ((x - 5) / 14).clamp(0, 1))


def add_extra_axial(rng, lesions: Lesions, push: Push, subject: Subject, side: int, kind: str) -> None:
    """Add blood between skull and brain: the brain is pushed inward along the skull's normal."""
    y, z = (torch.from_numpy(a) for a in LATTICE.coordinates()[1:])
    epidural = kind == "epidural"
    thick = {
        "acute subdural": rng.uniform(3, 15),
        "chronic subdural": rng.uniform(6, 24),
        "mixed subdural": rng.uniform(5, 20),
        "epidural": rng.uniform(8, 28),
    }[kind]
    if lesions.target_mm >= LARGE_MM and side == lesions.side:
        thick = max(thick, 0.8 * lesions.target_mm) * rng.uniform(1.0, 1.5)
    if epidural:
        centre, radii, power = (rng.uniform(-50, 45), rng.uniform(-5, 45)), rng.uniform(24, 42, 2), 1.0
    else:
        centre, power = (rng.uniform(-18, 14), rng.uniform(10, 32)), 0.6
        radii = np.array([rng.uniform(50, 85), rng.uniform(34, 58)])
    reach = ((y - centre[0]) / radii[0]) ** 2 + ((z - centre[1]) / radii[1]) ** 2
    profile = (1 - reach).clamp(min=0) ** power * _side_taper(side)
    if not epidural:
        profile = profile * (1 + 0.2 * noise(rng, 20)).clamp(min=0)
    height = smooth(profile * thick, 3.0) * _side_taper(side)
    fade = torch.exp(-((push.depth.clamp(min=0) / rng.uniform(22, 36)) ** 2))
    outside = torch.exp(-((push.depth.clamp(max=0) / 10) ** 2))
    push.velocity += push.inward * (height * fade * outside)[None]

    lumps = noise(rng, 9, FINE)
    fy = torch.from_numpy(FINE.coordinates()[1])
    if kind == "chronic subdural":
        hu = rng.uniform(10, 36) + 2 * lumps
        if rng.random() < 0.4:  # cells settle toward the back
            hu = hu + rng.uniform(12, 32) * torch.sigmoid((rng.uniform(-40, 5) - fy) / rng.uniform(1, 5))
        if rng.random() < 0.3:  # membranes
            hu = hu + rng.uniform(10, 25) * torch.exp(-((noise(rng, 7, FINE) / 0.12) ** 2))
        code = CHRONIC_SUBDURAL
    else:
        hu = rng.uniform(56, 76) + 2 * lumps
        if kind == "mixed subdural" or rng.random() < 0.15:
            hu = hu - rng.uniform(15, 35) * torch.sigmoid(4 * (noise(rng, 8, FINE) + rng.uniform(-0.5, 0.8)))
        code = EPIDURAL if epidural else ACUTE_SUBDURAL
    if subject.surgery is not None and rng.random() < 0.4:  # air rises to the front
        hu = torch.where(fy > rng.uniform(10, 60), torch.tensor(-850.0), hu)
    on_side = torch.from_numpy(FINE.coordinates()[0]) * side > 0
    previous = lesions.extra_axial_hu if lesions.extra_axial_hu is not None else hu
    lesions.extra_axial_hu = torch.where(on_side, hu, previous)
    codes = torch.full(FINE.shape, float(code))
    lesions.extra_axial_code = torch.where(
        on_side, codes, codes if lesions.extra_axial_code is None else lesions.extra_axial_code
    )
