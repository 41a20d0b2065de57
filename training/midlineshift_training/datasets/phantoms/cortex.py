"""Random folds of the cortex in place of the atlas' blurred ones."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from scipy import fft

from midlineshift_training.datasets.phantoms import tissue_model
from midlineshift_training.datasets.phantoms.atlas import Tissues, voxels_inside
from midlineshift_training.datasets.phantoms.fields import gradient, sample, smooth, upsample
from midlineshift_training.datasets.phantoms.tissue_model import BRAIN, HEAD, Grid

FOLDS = Grid(BRAIN.origin, 2.0, (79, 98, 84))  # random folds
CORTEX_MM = 2.8


@lru_cache(maxsize=1)
def _surface_points() -> torch.Tensor:
    """Return (*FOLDS.shape, 3) points moved most of the way to the brain's surface: folds that hang on them run inward."""
    points = torch.from_numpy(np.stack(FOLDS.coordinates(), -1))
    depth = sample(torch.from_numpy(tissue_model.load().depth)[None], points, HEAD)[0]
    inward = gradient(smooth(depth, 3.0, FOLDS), FOLDS).movedim(0, -1)
    inward = inward / (inward.norm(dim=-1, keepdim=True) + 0.2)
    medial = (points[..., 0].abs() < depth).float() * torch.exp(-((points[..., 0] / 14) ** 2))
    return points - 0.75 * (depth.clamp(-2, 25) * (1 - medial))[..., None] * inward


def _fold_distance(rng: np.random.Generator) -> torch.Tensor:
    """Return (M,) approximate mm to the nearest sulcus of a random folding: the zero level of band-limited noise."""
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
    return upsample(distance, BRAIN.shape).view(-1)[voxels_inside().index]


def fold(rng, share: float, tissues: Tissues, openness: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return grey, white and CSF with the cortex replaced by random folds."""
    frame = voxels_inside()
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
