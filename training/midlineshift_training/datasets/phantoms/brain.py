"""The unshifted brain in template space as one HU volume: tissues, CSF, falx, tentorium, sinuses, blood in CSF.

Everything is computed on a flat list of the voxels inside the skull (about a third of the box).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from scipy import fft

from midlineshift_training.datasets.phantoms import tissue_model
from midlineshift_training.datasets.phantoms.falx import free_edge_z, straight_sinus_z
from midlineshift_training.datasets.phantoms.fields import gradient, noise, sample, smooth, upsample
from midlineshift_training.datasets.phantoms.lesions import Lesions
from midlineshift_training.datasets.phantoms.subject import ICBM, Subject
from midlineshift_training.datasets.phantoms.tissue_model import BRAIN, HEAD, Grid

COARSE = Grid(BRAIN.origin, 6.0, (27, 34, 29))  # random textures, covers BRAIN up to a voxel
FOLDS = Grid(BRAIN.origin, 2.0, (79, 98, 84))  # random folds
MARGIN_MM = 4.0  # voxels this far outside the inner table are filled too
CORTEX_MM = 2.8
FOLDED_DEPTH_MM = 17.0  # cortex and sulci reach this deep below the inner table


def _tentorium_z(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Height of the tentorium: a ridge on the mid-plane, falling to the sides."""
    return straight_sinus_z(y) - 24 * (np.abs(x) / 55) ** 1.5


@dataclass(frozen=True)
class _Frame:
    """Subject-independent values of the voxels inside the skull, each (M,).

    Attributes:
        index: flat index on BRAIN.
        x, y, z: template mm.
        depth: mm to the inner table.
        falx, tentorium: 0..1.
        near_table: 1 at the inner table, falling over 2.5 mm.
        sinus: 0..1, venous sinus along the attachment of the falx.
        foldable: 0..1 where cortex may be replaced by random folds.
        cavum: 0..1 where a cavum septi pellucidi may lie.
    """

    index: torch.Tensor
    x: torch.Tensor
    y: torch.Tensor
    z: torch.Tensor
    depth: torch.Tensor
    falx: torch.Tensor
    tentorium: torch.Tensor
    near_table: torch.Tensor
    sinus: torch.Tensor
    foldable: torch.Tensor
    cavum: torch.Tensor


def _sigmoid(value: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(value, -30, 30)))


@lru_cache(maxsize=1)
def _frame() -> _Frame:
    offset = [round(b - h) for b, h in zip(BRAIN.origin, HEAD.origin, strict=True)]
    depth = tissue_model.load().depth[tuple(slice(o, o + n) for o, n in zip(offset, BRAIN.shape, strict=True))]
    index = np.flatnonzero(depth > -MARGIN_MM)
    x, y, z = (a.ravel()[index] for a in BRAIN.coordinates())
    depth = depth.ravel()[index]
    falx = _sigmoid(z - free_edge_z(y))
    roof = _tentorium_z(x, y)
    open_notch = (x / 17) ** 2 + ((y + 26) / 20) ** 2 < 1
    tentorium = np.exp(-(((z - roof) / 1.3) ** 2)) * (y < -20) * ~open_notch
    sinus = np.exp(-((x / 3.3) ** 4)) * np.exp(-((np.clip(depth - 1.5, 0, None) / 2.2) ** 2)) * falx
    to_surface = np.minimum(depth, np.abs(x) + 4 + 30 * (1 - falx))
    foldable = _sigmoid((FOLDED_DEPTH_MM - to_surface) / 2.0)
    above_tentorium = np.where(y < -20, _sigmoid((z - roof - 1) / 1.5), _sigmoid((z + 42) / 4))
    brainstem = np.exp(-((x / 26) ** 4) - (((y + 22) / 30) ** 4)) * _sigmoid((-z - 4) / 3)
    foldable = foldable * above_tentorium * (1 - brainstem)
    cavum = _sigmoid((y + 30) / 4) * _sigmoid((24 - y) / 2) * _sigmoid((z - 5) / 1.5) * _sigmoid((22 - z) / 1.5)
    arrays = (x, y, z, depth, falx, tentorium, np.exp(-((np.clip(depth, 0, None) / 2.5) ** 2)), sinus, foldable, cavum)
    return _Frame(
        torch.from_numpy(index), *(torch.from_numpy(np.ascontiguousarray(a, dtype=np.float32)) for a in arrays)
    )


@dataclass(frozen=True)
class _Tissues:
    """Fractions of one atlas brain at the frame's voxels, (M,).

    ``core`` is the mask of the ventricles smoothed by 2 mm, so that a level set of it is a narrower ventricle; ``halo`` a
    0..1 neighbourhood of them.
    """

    grey: torch.Tensor
    white: torch.Tensor
    csf: torch.Tensor
    ventricles: torch.Tensor
    core: torch.Tensor
    halo: torch.Tensor


@lru_cache(maxsize=2)
def _tissues(brain: int) -> _Tissues:
    """Sharpened where the atlas is an average of many heads."""
    model, index = tissue_model.load(), _frame().index
    grey, white = (torch.from_numpy(a[brain]).view(-1)[index] for a in (model.grey, model.white))
    csf = (1 - grey - white).clamp(0, 1)
    if brain == ICBM:
        csf = ((csf - 0.08) * 1.9).clamp(0, 1)
        white = ((white - 0.5) * 1.5 + 0.5).clamp(0, 1)
        grey = (1 - csf - white).clamp(0, 1)
    total = grey + white + csf
    ventricles = smooth(model.ventricles[brain], 0.8, BRAIN).view(-1)[index]
    core = smooth(model.ventricles[brain], 2.0, BRAIN).view(-1)[index]
    halo = (4 * smooth(model.ventricles[brain], 5.0, BRAIN)).clamp(0, 1).view(-1)[index]
    return _Tissues(grey / total, white / total, csf / total, ventricles, core, halo)


def _texture(rng: np.random.Generator, sigma_mm: float) -> torch.Tensor:
    """(M,) smooth unit noise."""
    return upsample(noise(rng, sigma_mm, COARSE), BRAIN.shape).view(-1)[_frame().index]


@lru_cache(maxsize=1)
def _surface_points() -> torch.Tensor:
    """(*FOLDS.shape, 3) points moved most of the way to the brain's surface: folds that hang on them run inward."""
    points = torch.from_numpy(np.stack(FOLDS.coordinates(), -1))
    depth = sample(torch.from_numpy(tissue_model.load().depth)[None], points, HEAD)[0]
    inward = gradient(smooth(depth, 3.0, FOLDS), FOLDS).movedim(0, -1)
    inward = inward / (inward.norm(dim=-1, keepdim=True) + 0.2)
    medial = (points[..., 0].abs() < depth).float() * torch.exp(-((points[..., 0] / 14) ** 2))
    return points - 0.75 * (depth.clamp(-2, 25) * (1 - medial))[..., None] * inward


def _fold_distance(rng: np.random.Generator) -> torch.Tensor:
    """(M,) approximate mm to the nearest sulcus of a random folding: the zero level of band-limited noise."""
    wavelength = rng.uniform(19, 27)
    white = rng.standard_normal(FOLDS.shape, dtype=np.float32)
    frequency = np.sqrt(
        np.fft.fftfreq(FOLDS.shape[0], FOLDS.spacing)[:, None, None] ** 2
        + np.fft.fftfreq(FOLDS.shape[1], FOLDS.spacing)[None, :, None] ** 2
        + np.fft.rfftfreq(FOLDS.shape[2], FOLDS.spacing)[None, None] ** 2
    ).astype(np.float32)
    band = np.exp(-((frequency * wavelength - 1) ** 2) / (2 * 0.22**2))
    waves = torch.from_numpy(fft.irfftn(fft.rfftn(white) * band, s=FOLDS.shape))
    waves = sample(waves[None], _surface_points(), FOLDS)[0]
    steep = gradient(waves, FOLDS).norm(dim=0)
    distance = (waves.abs() / (steep + 0.25 * steep.mean())).clamp(max=12)
    return upsample(distance, BRAIN.shape).view(-1)[_frame().index]


def _fold(rng, share: float, tissues: _Tissues, openness: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Grey, white and CSF with the cortex replaced by random folds."""
    frame = _frame()
    if share <= 0:
        return tissues.grey, tissues.white, tissues.csf
    distance = _fold_distance(rng)
    amount = frame.foldable * share * (1 - (3 * tissues.ventricles).clamp(0, 1))
    width = 0.35 + 1.1 * openness
    at_surface = torch.sigmoid((1.2 + 0.8 * openness - frame.depth) / 0.5)
    csf = torch.maximum(torch.sigmoid((width - distance) / 0.35), at_surface)
    ribbon = torch.sigmoid((torch.minimum(distance - width, frame.depth - 2) - CORTEX_MM) / 0.5)
    folded_white = ribbon * (1 - csf)
    folded_grey = (1 - ribbon) * (1 - csf)
    return (
        torch.lerp(tissues.grey, folded_grey, amount),
        torch.lerp(tissues.white, folded_white, amount),
        torch.lerp(tissues.csf, csf, amount),
    )


def render(rng: np.random.Generator, subject: Subject, lesions: Lesions) -> torch.Tensor:
    """(*BRAIN.shape) HU of the brain before any shift."""
    frame, tissues = _frame(), _tissues(subject.brain)
    x, falx = frame.x, frame.falx

    # How much of the CSF spaces shows: little in the young and on the side of a mass, all of it in the old.
    openness = float(np.clip(0.5 + 0.6 * subject.atrophy + rng.uniform(-0.15, 0.15), 0.08, 1.3))
    grey, white, csf = _fold(rng, subject.folding, tissues, openness)
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
    """Septum pellucidum between the frontal horns; two leaves with a cavum between them in most infants."""
    frame = _frame()
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
    """Calcified pineal gland, choroid plexus and plaques of the falx."""
    spots = []
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
    for *place, radius, height in spots:
        window, bump = [], []
        for axis, centre in zip(axes, place, strict=True):
            first = max(0, round(centre - float(axis[0])) - 9)
            window.append(slice(first, first + 19))
            bump.append(torch.from_numpy(np.exp(-0.5 * ((axis[window[-1]] - centre) / radius) ** 2)).float())
        hu[tuple(window)] += height * bump[0][:, None, None] * bump[1][None, :, None] * bump[2][None, None]
    return hu
