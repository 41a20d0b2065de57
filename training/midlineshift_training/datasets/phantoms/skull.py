"""Skull, scalp and what surgery or a blow made of them: one HU volume in template space, outside the inner table.

The vault is drawn from the distance to the inner table (so bone and scalp can be thin, thick, open, cut out or swollen);
the base and the face are those of the tissue model.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

from midlineshift_training.datasets.phantoms import tissue_model
from midlineshift_training.datasets.phantoms.fields import noise, sample
from midlineshift_training.datasets.phantoms.subject import Subject, Surgery
from midlineshift_training.datasets.phantoms.tissue_model import HEAD, SKULL, Grid

REACH_MM = 48.0  # farthest from the inner table that a swollen scalp may be
CALM_REACH_MM = 26.0  # the same without swelling
SWELLING_SHARE = 0.4
LARGE_SWELLING_SHARE = 0.4  # of the swellings
AIR_HU = -1000.0
TABLE_SHARE = 0.3  # of the bone's thickness, each of the two compact tables


def _padded(volume: np.ndarray, **how) -> np.ndarray:
    """Pad a volume on HEAD to SKULL."""
    before = [round((h - s) / HEAD.spacing) for h, s in zip(HEAD.origin, SKULL.origin, strict=True)]
    after = [s - h - b for s, h, b in zip(SKULL.shape, HEAD.shape, before, strict=True)]
    return np.pad(volume, list(zip(before, after, strict=True)), **how)


@lru_cache(maxsize=1)
def _template_base() -> tuple[torch.Tensor, torch.Tensor]:
    """HU of the template outside the inner table on SKULL, and the flat indices of the air in its sinuses and mastoids."""
    base = _padded(tissue_model.load().base, constant_values=AIR_HU)
    depth = _padded(tissue_model.load().depth, mode="edge")
    x, y, z = SKULL.coordinates()
    nose = (np.abs(x) < 45) & (y > 15) & (y < 74) & (z < -22)
    ears = (np.abs(x) > 25) & (np.abs(x) < 62) & (y < 5) & (y > -60) & (z < -15)
    hollow = (base < -150) & (depth > -38) & (nose | ears)
    return torch.from_numpy(base), torch.from_numpy(np.flatnonzero(hollow))


@lru_cache(maxsize=1)
def _vault() -> dict[str, torch.Tensor]:
    """Voxels of the vault: flat indices on SKULL, positions, mm beyond the inner table (increasing), weight of the vault."""
    x, y, z = SKULL.coordinates()
    nearest = [np.clip(a, o, o + n - 1) for a, o, n in zip((x, y), HEAD.origin, HEAD.shape, strict=False)]
    outside = np.hypot(x - nearest[0], y - nearest[1])
    depth = _padded(tissue_model.load().depth, mode="edge") - outside.astype(np.float32)
    base_plane = -10 + 0.25 * y
    chosen = np.flatnonzero((depth < 3) & (depth > -REACH_MM) & (z > base_plane - 8))
    chosen = chosen[np.argsort(-depth.ravel()[chosen], kind="stable")]  # from the inner table outward
    points = np.stack([a.ravel()[chosen] for a in (x, y, z)], -1)
    height = points[:, 2] - base_plane.ravel()[chosen]
    return {
        "index": torch.from_numpy(chosen),
        "points": torch.from_numpy(points),
        "beyond": torch.from_numpy(-depth.ravel()[chosen]),
        "weight": torch.from_numpy((1 / (1 + np.exp(-height / 1.5))).astype(np.float32)),
    }


def _smoothstep(value: torch.Tensor) -> torch.Tensor:
    return value.clamp(0, 1) ** 2 * (3 - 2 * value.clamp(0, 1))


def _bone_thickness(rng, subject: Subject, points: torch.Tensor, texture: torch.Tensor) -> torch.Tensor:
    """Return mm of bone over each vault voxel: thin at the temples, thick at the back."""
    x, y, z = points.unbind(-1)
    low, high = {"infant": (1.2, 2.6), "child": (2.2, 4.5), "adult": (4.5, 8.0), "old": (4.5, 9.0)}[subject.age]
    mean = rng.uniform(low, high)
    temple = torch.exp(-(((y - 10) / 28) ** 2) - (((z - 2) / 22) ** 2)) * (x.abs() / 66).clamp(0, 1) ** 4
    back = torch.exp(-((x / 18) ** 2) - (((z + 18) / 14) ** 2)) * (y < -60)
    front = torch.exp(-((x / 22) ** 2)) * torch.sigmoid((y - 55) / 4) * torch.exp(-((z / 16) ** 2))
    thick = mean * (1 + 0.16 * texture - 0.4 * temple + 0.6 * back) + front * (
        1.0 if subject.young else rng.uniform(1, 5)
    )
    return thick.clamp(min=0.9)


def render(rng: np.random.Generator, subject: Subject) -> torch.Tensor:
    """Return (*SKULL.shape) HU outside the inner table."""
    template, hollow = _template_base()
    base = template.clone()
    if rng.random() < 0.35:  # mucus in some of the sinuses or mastoids
        x, y, z = (-(-n // 8) + 1 for n in SKULL.shape)
        coarse = Grid(SKULL.origin, 8.0, (x, y, z))
        where = torch.from_numpy(np.stack(np.unravel_index(hollow.numpy(), SKULL.shape), -1)).float()
        filled = sample(noise(rng, 14, coarse)[None], where + torch.tensor(SKULL.origin), coarse)[0]
        base.view(-1)[hollow[filled > rng.uniform(-0.8, 1)]] = float(rng.uniform(5, 55))
    density = rng.uniform(0.55, 0.85) if subject.age == "infant" else rng.uniform(0.8, 1.2)
    fat = rng.uniform(0.4, 1.2)
    base = torch.where(base > 200, base * density, base)
    base = torch.where((base < 0) & (base > -150), base * fat, base)

    swollen = rng.random() < SWELLING_SHARE
    vault = _vault()
    farthest = REACH_MM if swollen else CALM_REACH_MM
    vault = {name: value[: int(torch.searchsorted(vault["beyond"], farthest))] for name, value in vault.items()}
    base.view(-1)[_vault()["index"][len(vault["index"]) :]] = AIR_HU
    points, beyond = vault["points"], vault["beyond"]
    x, y, z = points.unbind(-1)
    textures = sample(torch.stack([noise(rng, s) for s in (30, 14, 5)]), points)
    bone = _bone_thickness(rng, subject, points, textures[0])
    share = beyond / bone
    table = (1250 if subject.age != "infant" else 900) * density
    diploe = table * rng.uniform(0.4, 0.65) if not subject.young else table * rng.uniform(0.75, 0.95)
    in_diploe = _smoothstep((share - TABLE_SHARE) / 0.15) * _smoothstep((1 - TABLE_SHARE - share) / 0.15)
    hu = table + (diploe * (1 + 0.1 * textures[2]) - table) * in_diploe

    if not subject.young and rng.random() < 0.7:  # frontal sinus
        size = rng.uniform(0.5, 1.3)
        hollow = (x / (24 * size)) ** 2 + ((z - 2) / (15 * size)) ** 2 + 0.35 * textures[1]
        airy = (hollow < 1) & (y > 50) & (share > 0.28) & (share < 0.8) & (x.abs() > 0.8)
        hu = torch.where(airy, torch.tensor(-950.0), hu)
    if subject.age == "infant" or (subject.age == "child" and rng.random() < 0.3):
        hu = _open_sutures(rng, subject, points, textures, hu)

    thin, thick = (2, 5) if subject.young else (3, 8)
    scalp = rng.uniform(thin, thick) * (1 + 0.2 * textures[0]).clamp(min=0.5)
    muscle = torch.exp(-(((y - 5) / 34) ** 2) - (((z + 5) / 34) ** 2)) * _smoothstep((x.abs() - 40) / 15)
    muscle_mm = muscle * rng.uniform(3, 11) * (0.6 if subject.young else 1.0)
    swelling, swollen_hu = _swelling(rng, points, textures) if swollen else (torch.zeros(1), torch.zeros(1))
    above = beyond - bone
    skin = muscle_mm + scalp + swelling
    soft = torch.where(above < muscle_mm, torch.tensor(rng.uniform(45, 60)).float(), torch.tensor(-95.0 * fat).float())
    if subject.surgery is not None:  # the scalp over an operation stays thick
        flap = torch.sigmoid(-_beyond_flap(subject.surgery, points, textures) / 3)
        swelling = swelling + flap * rng.uniform(0, 9) * (1 + 0.3 * textures[1])
        swollen_hu = torch.where(swelling < 2 * flap, torch.tensor(rng.uniform(15, 45)).float(), swollen_hu)
    soft = torch.where(swelling > 0.4 * scalp, torch.minimum(swollen_hu, torch.tensor(75.0)), soft)
    soft = torch.where(above > skin - 2.0, torch.tensor(30.0), soft)
    hu = torch.where(above > 0, soft, hu)
    if subject.surgery is not None:
        hu = _operate(rng, subject.surgery, points, above, hu, textures)
    hu = torch.where(above > skin, torch.tensor(AIR_HU), hu)
    flat = base.view(-1)
    index, weight = vault["index"], vault["weight"]
    flat[index] = torch.lerp(flat[index], hu, weight)
    return base


def _open_sutures(rng, subject: Subject, points, textures, hu) -> torch.Tensor:
    """Open gaps along the sutures and, in infants, the fontanelle."""
    x, y, z = points.unbind(-1)
    width = rng.uniform(0.6, 3.0) if subject.age == "infant" else rng.uniform(0.3, 0.9)
    coronal = (y - 12 + 0.2 * (75 - z) * 0.5).abs() + 1.5 * textures[2].abs()
    lambdoid = (y + 62 - 0.55 * z + 0.35 * x.abs()).abs() * 0.8 + 1.5 * textures[2].abs()
    sagittal = torch.where((y < 14) & (y > -70), x.abs(), torch.tensor(99.0)) + textures[2].abs()
    gap = torch.minimum(torch.minimum(coronal, lambdoid), sagittal) < width
    gap &= z > 5
    if subject.age == "infant" and rng.random() < 0.7:
        size = rng.uniform(5, 16)
        gap |= (x.abs() + (y - 16).abs() < size) & (z > 40)
    return torch.where(gap, torch.tensor(35.0), hu)


def _swelling(rng, points, textures) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw extra scalp thickness (mm) and its HU: bruises, cephalhaematomas."""
    extra = torch.zeros(len(points))
    for _ in range(rng.integers(1, 3)):
        toward = rng.normal(size=3) * (1, 1.2, 0.6) + (0, 0, 0.4)
        centre = toward / np.linalg.norm(toward) * (72, 92, 75) + (0, -18, 10)
        distance = (points - torch.tensor(centre).float()).norm(dim=-1)
        radius = rng.uniform(20, 50)
        height = rng.uniform(3, 10)
        if rng.random() < LARGE_SWELLING_SHARE:  # blood under the galea spreads, with a steep or a flat edge
            height, radius = rng.uniform(8, 30), rng.uniform(32, 75)
        edge = rng.uniform(0.25, 1.0)
        bump = _smoothstep((1 - distance / radius + 0.12 * textures[0]) / edge)
        extra += height * bump * (1 + 0.25 * textures[1]).clamp(min=0)
    return extra.clamp(max=30), rng.uniform(15, 62) + rng.uniform(4, 16) * textures[1]


def _beyond_flap(surgery: Surgery, points, textures) -> torch.Tensor:
    """(V,) mm outside the edge of the flap, negative within it; a missing one is large, oval and spares the midline."""
    if not surgery.removed:
        return (points - torch.tensor(surgery.centre)).norm(dim=-1) + 3 * textures[1] - surgery.radius_mm
    x, y, z = points.unbind(-1)
    along, up = surgery.half_axes_mm
    oval = (((y - surgery.centre[1]) / along).abs() ** 2.5 + ((z - surgery.centre[2]) / up).abs() ** 2.5) ** 0.4
    return torch.maximum((oval - 1) * up + 3 * textures[1], 22 + 2 * textures[1] - x * surgery.side)


def _operate(rng, surgery: Surgery, points, above, hu, textures) -> torch.Tensor:
    """Leave a bone flap out, or put it back with slits, plates and air.

    Args:
        above: (V,) mm above the outer table, negative in the bone.
    """
    outside = _beyond_flap(surgery, points, textures)
    in_bone = above <= 0
    if surgery.removed:
        hu = torch.where(in_bone & (outside < 0), rng.uniform(15, 40) + 6 * textures[2], hu)
    else:
        slit = outside.abs() < rng.uniform(0.8, 2.0)
        hu = torch.where(in_bone & slit, torch.tensor(25.0), hu)
        plate = slit & (above > -0.5) & (above < 1.2) & (textures[1] > 0.9)
        hu = torch.where(plate, torch.tensor(2600.0), hu)
    if rng.random() < 0.5:
        bubbles = (textures[2] > 1.6) & (outside < 6) & (above > 0) & (above < 10)
        hu = torch.where(bubbles, torch.tensor(-800.0), hu)
    if rng.random() < 0.4:  # skin staples
        staples = (outside.abs() < 1.2) & (above > 3) & (above < 7) & (textures[2] > 1.2)
        hu = torch.where(staples, torch.tensor(2800.0), hu)
    return hu
