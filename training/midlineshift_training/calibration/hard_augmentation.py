"""Make a clean phantom as hard to measure as a poor scan, without touching its truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from MidlineShiftLogic.headct.headct import HeadCT

NOISE_HU = (0.0, 8.0)
BLUR_MM = (0.0, 0.9)
# Grey and white matter differ less in a swollen or badly windowed brain, and its mean drifts with the calibration.
CONTRAST, OFFSET_HU = (0.6, 1.15), (-4.0, 4.0)
SHADING_HU = 4.0
SOFT_HU, MIDDLE_HU = (-20.0, 110.0), 35.0


def degrade_scan(ct: HeadCT, rng: np.random.Generator) -> HeadCT:
    """Blur, shade and noise a scan and change the contrast of its soft tissue, by random amounts."""
    hu = ct.hu.astype(np.float32)
    blur = rng.uniform(*BLUR_MM) / np.array(ct.pixel_spacing)
    hu = ndimage.gaussian_filter(hu, (0.0, *blur))
    soft = (hu > SOFT_HU[0]) & (hu < SOFT_HU[1])
    toned = MIDDLE_HU + rng.uniform(*CONTRAST) * (hu - MIDDLE_HU) + rng.uniform(*OFFSET_HU) + _shading(hu.shape, rng)
    hu = np.where(soft, toned, hu)
    hu += rng.normal(0, rng.uniform(*NOISE_HU), hu.shape)
    return replace(ct, hu=hu.astype(np.float32))


def _shading(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Draw a smooth HU field (slice, row, column), up to ``SHADING_HU`` either way: a wave longer than the head."""
    axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij", sparse=True)
    phase = sum(rng.uniform(-np.pi, np.pi) * axis for axis in axes) + rng.uniform(-np.pi, np.pi)
    return rng.uniform(0, SHADING_HU) * np.sin(phase / 2)
