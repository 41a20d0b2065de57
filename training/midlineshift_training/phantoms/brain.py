"""The unshifted brain in template space as one HU volume: tissues, CSF, falx, tentorium, sinuses, blood in CSF."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch.nn import functional

from midlineshift_training.phantoms import tissue_model
from midlineshift_training.phantoms.fields import noise, smooth
from midlineshift_training.phantoms.lesions import Lesions
from midlineshift_training.phantoms.subject import ICBM, Subject
from midlineshift_training.phantoms.tissue_model import BRAIN, HEAD, Grid

COARSE = Grid(BRAIN.origin, 6.0, (27, 34, 29))  # random textures, covers BRAIN
FALX_EDGE_Y = (-120, -46, -42, -30, -10, 10, 30, 45, 60, 72)
FALX_EDGE_Z = (-20, 3, 18, 36, 44, 42, 32, 18, 2, -16)


def _straight_sinus_z(y: np.ndarray) -> np.ndarray:
    """Height of the ridge of the tentorium on the mid-plane."""
    return np.where(y < -46, 2 + 0.31 * (y + 46), 2 - 0.5 * (y + 46))


@lru_cache(maxsize=1)
def _geometry() -> dict[str, torch.Tensor]:
    """Subject-independent helper volumes on BRAIN."""
    x, y, z = BRAIN.coordinates()
    plane_y, plane_z = y[0], z[0]
    edge = np.where(plane_y < -46, _straight_sinus_z(plane_y), np.interp(plane_y, FALX_EDGE_Y, FALX_EDGE_Z))
    falx = 1 / (1 + np.exp(-(plane_z - edge) / 1.0))
    roof = _straight_sinus_z(y) - 24 * (np.abs(x) / 55) ** 1.5
    open_notch = (x / 17) ** 2 + ((y + 26) / 20) ** 2 < 1
    tentorium = np.exp(-(((z - roof) / 1.3) ** 2)) * (y < -20) * ~open_notch
    offset = [round(b - h) for b, h in zip(BRAIN.origin, HEAD.origin, strict=True)]
    depth = tissue_model.load().depth[tuple(slice(o, o + n) for o, n in zip(offset, BRAIN.shape, strict=True))]
    return {
        "x": torch.from_numpy(BRAIN.axes()[0])[:, None, None],
        "falx": torch.from_numpy(falx.astype(np.float32))[None],
        "tentorium": torch.from_numpy(tentorium.astype(np.float32)),
        "depth": torch.from_numpy(depth.copy()),
    }


@lru_cache(maxsize=2)
def _tissues(brain: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Grey, white, CSF fractions and the ventricles, sharpened where the atlas is an average of many heads."""
    model = tissue_model.load()
    grey, white = torch.from_numpy(model.grey[brain]), torch.from_numpy(model.white[brain])
    csf = (1 - grey - white).clamp(0, 1)
    if brain == ICBM:
        csf = ((csf - 0.08) * 1.9).clamp(0, 1)
        white = ((white - 0.5) * 1.5 + 0.5).clamp(0, 1)
        grey = (1 - csf - white).clamp(0, 1)
    total = grey + white + csf
    return grey / total, white / total, csf / total, smooth(model.ventricles[brain], 0.8, BRAIN)


def _texture(rng: np.random.Generator, sigma_mm: float) -> torch.Tensor:
    """Smooth unit noise on BRAIN."""
    coarse = noise(rng, sigma_mm, COARSE)
    return functional.interpolate(coarse[None, None], BRAIN.shape, mode="trilinear", align_corners=True)[0, 0]


def render(rng: np.random.Generator, subject: Subject, lesions: Lesions) -> torch.Tensor:
    """(*BRAIN.shape) HU of the brain before any shift."""
    grey, white, csf, ventricles = _tissues(subject.brain)
    shape = _geometry()
    x, depth, falx = shape["x"], shape["depth"], shape["falx"]

    # How much of the CSF spaces shows: little in the young and on the side of a mass, all of it in the old.
    openness = float(np.clip(0.45 + 0.7 * subject.atrophy + rng.uniform(-0.15, 0.15), 0.08, 1.3))
    emptied = torch.sigmoid(x / 4) * lesions.squeeze[1] + torch.sigmoid(-x / 4) * lesions.squeeze[-1]
    patchy = 1 + 0.35 * _texture(rng, 16)
    sulci = csf * (openness * patchy).clamp(0.05, 1.4) * (1 - 0.75 * emptied)
    subdural_gap = torch.exp(-((depth.clamp(min=0) / 2.5) ** 2)) * (1 - min(1.0, max(0.0, subject.atrophy)))
    sulci = sulci * (1 - 0.6 * subdural_gap)
    deep = (3 * ventricles).clamp(0, 1)
    wet = torch.where(deep > 0.5, csf * (1 - 0.5 * emptied), sulci).clamp(0, 1)
    solid = (grey * subject.grey_hu + white * subject.white_hu + csf * subject.grey_hu * 0.96) / (grey + white + csf)
    hu = solid + _texture(rng, 12) * 0.6
    csf_hu = subject.csf_hu
    hu = hu + (csf_hu - hu) * wet

    if lesions.subarachnoid:
        spread = torch.sigmoid(6 * (_texture(rng, 18) - float(np.quantile([-1.2, 1.2], 1 - lesions.subarachnoid["share"]))))
        amount = (csf * 1.5).clamp(0, 1) * (1 - deep) * spread * (depth > 0)
        hu = hu + (lesions.subarachnoid["hu"] - hu) * amount * 0.9
    if lesions.intraventricular:
        y = torch.from_numpy(BRAIN.axes()[1])[None, :, None]
        blood = (ventricles**2).clamp(0, 1) * torch.sigmoid((lesions.intraventricular["level_y"] - y) / 2)
        if len(lesions.intraventricular["sides"]) == 1:
            blood = blood * torch.sigmoid(x * lesions.intraventricular["sides"][0] / 1.0)
        hu = hu + (lesions.intraventricular["hu"] - hu) * blood
    if subject.atrophy > 0.4 and rng.random() < 0.5:  # pale white matter of age around the ventricles
        halo = _halo(subject.brain) * white * (1 - deep)
        hu = hu - halo * rng.uniform(3, 9)

    hu = hu + shape["tentorium"] * rng.uniform(3, 9) * (1 - 0.4 * wet)
    fissure = torch.exp(-((x / rng.uniform(1.2, 2.4)) ** 2)) * falx * openness * 0.7
    hu = hu + (csf_hu + 3 - hu) * fissure.clamp(0, 0.85) * (1 - deep)
    septum = torch.exp(-((x / rng.uniform(0.5, 0.9)) ** 2)) * deep * (1 - falx)
    hu = hu + (subject.white_hu - hu) * septum * rng.uniform(0.4, 0.9)
    blade = torch.exp(-0.5 * (x / rng.uniform(0.45, 0.9)) ** 2) * falx
    blade = blade * (0.75 + 0.3 * _texture(rng, 12)).clamp(0.2, 1)
    hu = hu + (rng.uniform(46, 66) - hu) * blade
    sinus = torch.exp(-((x / 3.3) ** 4)) * torch.exp(-(((depth - 1.5).clamp(min=0) / 2.2) ** 2)) * falx
    hu = hu + (rng.uniform(42, 62) - hu) * sinus
    return _calcify(rng, subject, hu)


@lru_cache(maxsize=2)
def _halo(brain: int) -> torch.Tensor:
    """0..1 around the ventricles."""
    return (4 * smooth(tissue_model.load().ventricles[brain], 5.0, BRAIN)).clamp(0, 1)


def _calcify(rng: np.random.Generator, subject: Subject, hu: torch.Tensor) -> torch.Tensor:
    """Calcified pineal gland, choroid plexus and plaques of the falx."""
    spots = []
    if not subject.young and rng.random() < 0.65:
        spots.append((rng.normal(0, 0.6), -29 + rng.normal(), 2, rng.uniform(1.2, 2.6), rng.uniform(60, 350)))
    for side in (-1, 1):
        if not subject.young and rng.random() < 0.5:
            place = (side * (25 + rng.normal()), -42 + 2 * rng.normal(), 11 + rng.normal())
            spots.append((*place, rng.uniform(1.5, 3.2), rng.uniform(50, 300)))
    if not subject.young and rng.random() < 0.15:
        spots.append((0, rng.uniform(20, 55), rng.uniform(40, 60), rng.uniform(1, 3), rng.uniform(80, 400)))
    axes = BRAIN.axes()
    for *place, radius, height in spots:
        window, bump = [], []
        for axis, centre in zip(axes, place, strict=True):
            first = max(0, round(centre - float(axis[0])) - 9)
            window.append(slice(first, first + 19))
            bump.append(torch.from_numpy(np.exp(-0.5 * ((axis[window[-1]] - centre) / radius) ** 2)).float())
        hu[tuple(window)] += height * bump[0][:, None, None] * bump[1][None, :, None] * bump[2][None, None]
    return hu
