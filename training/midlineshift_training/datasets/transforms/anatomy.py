"""Anatomy and surroundings drawn into slices, as MONAI dictionary transforms: clots, open bone, blood, objects, cuts.

What these draw must not be mistaken for the midline, and blood in a ventricle follows the true midline: they carry or
respect the truth, so no library has them. All are seeded by ``set_random_state``; lengths are pixels of a 128 grid, of
which a slice has ``times`` as many (key ``times``, 1 if absent).
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from monai.transforms.transform import MapTransform, RandomizableTransform

IMAGE, INSIDE = "image", "inside"
BONE_HU = 100.0
RIM_PX = 5
"""Window by which the inside of the skull is grown to reach bone and what touches it, on the half grid."""
OBJECTS_HU = (30.0, 45.0, 60.0, -90.0, 250.0, 900.0, -300.0, 1800.0)
"""Scalp swelling, pillows, holders, wires, fingers."""
CLOTS_HU = (66.0, 60.0, 56.0, 18.0)
"""Three ages of blood, and an infarct."""
OUTSIDE_HU = -950.0
"""Value beyond the field of view."""


class RandSliced(RandomizableTransform, MapTransform):
    """Draw something into the image of a slice with some probability.

    Args:
        keys: of the image. prob: chance of the transform.
    """

    def __init__(self, keys: str = IMAGE, prob: float = 0.1):
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self, prob)

    def __call__(self, data):
        """Return the dict with its image changed, or as it is."""
        d = dict(data)
        self.randomize(None)
        if self._do_transform:
            for key in self.key_iterator(d):
                d[key] = self.draw(d[key].clone(), d)
        return d

    def draw(self, image: torch.Tensor, data: dict) -> torch.Tensor:
        """Return the changed image (1, H, W)."""
        raise NotImplementedError

    def smooth_noise(self, coarse: int, size: int) -> torch.Tensor:
        """Draw (1, size, size) smooth noise of about unit spread: bicubic from a coarse grid."""
        seed = torch.from_numpy(self.R.standard_normal((1, 1, coarse, coarse)).astype(np.float32))
        return F.interpolate(seed, size=(size, size), mode="bicubic", align_corners=False)[0]


@lru_cache(maxsize=4)
def axes(size: int, times: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return x and y (size, size), pixels of the 128 grid from the middle."""
    axis = (torch.arange(float(size)) - (size - 1) / 2) / times
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    return x, y


def _axes_of(image: torch.Tensor, data: dict) -> tuple[torch.Tensor, torch.Tensor]:
    return axes(image.shape[-1], data.get("times", 1))


def _reach(data: dict) -> torch.Tensor:
    """(1, H, W) bool: inside of the skull, its bone and what touches it."""
    times = data.get("times", 1)
    half = F.avg_pool2d(data[INSIDE].float(), 2 * times)
    grown = F.max_pool2d(half, RIM_PX, 1, RIM_PX // 2)
    return F.interpolate(grown[None], scale_factor=2 * times, mode="nearest")[0] > 0


def _ellipse(x, y, cx, cy, rx, ry, turn):
    """Squared distance from an ellipse's middle, 1 on its edge."""
    c, s = math.cos(turn), math.sin(turn)
    a, b = (x - cx) * c + (y - cy) * s, -(x - cx) * s + (y - cy) * c
    return (a / rx) ** 2 + (b / ry) ** 2


class RandObjectsd(RandSliced):
    """Draw ellipses outside of the skull: scalp swelling, pillows, holders, wires, fingers."""

    def draw(self, image, data):
        """Return the image with one to four objects."""
        x, y = _axes_of(image, data)
        reach = _reach(data)
        for _ in range(self.R.randint(1, 5)):
            r = self.R.rand(5)
            place, radius = r[0] * 2 * math.pi, 40 + r[1] * 22
            middle = radius * math.cos(place), 1.1 * radius * math.sin(place)
            ellipse = _ellipse(x, y, *middle, 2 + 9 * r[2], 2 + 14 * r[3], place + r[4] - 0.5)
            value = OBJECTS_HU[self.R.randint(len(OBJECTS_HU))] + 15 * self.R.standard_normal()
            image[(ellipse < 1) & ~reach] = float(value)
        return image


class RandMissingBoned(RandSliced):
    """Take a bone flap out: the skull within a sector becomes soft tissue."""

    def draw(self, image, data):
        """Return the image with a gap in the skull."""
        x, y = _axes_of(image, data)
        r = self.R.rand(2)
        away = torch.remainder(torch.atan2(y, x) - r[0] * 2 * math.pi + math.pi, 2 * math.pi) - math.pi
        rim = _reach(data) & ~data[INSIDE]
        hole = rim & (away.abs() < 0.25 + 0.7 * r[1]) & (image > BONE_HU)
        tissue = 35 + 6 * self.R.standard_normal(int(hole.sum()))
        image[hole] = torch.from_numpy(tissue.astype(np.float32))
        return image


class RandThinBoned(RandSliced):
    """Make all bone thinner or less dense."""

    def draw(self, image, data):
        """Return the image with darker bone."""
        share = 0.4 * self.R.rand()
        return torch.where(image > BONE_HU, BONE_HU + (image - BONE_HU) * share, image)


class RandClotsd(RandSliced):
    """Draw large irregular bleeds or infarcts anywhere in the brain, so that none of them is taken for the midline."""

    def draw(self, image, data):
        """Return the image with one or two bleeds or infarcts."""
        x, y = _axes_of(image, data)
        size = image.shape[-1]
        for _ in range(self.R.randint(1, 3)):
            r, (across, along) = self.R.rand(4), self.R.standard_normal(2)
            ellipse = _ellipse(x, y, 18 * across, 22 * along, 3 + 10 * r[0], 5 + 16 * r[1], r[2] * math.pi)
            edge = 0.35 * self.smooth_noise(12, size)
            mask = torch.sigmoid(-(ellipse - 1 + edge) * 6) * data[INSIDE]
            value = CLOTS_HU[self.R.randint(len(CLOTS_HU))] + 8 * r[3] * self.smooth_noise(24, size)
            image = torch.lerp(image, value, mask)
        return image


class RandVentricularBloodd(RandSliced):
    """Draw blood, or now and then clear fluid, into a frontal horn: a crescent that hugs the septum on one side or both.

    Blood beside the septum is as bright and as long as a falx; a network that never met it takes it for the midline. The
    dict holds ``deformed`` and ``along`` (h, w), signed distance to the deformed midline and fraction along the ideal one
    (0 anterior), and ``readable``; slices without a visible falx are left as they are.
    """

    def draw(self, image, data):
        """Return the image with blood beside the septum."""
        r = self.R.rand(8)
        if not data["readable"]:
            return image
        size = image.shape[-1]
        maps = torch.stack([data["deformed"], data["along"]])[None]
        distance, t = F.interpolate(maps, size=(size, size), mode="bilinear", align_corners=False)[0]
        first, last = 0.20 + 0.12 * r[0], 0.42 + 0.2 * r[1]
        run = torch.sin(math.pi * ((t - first) / (last - first)).clamp(0, 1)).clamp(min=0) ** 0.7
        sides = (-1.0, 1.0) if r[2] < 0.3 else (-1.0,) if r[2] < 0.65 else (1.0,)
        value = 5 + 8 * r[3] if r[4] < 0.2 else 52 + 24 * r[3]
        for side in sides:
            across = side * distance - (0.4 + 1.6 * r[5])
            mask = torch.sigmoid(across / 0.5) * torch.sigmoid(((2 + 7 * r[6]) * run - across) / 0.7) * (run > 0)
            image = torch.lerp(image, value + 4 * self.smooth_noise(24, size), mask[None])
        return image


class RandFieldOfViewd(RandSliced):
    """Cut the head by a straight edge of the field of view."""

    def draw(self, image, data):
        """Return the image with a part outside of the field."""
        x, y = _axes_of(image, data)
        turn, distance = self.R.rand() * 2 * math.pi, 40 + 25 * self.R.rand()
        image[:, x * math.cos(turn) + y * math.sin(turn) > distance] = OUTSIDE_HU
        return image
