"""Hard augmentation: what real scans have and clean phantoms lack, as MONAI dictionary transforms on slices.

A slice is a dict with ``image`` (1, H, W) HU in the network's frame and ``inside`` (1, H, W) bool, inside of the skull.
Contrast, bias field, sharpness, noise and small spots are MONAI's own transforms; what draws anatomy (clots, open bone,
objects, cut fields of view) is in ``anatomy``. Lengths are pixels of a 128 grid; a finer one has ``times`` as many.
"""

from __future__ import annotations

import math
from functools import lru_cache

import monai.transforms as mt
import torch
import torch.nn.functional as F
from monai.data import get_track_meta, set_track_meta
from monai.transforms.transform import MapTransform, Randomizable

from midlineshift_training.datasets.transforms.anatomy import (
    IMAGE,
    INSIDE,
    RandClotsd,
    RandFieldOfViewd,
    RandMissingBoned,
    RandObjectsd,
    RandThinBoned,
    RandVentricularBloodd,
)
from midlineshift_training.datasets.transforms.chances import (
    ByChance,
    RandNoised,
    RandQuickBiasFieldd,
    RandUnsharpd,
    share_state,
)

SOFT_HU = (-30.0, 130.0)
"""Range in which contrast, brightness and bias field act; bone and air keep their values."""
CONTRAST, BRIGHTNESS_HU = 0.22, 7.0
"""Largest relative change of the contrast about the mean, and of the brightness."""
BIAS = 0.03
"""Largest coefficient of the bias field's polynomials (logarithm of a factor)."""
NOISE_HU, STRONG_NOISE_HU, STRONG_NOISE_SHARE = 4.0, 12.0, 0.3
"""Largest standard deviations of white noise on a 128 grid, and the share of slices with strong noise."""
SLIGHT_NOISE_HU = 6.0
"""Largest standard deviation of the white noise on slices that are not degraded."""
SPOT_HU = (12.0, 60.0)
"""Range of contusions, calcifications and lacunes, small spots inside the skull."""
_MAX_SEED = 2**31 - 1


class OnSoftTissued(MapTransform, Randomizable):
    """Apply transforms to the soft tissue of an image, scaled to 0..1; what is brighter or darker keeps its values.

    Args:
        keys: of the images. transform: dictionary transforms for the same keys.
    """

    def __init__(self, keys: str, transform: Randomizable):
        MapTransform.__init__(self, keys)
        self.transform = transform

    def set_random_state(self, seed=None, state=None):
        """Seed the transforms."""
        super().set_random_state(seed, state)
        share_state(self.transform, self.R)
        return self

    def randomize(self, data=None) -> None:
        """Draw nothing: the transforms draw for themselves."""

    def __call__(self, data):
        """Return the dict with its images changed."""
        d, (low, high) = dict(data), SOFT_HU
        for key in self.key_iterator(d):
            image = d[key]
            unit = ((image - low) / (high - low)).clamp_(0, 1)
            changed = self.transform({key: unit})[key] * (high - low) + low
            d[key] = torch.where((image > low) & (image < high), changed, image)
        return d


class InsideSkulld(OnSoftTissued):
    """Apply transforms to an image and keep what they change inside the skull only."""

    def __call__(self, data):
        """Return the dict with its images changed."""
        d = dict(data)
        for key in self.key_iterator(d):
            d[key] = torch.where(d[INSIDE], self.transform({key: d[key].clone()})[key], d[key])
        return d


@lru_cache(maxsize=4)
def hard_augmentation(times: int) -> ByChance:
    """Compose the transforms for slices of ``times`` 128 pixels along an edge."""
    noise = times**0.5  # white noise on a finer grid is stronger: a scan's noise is one, however densely it is sampled
    # logarithms of k-space magnitudes that give waves of about 4 to 15 HU
    spike = tuple(math.log(hu / 2 * (128 * times) ** 2) for hu in (4.0, 15.0))
    spots = mt.RandCoarseDropoutd(
        IMAGE, holes=1, max_holes=3, spatial_size=3 * times, max_spatial_size=12 * times, fill_value=SPOT_HU, prob=1.0
    )
    tone = ByChance(
        (0.8, mt.RandScaleIntensityFixedMeand(IMAGE, factors=CONTRAST, prob=1.0)),
        (0.8, mt.RandShiftIntensityd(IMAGE, offsets=BRIGHTNESS_HU / (SOFT_HU[1] - SOFT_HU[0]), prob=1.0)),
        (0.7, RandQuickBiasFieldd(IMAGE, 3, (-BIAS, BIAS))),
        (0.08, mt.RandHistogramShiftd(IMAGE, num_control_points=(8, 12), prob=1.0)),
    )
    blur, sharp = (0.5 * times, 1.0 * times), (0.9 * times, 1.1 * times)
    strong = STRONG_NOISE_SHARE, STRONG_NOISE_HU * noise
    return ByChance(
        (0.45, RandObjectsd(prob=1.0)),
        (0.13, RandMissingBoned(prob=1.0)),
        (0.08, RandThinBoned(prob=1.0)),
        (0.25, RandClotsd(prob=1.0)),
        (0.25, InsideSkulld(IMAGE, spots)),
        (1.0, OnSoftTissued(IMAGE, tone)),
        (0.3, RandNoised(IMAGE, 2 * NOISE_HU * noise)),  # the blur after it turns it into grain
        (0.25, mt.RandGaussianSmoothd(IMAGE, sigma_x=blur, sigma_y=blur, prob=1.0)),
        (0.25, RandUnsharpd(IMAGE, sharp, (0.4, 0.8))),
        (0.1, mt.RandGibbsNoised(IMAGE, alpha=(0.2, 0.5), prob=1.0)),
        (0.02, mt.RandKSpaceSpikeNoised(IMAGE, intensity_range=spike, prob=1.0)),
        (1.0, RandNoised(IMAGE, NOISE_HU * noise, strong=strong)),
        (0.12, RandFieldOfViewd(prob=1.0)),
    )


def degrade(hu: torch.Tensor, inside: torch.Tensor, g: torch.Generator) -> torch.Tensor:
    """Degrade the slices of a batch.

    Args:
        hu: (B, H, W) HU; a changed copy is returned.
        inside: (B, h, w) 1 inside the skull, on the half grid; the slices may be sampled 2 h or any multiple of it.
        g: seeds the transforms.

    Returns:
        (B, H, W) HU.
    """
    size = hu.shape[-1]
    times = size // (2 * inside.shape[-1])
    inside = F.interpolate(inside[:, None], size=(size, size), mode="nearest") > 0.5
    items = [{IMAGE: image[None], INSIDE: mask, "times": times} for image, mask in zip(hu, inside, strict=True)]
    return torch.stack(_each(hard_augmentation(times), items, g))


def degrade_some(hu: torch.Tensor, inside: torch.Tensor, share: float, g: torch.Generator) -> torch.Tensor:
    """Degrade a share of the slices of a batch, drawn slice by slice, and give the others a little white noise.

    Args:
        hu, inside: as of ``degrade``. share: 0..1. g: seeds everything random.

    Returns:
        (B, H, W) HU.
    """
    if share >= 1:
        return degrade(hu, inside, g)
    chosen = torch.rand(len(hu), generator=g) < share
    sigma = SLIGHT_NOISE_HU * torch.rand(len(hu), 1, 1, generator=g)
    result = hu + sigma * torch.randn(hu.shape, generator=g)
    if chosen.any():
        result[chosen] = degrade(hu[chosen], inside[chosen], g)
    return result


def fill_ventricles(
    hu: torch.Tensor, deformed_mm: torch.Tensor, along: torch.Tensor, measurable: torch.Tensor, g: torch.Generator
) -> torch.Tensor:
    """Put blood, or now and then clear fluid, beside the septum of some slices; see ``RandVentricularBloodd``.

    Args:
        hu: (B, H, W) HU; a changed copy is returned.
        deformed_mm, along: (B, h, w) signed distance to the deformed midline and fraction along the ideal one (0 anterior).
        measurable: (B,) 0 or 1; slices without a visible falx are left as they are. g: seeds the transform.
    """
    items = [
        {IMAGE: image[None], "deformed": deformed, "along": run, "measurable": bool(seen)}
        for image, deformed, run, seen in zip(hu, deformed_mm, along, measurable, strict=True)
    ]
    return torch.stack(_each(_ventricular_blood(), items, g))


@lru_cache(maxsize=1)
def _ventricular_blood() -> ByChance:
    return ByChance((0.2, RandVentricularBloodd(prob=1.0)))


def _each(transform: ByChance, items: list[dict], g: torch.Generator) -> list[torch.Tensor]:
    """Return the images (H, W) of all items after a transform that ``g`` seeds, one after another."""
    tracked = get_track_meta()
    set_track_meta(False)  # plain tensors: nothing of MONAI's meta data is used
    try:
        transform.set_random_state(int(torch.randint(_MAX_SEED, (1,), generator=g)))
        return [transform(item)[IMAGE][0] for item in items]
    finally:
        set_track_meta(tracked)
