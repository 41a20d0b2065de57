"""The unshifted brain in template space as one HU volume: tissues, CSF, falx, tentorium, sinuses, blood in CSF.

Everything is computed on a flat list of the voxels inside the skull (about a third of the box).
"""

from __future__ import annotations

import numpy as np
import torch

from midlineshift_training.datasets.phantoms.atlas import tissues_of, voxels_inside
from midlineshift_training.datasets.phantoms.cortex import fold
from midlineshift_training.datasets.phantoms.fields import noise, upsample
from midlineshift_training.datasets.phantoms.lesions.model import Lesions
from midlineshift_training.datasets.phantoms.subject import Subject
from midlineshift_training.datasets.phantoms.tissue_model import BRAIN, Grid

COARSE = Grid(BRAIN.origin, 6.0, (27, 34, 29))  # random textures, covers BRAIN up to a voxel


def _texture(rng: np.random.Generator, sigma_mm: float) -> torch.Tensor:
    """Return (M,) smooth unit noise."""
    return upsample(noise(rng, sigma_mm, COARSE), BRAIN.shape).view(-1)[voxels_inside().index]


def render(rng: np.random.Generator, subject: Subject, lesions: Lesions) -> torch.Tensor:
    """Return (*BRAIN.shape) HU of the brain before any shift."""
    frame, tissues = voxels_inside(), tissues_of(subject.brain)
    x, falx = frame.x, frame.falx

    # How much of the CSF spaces shows: little in the young and on the side of a mass, all of it in the old.
    openness = float(np.clip(0.5 + 0.6 * subject.atrophy + rng.uniform(-0.15, 0.15), 0.08, 1.3))
    grey, white, csf = fold(rng, subject.folding, tissues, openness)
    right = torch.sigmoid(x / 4)
    emptied = right * lesions.squeeze[1] + (1 - right) * lesions.squeeze[-1]
    if subject.surgery is not None and subject.surgery.removed and subject.surgery.bulge_mm > 4:
        emptied = torch.where(x * subject.surgery.side > 0, emptied.clamp(min=0.7), emptied)
    patchy = ((0.3 + 0.85 * openness) * (1 + 0.3 * _texture(rng, 16))).clamp_(0.05, 1.4)
    sulci = csf * patchy * (1 - 0.96 * emptied)
    if subject.atrophy < 1:
        sulci *= 1 - 0.6 * (1 - max(0.0, subject.atrophy)) * frame.near_table
    deep = (3 * tissues.ventricles).clamp(0, 1)
    open_core = torch.sigmoid((tissues.core - 0.85 * emptied) / 0.06)  # an emptied ventricle is a slit, or gone
    left_over = torch.where(emptied > 0.05, open_core * (1 - 0.3 * emptied), torch.ones(1))
    wet = torch.where(deep > 0.5, csf * left_over, sulci).clamp_(0, 1)
    hu = grey * subject.grey_hu + white * subject.white_hu + csf * (0.96 * subject.grey_hu)
    hu += 0.6 * _texture(rng, 12)
    csf_hu = subject.csf_hu
    if subject.atrophy > 0.4 and rng.random() < 0.5:  # pale white matter of age around the ventricles
        hu -= tissues.halo * white * (1 - deep) * rng.uniform(3, 9)
    if lesions.trapped:  # fluid pressed into the white matter around the dilated ventricle
        other = torch.sigmoid(-x * lesions.side / 3)
        hu -= tissues.halo * white * (1 - deep) * other * rng.uniform(0, 8)
    hu += (csf_hu - hu) * wet

    if lesions.subarachnoid:
        quantile = float(np.quantile([-1.2, 1.2], 1 - lesions.subarachnoid["share"]))
        amount = (csf * 1.5).clamp_(0, 1) * (1 - deep) * torch.sigmoid(6 * (_texture(rng, 18) - quantile))
        hu += (lesions.subarachnoid["hu"] - hu) * amount * 0.9
    if lesions.intraventricular:
        blood = (
            tissues.ventricles**2
            * (0.15 + 0.85 * left_over)
            * torch.sigmoid((lesions.intraventricular["level_y"] - frame.y) / 2)
        )
        if len(lesions.intraventricular["sides"]) == 1:
            blood *= torch.sigmoid(x * lesions.intraventricular["sides"][0])
        hu += (lesions.intraventricular["hu"] - hu) * blood

    hu += frame.tentorium * rng.uniform(3, 15) * (1 - 0.4 * wet)
    fissure = torch.exp(-((x / rng.uniform(1.2, 2.4)) ** 2)) * falx * (1 - deep)
    hu += (csf_hu + 3 - hu) * (fissure * (openness * 0.7)).clamp_(0, 0.85)
    hu = _septum(rng, subject, hu, deep)
    away = x.abs()
    blade_mm = rng.uniform(0.45, 0.9) * (0.8 if subject.young else 1.0)
    if lesions.parafalcine:  # blood along one face of the falx
        away = (x * lesions.parafalcine["side"] - lesions.parafalcine["thickness_mm"]).clamp_(min=0)
        away = torch.where(x * lesions.parafalcine["side"] < 0, x.abs(), away)
        patch = torch.sigmoid(4 * (_texture(rng, 20) + 0.6)) * falx * torch.sigmoid((0.6 - away) / 0.3)
        hu += (lesions.parafalcine["hu"] - hu) * patch * (x * lesions.parafalcine["side"] > -0.5)
    blade = torch.exp(-0.5 * (x / blade_mm) ** 2) * falx * (0.75 + 0.3 * _texture(rng, 12)).clamp_(0.2, 1)
    dense = rng.uniform(8, 20) if rng.random() < 0.2 else 0.0  # dehydration, old age, beside a swollen dark brain
    hu += (rng.uniform(46, 66) + dense - hu) * blade
    hu += (rng.uniform(42, 62) + dense - hu) * frame.sinus

    volume = torch.full(BRAIN.shape, subject.grey_hu)
    volume.view(-1)[frame.index] = hu
    return _calcify(rng, subject, volume)


def _septum(rng, subject: Subject, hu: torch.Tensor, deep: torch.Tensor) -> torch.Tensor:
    """Draw the septum pellucidum between the frontal horns; two leaves with a cavum between them in most infants."""
    frame = voxels_inside()
    sheet = rng.uniform(0.5, 0.9)
    strength = rng.uniform(0.4, 0.9)
    if rng.random() < (0.6 if subject.age == "infant" else 0.12):
        half = rng.uniform(1.0, 4.5) if rng.random() < 0.7 else rng.uniform(4.5, 7.5)
        away = frame.x.abs()
        hollow = torch.sigmoid((half - away) / 0.4) * frame.cavum
        hu = hu + (subject.csf_hu - hu) * hollow
        leaves = torch.exp(-(((away - half) / 0.9) ** 2)) * frame.cavum
        return hu + (subject.white_hu + 2 - hu) * leaves * 0.9
    septum = torch.exp(-((frame.x / sheet) ** 2)) * deep * (1 - frame.falx)
    return hu + (subject.white_hu - hu) * septum * strength


def _calcify(rng: np.random.Generator, subject: Subject, hu: torch.Tensor) -> torch.Tensor:
    """Add calcifications of pineal gland, choroid plexus and falx."""
    spots: list[tuple[float, ...]] = []
    if not subject.young and rng.random() < 0.75:
        spots.append((rng.normal(0, 0.6), -29 + rng.normal(), 2, rng.uniform(1.0, 3.2), rng.uniform(40, 450)))
    plexus = 0.15 if subject.young else 0.65
    for side in (-1, 1):
        if rng.random() < plexus:
            place = (side * (25 + rng.normal()), -42 + 2 * rng.normal(), 11 + rng.normal())
            spots.append((*place, rng.uniform(1.2, 3.4), rng.uniform(25, 320)))
    if not subject.young and rng.random() < 0.3:
        for _ in range(rng.integers(1, 5)):
            place = (0, rng.uniform(-30, 58), rng.uniform(46, 64))
            spots.append((*place, rng.uniform(0.8, 2.6), rng.uniform(60, 400)))
    axes = BRAIN.axes()
    for x, y, z, radius, height in spots:
        window, bump = [], []
        for axis, centre in zip(axes, (x, y, z), strict=True):
            first = max(0, round(centre - float(axis[0])) - 9)
            window.append(slice(first, first + 19))
            bump.append(torch.from_numpy(np.exp(-0.5 * ((axis[window[-1]] - centre) / radius) ** 2)).float())
        hu[tuple(window)] += height * bump[0][:, None, None] * bump[1][None, :, None] * bump[2][None, None]
    return hu
