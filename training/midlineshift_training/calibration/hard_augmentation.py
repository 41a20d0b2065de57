"""Make a clean phantom as hard to measure as a poor scan, without touching its truth, by MONAI's transforms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from MidlineShiftLogic.headct.headct import HeadCT

NOISE_HU = 8.0
"""Largest standard deviation of white noise."""
BLUR_MM = 0.9
"""Largest standard deviation of the blur in the slice."""
CONTRAST, OFFSET_HU = (-0.4, 0.15), 4.0
"""Relative change of the contrast and largest change of the brightness of soft tissue: grey and white matter differ less in
a swollen or badly windowed brain, and its mean drifts with the calibration of the scanner."""
BIAS = 0.05
"""Largest coefficient of the shading's polynomials (logarithm of a factor)."""
SOFT_HU = (-20.0, 110.0)
_MAX_SEED = 2**31 - 1


def degrade_scan(ct: HeadCT, rng: np.random.Generator) -> HeadCT:
    """Blur, shade and noise a scan, and change the contrast of its soft tissue, by random amounts."""
    import monai.transforms as mt
    import torch

    row, column = (BLUR_MM / mm for mm in ct.pixel_spacing)
    blur = mt.RandGaussianSmooth(sigma_x=(1e-3, 1e-3), sigma_y=(1e-3, row), sigma_z=(1e-3, column), prob=1.0)
    tone = mt.Compose(
        [
            mt.RandScaleIntensityFixedMean(factors=CONTRAST, prob=1.0),
            mt.RandShiftIntensity(OFFSET_HU / (SOFT_HU[1] - SOFT_HU[0]), prob=1.0),
            mt.RandBiasField(degree=2, coeff_range=(-BIAS, BIAS), prob=1.0),
        ]
    )
    noise = mt.RandGaussianNoise(std=NOISE_HU, prob=1.0)
    for transform in (blur, tone, noise):
        transform.set_random_state(int(rng.integers(_MAX_SEED)))
    low, high = SOFT_HU
    hu = torch.as_tensor(blur(torch.from_numpy(ct.hu.astype(np.float32))[None]))
    toned = torch.as_tensor(tone(((hu - low) / (high - low)).clamp(0, 1))) * (high - low) + low
    hu = torch.as_tensor(noise(torch.where((hu > low) & (hu < high), toned, hu)))
    return replace(ct, hu=hu[0].numpy().astype(np.float32))
