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
CLOT_REACH = 2.0
"""Radii from the middle within which a bleed is drawn; there its share has fallen below 1e-6."""
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

    def smooth_noise(self, coarse: int, size: int, rows=slice(None), columns=slice(None)) -> torch.Tensor:
        """Draw (1, size, size) smooth noise of about unit spread, bicubic from a coarse grid; some rows and columns of it."""
        seed = torch.from_numpy(self.R.standard_normal((coarse, coarse)).astype(np.float32))
        weights = bicubic_weights(coarse, size)
        return (weights[rows] @ seed @ weights[columns].T)[None]


@lru_cache(maxsize=4)
def _axis(size: int, times: int) -> torch.Tensor:
    """Return the places (size,) of the pixels of a slice along an edge, pixels of the 128 grid from the middle."""
    return (torch.arange(float(size)) - (size - 1) / 2) / times


@lru_cache(maxsize=8)
def bicubic_weights(coarse: int, size: int) -> torch.Tensor:
    """Return (size, coarse) by which bicubic interpolation makes ``size`` values of ``coarse`` ones.

    Applied along both axes they equal ``interpolate`` on one image, in a tenth of its time.
    """
    unit = torch.eye(coarse)[None, None]
    return F.interpolate(unit, size=(size, coarse), mode="bicubic", align_corners=False)[0, 0]


def _axes_of(image: torch.Tensor, data: dict) -> tuple[torch.Tensor, torch.Tensor]:
    """Return x (W,) and y (H, 1) of the pixels of a slice, pixels of the 128 grid from the middle."""
    axis = _axis(image.shape[-1], data.get("times", 1))
    return axis, axis[:, None]


def _reach(data: dict) -> torch.Tensor:
    """Return (1, H, W) bool: inside of the skull, its bone and what touches it."""
    step = 2 * data.get("times", 1)
    half = data[INSIDE][0, ::step, ::step].float()  # the mask comes from the half grid
    near = _near(len(half))
    return F.interpolate((near @ half @ near)[None, None], scale_factor=step, mode="nearest")[0] > 0


@lru_cache(maxsize=4)
def _near(size: int) -> torch.Tensor:
    """Return (size, size) 1 for places within ``RIM_PX``, else 0: a quarter of the time of ``max_pool2d`` on one slice."""
    place = torch.arange(size)
    return ((place[:, None] - place).abs() <= RIM_PX // 2).float()


def _ellipse(image: torch.Tensor, data: dict, middle, radii, turn: float, reach: float = 1.0):
    """Measure an ellipse on the part of a slice that it covers: far from it nothing is drawn.

    Args:
        image: (1, H, W). data: the slice. middle, radii: (x, y), pixels of the 128 grid. turn: radians.
        reach: largest distance that matters, in radii.

    Returns:
        Rows and columns of that part, and on it the squared distance from the middle, 1 on the edge; an empty part where
        the ellipse is outside of the image.
    """
    size, times = image.shape[-1], data.get("times", 1)
    half = (size - 1) / 2
    parts, places = [], []
    for at in (middle[1], middle[0]):
        far = reach * max(radii)
        first = max(0, math.floor((at - far) * times + half))
        part = slice(first, max(first, min(size, math.ceil((at + far) * times + half) + 1)))
        parts.append(part)
        places.append(_axis(size, times)[part] - at)
    y, x = places[0][:, None], places[1]
    c, s = math.cos(turn), math.sin(turn)
    a = x * (c / radii[0]) + y * (s / radii[0])
    b = y * (c / radii[1]) - x * (s / radii[1])
    return *parts, a.square_().addcmul_(b, b)


class RandObjectsd(RandSliced):
    """Draw ellipses outside of the skull: scalp swelling, pillows, holders, wires, fingers."""

    def draw(self, image, data):
        """Return the image with one to four objects."""
        outside = ~_reach(data)
        for _ in range(self.R.randint(1, 5)):
            r = self.R.rand(5)
            place, radius = r[0] * 2 * math.pi, 40 + r[1] * 22
            middle = radius * math.cos(place), 1.1 * radius * math.sin(place)
            rows, columns, ellipse = _ellipse(image, data, middle, (2 + 9 * r[2], 2 + 14 * r[3]), place + r[4] - 0.5)
            value = OBJECTS_HU[self.R.randint(len(OBJECTS_HU))] + 15 * self.R.standard_normal()
            image[:, rows, columns].masked_fill_((ellipse < 1) & outside[:, rows, columns], float(value))
        return image


class RandMissingBoned(RandSliced):
    """Take a bone flap out: the skull within a sector becomes soft tissue."""

    def draw(self, image, data):
        """Return the image with a gap in the skull."""
        x, y = _axes_of(image, data)
        r = self.R.rand(2)
        turn = r[0] * 2 * math.pi
        # the cosine of the angle to the sector's middle, times the distance
        ahead = x * math.cos(turn) + y * math.sin(turn)
        sector = ahead > torch.hypot(x, y) * math.cos(0.25 + 0.7 * r[1])
        hole = _reach(data) & ~data[INSIDE] & sector & (image > BONE_HU)
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
        size = image.shape[-1]
        for _ in range(self.R.randint(1, 3)):
            r, (across, along) = self.R.rand(4), self.R.standard_normal(2)
            radii = 3 + 10 * r[0], 5 + 16 * r[1]
            rows, columns, ellipse = _ellipse(image, data, (18 * across, 22 * along), radii, r[2] * math.pi, CLOT_REACH)
            part = image[:, rows, columns]
            edge = 0.35 * self.smooth_noise(12, size, rows, columns)
            mask = torch.sigmoid(-(ellipse - 1 + edge) * 6) * data[INSIDE][:, rows, columns]
            value = CLOTS_HU[self.R.randint(len(CLOTS_HU))] + 8 * r[3] * self.smooth_noise(24, size, rows, columns)
            part.lerp_(value, mask)
        return image


class RandVentricularBloodd(RandSliced):
    """Draw blood, or now and then clear fluid, into a frontal horn: a crescent that hugs the septum on one side or both.

    Blood beside the septum is as bright and as long as a falx; a network that never met it takes it for the midline. The
    dict holds ``deformed`` and ``along`` (h, w), signed distance to the deformed midline and fraction along the ideal one
    (0 anterior), and ``measurable``; slices without a visible falx are left as they are.
    """

    def draw(self, image, data):
        """Return the image with blood beside the septum."""
        r = self.R.rand(8)
        if not data["measurable"]:
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
