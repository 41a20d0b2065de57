"""Lesions inside the brain: bleeds, tumours, abscesses, cysts and infarcts, each with its own push."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from midlineshift_training.datasets.phantoms.fields import nodes, noise
from midlineshift_training.datasets.phantoms.lesions.model import FINE, MASS, PARENCHYMAL, Bleed, Infarct, Lesions, Push
from midlineshift_training.datasets.phantoms.subject import Subject
from midlineshift_training.datasets.phantoms.variation import ventricle_pull


def _ellipsoid(centre, radii, turn_deg, roughness, points) -> torch.Tensor:
    """Return approximate signed distance (mm) to a rough ellipsoid at (..., 3) points."""
    turn = torch.tensor(Rotation.from_euler("xyz", turn_deg, degrees=True).as_matrix(), dtype=torch.float32)
    offset = (points - torch.tensor(centre, dtype=torch.float32)) @ turn
    radii = torch.tensor(radii, dtype=torch.float32)
    return ((offset / radii).norm(dim=-1) - 1 - roughness) * radii.min()


def _lobed_distance(rng, centre, radius: float, lobes: int) -> torch.Tensor:
    """(*FINE.shape) approximate signed distance (mm) to a rough ellipsoid, smoothly joined with ``lobes`` smaller ones."""
    shape = np.array([rng.uniform(0.65, 1.05), rng.uniform(0.95, 1.7), rng.uniform(0.75, 1.25)])
    radii = radius * shape / shape.prod() ** (1 / 3)
    rough = noise(rng, 8, FINE) * rng.uniform(0.06, 0.17) + noise(rng, 4, FINE) * rng.uniform(0.04, 0.14)
    if rng.random() < 0.5:
        rough = rough + noise(rng, 14, FINE) * rng.uniform(0.1, 0.25)
    points = nodes(FINE)
    distance = _ellipsoid(centre, radii, rng.uniform(-25, 25, 3), rough, points)
    for _ in range(lobes):
        toward = rng.normal(size=3) * (0.8, 1.2, 0.9)
        at = centre + toward / np.linalg.norm(toward) * radii * rng.uniform(0.7, 1.15)
        lobe = _ellipsoid(at, radius * rng.uniform(0.3, 0.6, 3), rng.uniform(-40, 40, 3), rough, points)
        distance = -3 * torch.logaddexp(-distance / 3, -lobe / 3)
    return distance


def _mass_hu(rng, kind: str, distance: torch.Tensor, centre, radius: float, csf_hu: float) -> torch.Tensor:
    """Return (*FINE.shape) HU inside a mass in the brain."""
    lumps = noise(rng, 4, FINE) * rng.uniform(1, 4) + noise(rng, 10, FINE) * rng.uniform(1, 4)
    if kind == "cyst":
        return torch.full(FINE.shape, csf_hu)
    if kind == "abscess":
        wall = torch.sigmoid((distance + rng.uniform(2.5, 5)) / 0.8)
        return rng.uniform(10, 22) + rng.uniform(18, 32) * wall
    if kind == "tumour":
        hu = rng.uniform(20, 50) + 1.5 * lumps
        dead = torch.sigmoid((-distance - rng.uniform(0.2, 0.7) * radius) / 2) if rng.random() < 0.5 else 0.0
        return hu + (rng.uniform(8, 20) - hu) * dead
    hu = rng.uniform(54, 76) + lumps
    if rng.random() < 0.25:  # fluid level or swirl of unclotted blood
        level = torch.from_numpy(FINE.coordinates()[1]) - float(centre[1]) - float(rng.uniform(-0.4, 0.4) * radius)
        hu = hu - rng.uniform(10, 28) * torch.sigmoid((level + 2 * noise(rng, 6, FINE)) / 1.5)
    return hu


def add_bleed(
    rng, lesions: Lesions, push: Push, subject: Subject, side: int, centre, volume_ml: float, mass: float, kind="bleed"
) -> None:
    """Add one mass in the brain: outline, HU, rim of oedema, and its own radial push (``mass``: share of its radius)."""
    radius = (volume_ml * 1e3 * 3 / 4 / np.pi) ** (1 / 3)
    centre = np.array(centre, dtype=np.float32)
    centre[0] = side * max(abs(centre[0]), radius * 0.75 + 3)
    lobes = int(rng.integers(0, 4)) if kind == "bleed" and volume_ml > 12 else 0
    distance = _lobed_distance(rng, centre, radius * 0.97**lobes, lobes)
    hu = _mass_hu(rng, kind, distance, centre, radius, subject.csf_hu)
    rim = float(
        {"cyst": -9.0, "tumour": rng.uniform(2, 20), "abscess": rng.uniform(5, 18)}.get(kind, rng.uniform(1.5, 10))
    )
    reach = float((nodes(FINE)[distance < max(rim, 0) + 6] - torch.tensor(centre)).norm(dim=-1).max()) + FINE.spacing
    code = PARENCHYMAL if kind == "bleed" else MASS
    rim_hu = float(rng.uniform(15, 24))
    lesions.bleeds.append(Bleed(torch.stack([distance, hu]), rim, rim_hu, centre, reach, side, code))
    offset = (nodes() - torch.tensor(centre)) / radius
    fall = mass * radius * 2.2 / (1 + (offset**2).sum(-1)) ** 1.5
    push.radial += (offset * (fall * push.inside)[..., None]).movedim(-1, 0)


def add_infarct(rng, lesions: Lesions, push: Push, side: int) -> None:
    """Add an infarct of a territory with swelling."""
    centre, radii = {
        0: ((44, -6, 12), (30, rng.uniform(36, 58), rng.uniform(26, 42))),  # middle cerebral artery
        1: ((34, -68, 4), (26, rng.uniform(22, 34), rng.uniform(16, 28))),  # posterior
        2: ((14, 38, 24), (14, rng.uniform(22, 40), rng.uniform(20, 36))),  # anterior
    }[int(rng.choice(3, p=[0.75, 0.15, 0.10]))]
    centre = (side * centre[0] + rng.normal(0, 3), centre[1] + rng.normal(0, 4), centre[2] + rng.normal(0, 4))
    distance = _ellipsoid(centre, radii, (0, 0, -8 * side), noise(rng, 9, FINE) * 0.15, nodes(FINE))
    x = torch.from_numpy(FINE.coordinates()[0]) * side
    lesions.infarcts.append(Infarct(torch.maximum(distance, 3 - x), float(rng.uniform(15, 25)), rng.uniform(0.5, 1)))
    offset = (nodes() - torch.tensor(centre, dtype=torch.float32)) / 40
    fall = rng.uniform(2, 9) * 2.2 / (1 + (offset**2).sum(-1)) ** 1.5
    push.radial += (offset * (fall * push.inside)[..., None]).movedim(-1, 0)


def add_old_infarct(rng, lesions: Lesions, push: Push, subject: Subject) -> None:
    """Add a scar filled with fluid; the ventricle beside it is wide and the midline drawn a little toward it."""
    scar = -lesions.side
    add_infarct(rng, lesions, push, scar)
    push.radial.zero_()
    lesions.kinds = ["old infarct"]
    lesions.infarcts[-1].hu = subject.csf_hu + float(rng.uniform(0, 8))
    lesions.infarcts[-1].depth = float(rng.uniform(0.8, 1.0))
    lesions.target_mm = float(rng.uniform(0.3, 2.5))
    push.velocity -= ventricle_pull(subject.brain, scar) * rng.uniform(10, 40)
