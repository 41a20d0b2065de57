"""The voxels inside the skull and the tissues of the two atlas brains there, computed once a process."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from midlineshift_training.datasets.phantoms import tissue_model
from midlineshift_training.datasets.phantoms.falx import free_edge_z, straight_sinus_z
from midlineshift_training.datasets.phantoms.fields import smooth
from midlineshift_training.datasets.phantoms.subject import ICBM
from midlineshift_training.datasets.phantoms.tissue_model import BRAIN, HEAD

MARGIN_MM = 4.0  # voxels this far outside the inner table are filled too
FOLDED_DEPTH_MM = 17.0  # cortex and sulci reach this deep below the inner table


def _tentorium_z(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return height of the tentorium: a ridge on the midsagittal plane, falling to the sides."""
    return straight_sinus_z(y) - 24 * (np.abs(x) / 55) ** 1.5


@dataclass(frozen=True)
class InsideVoxels:
    """Subject-independent values of the voxels inside the skull, each (M,).

    Attributes:
        index: flat index on BRAIN.
        x, y, z: template mm.
        depth: mm to the inner table.
        falx, tentorium: 0..1.
        near_table: 1 at the inner table, falling over 2.5 mm.
        sinus: 0..1, venous sinus along the attachment of the falx.
        foldable: 0..1 where cortex may be replaced by random folds.
        cavum: 0..1 where a cavum septi pellucidi may be.
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
def voxels_inside() -> InsideVoxels:
    """Return the voxels of the template inside the skull, with their depth and folding; computed once."""
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
    return InsideVoxels(
        torch.from_numpy(index), *(torch.from_numpy(np.ascontiguousarray(a, dtype=np.float32)) for a in arrays)
    )


@dataclass(frozen=True)
class Tissues:
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
def tissues_of(brain: int) -> Tissues:
    """Return the tissues of the atlas, sharpened where it is an average of many heads."""
    model, index = tissue_model.load(), voxels_inside().index
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
    return Tissues(grey / total, white / total, csf / total, ventricles, core, halo)
