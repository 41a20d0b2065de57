"""What real scans have and clean phantoms lack: objects, flaps, clots, tone, bias, blur, noise, field-of-view cuts.

Works on slices already in the network's frame: (B, H, W) HU, with the inside of the skull on the half grid. Every
random number comes from the generator that is handed in.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F


def _smooth_noise(count: int, coarse: int, size: int, g: torch.Generator) -> torch.Tensor:
    """(count, size, size) smooth noise of about unit spread: bicubic from a coarse grid."""
    seed = torch.randn(count, 1, coarse, coarse, generator=g)
    return F.interpolate(seed, size=(size, size), mode="bicubic", align_corners=False)[:, 0]


def degrade(hu: torch.Tensor, inside: torch.Tensor, g: torch.Generator) -> torch.Tensor:
    """Apply random degradations to a batch.

    Args:
        hu: (B, H, W) HU; a changed copy is returned.
        inside: (B, h, w) 1 inside the skull, on the half grid; the slices may be sampled 2 h or any multiple of it. All
            lengths here are steps of the 2 h grid.
        g: random numbers.

    Returns:
        (B, H, W) HU.
    """
    hu = hu.clone()
    size = hu.shape[-1]
    times = size // (2 * inside.shape[-1])
    up = lambda mask: F.interpolate(mask[:, None], size=(size, size), mode="nearest")[:, 0]  # noqa: E731
    skull_inside = up(inside)
    # about five pixels beyond the inner table: bone and what touches it
    reach = up(F.max_pool2d(inside[:, None], 5, 1, 2)[:, 0]) > 0
    rim = reach & (skull_inside < 0.5)
    axis = (torch.arange(float(size)) - (size - 1) / 2) / times
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    for k in range(len(hu)):
        uniform = torch.rand(8, generator=g).tolist()
        if uniform[0] < 0.45:
            _objects(hu[k], reach[k], x, y, g)
        if uniform[1] < 0.13:
            _missing_bone(hu[k], rim[k], x, y, g)
        if uniform[2] < 0.08:
            hu[k] = torch.where(hu[k] > 100, 100 + (hu[k] - 100) * 0.4 * uniform[3], hu[k])
        if uniform[4] < 0.25:
            _clots(hu[k], skull_inside[k], x, y, g)
        if uniform[5] < 0.25:
            _blobs(hu[k], skull_inside[k], x, y, g)
    hu = _tone(hu, g)
    hu = _sharpness_and_noise(hu, times, g)
    return _field_of_view(hu, x, y, g)


def _ellipse(x, y, cx, cy, rx, ry, turn):
    c, s = math.cos(turn), math.sin(turn)
    a, b = (x - cx) * c + (y - cy) * s, -(x - cx) * s + (y - cy) * c
    return (a / rx) ** 2 + (b / ry) ** 2


def _objects(image, reach, x, y, g):
    """Scalp swelling, pillows, holders, wires, fingers: ellipses outside the skull."""
    values = torch.tensor([30.0, 45.0, 60.0, -90.0, 250.0, 900.0, -300.0, 1800.0])
    for _ in range(int(torch.randint(1, 5, (1,), generator=g))):
        r = torch.rand(5, generator=g).tolist()
        place = r[0] * 2 * math.pi
        radius = 40 + r[1] * 22
        ellipse = _ellipse(
            x,
            y,
            radius * math.cos(place),
            1.1 * radius * math.sin(place),
            2 + 9 * r[2],
            2 + 14 * r[3],
            place + r[4] - 0.5,
        )
        value = float(values[torch.randint(0, len(values), (1,), generator=g)] + 15 * torch.randn(1, generator=g))
        image[(ellipse < 1) & ~reach] = value


def fill_ventricles(
    hu: torch.Tensor, deformed_mm: torch.Tensor, along: torch.Tensor, readable: torch.Tensor, g: torch.Generator
) -> torch.Tensor:
    """Blood, or now and then clear fluid, in a frontal horn of some slices: a crescent that hugs the septum on one side or both.

    Blood beside the septum is as bright and as long as a falx; a network that never met it takes it for the midline.

    Args:
        hu: (B, H, W) HU; a changed copy is returned.
        deformed_mm, along: (B, h, w) signed distance to the deformed midline and fraction along the ideal one (0 anterior).
        readable: (B,) 0 or 1. g: random numbers.
    """
    hu = hu.clone()
    size = hu.shape[-1]
    for k in torch.nonzero((torch.rand(len(hu), generator=g) < 0.2) & (readable > 0))[:, 0].tolist():
        r = torch.rand(8, generator=g).tolist()
        maps = torch.stack([deformed_mm[k], along[k]])[None]
        distance, t = F.interpolate(maps, size=(size, size), mode="bilinear", align_corners=False)[0]
        first, last = 0.20 + 0.12 * r[0], 0.42 + 0.2 * r[1]
        run = torch.sin(math.pi * ((t - first) / (last - first)).clamp(0, 1)).clamp(min=0) ** 0.7
        sides = [-1.0, 1.0] if r[2] < 0.3 else [-1.0] if r[2] < 0.65 else [1.0]
        value = 5 + 8 * r[3] if r[4] < 0.2 else 52 + 24 * r[3]
        for side in sides:
            across = side * distance - (0.4 + 1.6 * r[5])
            mask = torch.sigmoid(across / 0.5) * torch.sigmoid(((2 + 7 * r[6]) * run - across) / 0.7) * (run > 0)
            hu[k] += mask * (value + 4 * _smooth_noise(1, 24, size, g)[0] - hu[k])
    return hu


def _missing_bone(image, rim, x, y, g):
    """A bone flap taken out: skull within a sector becomes soft tissue."""
    r = torch.rand(2, generator=g).tolist()
    angle = torch.atan2(y, x)
    away = torch.remainder(angle - r[0] * 2 * math.pi + math.pi, 2 * math.pi) - math.pi
    tissue = 35 + 6 * torch.randn(image.shape, generator=g)
    hole = rim & (away.abs() < 0.25 + 0.7 * r[1]) & (image > 100)
    image[hole] = tissue[hole]


def _clots(image, inside, x, y, g):
    """Large irregular bleeds or infarcts anywhere in the brain, so that none of them is taken for the midline."""
    size = image.shape[-1]
    for _ in range(int(torch.randint(1, 3, (1,), generator=g))):
        r = torch.rand(4, generator=g).tolist()
        centre = torch.randn(2, generator=g).tolist()
        ellipse = _ellipse(x, y, 18 * centre[0], 22 * centre[1], 3 + 10 * r[0], 5 + 16 * r[1], r[2] * math.pi)
        edge = 0.35 * _smooth_noise(1, 12, size, g)[0]
        mask = torch.sigmoid(-(ellipse - 1 + edge) * 6) * inside
        value = [66.0, 60.0, 56.0, 18.0][int(torch.randint(0, 4, (1,), generator=g))]
        image.mul_(1 - mask).add_(mask * (value + 8 * r[3] * _smooth_noise(1, 24, size, g)[0]))


def _blobs(image, inside, x, y, g):
    """Small bright or dark spots: contusions, calcifications, lacunes."""
    for _ in range(int(torch.randint(1, 4, (1,), generator=g))):
        r = torch.rand(2, generator=g).tolist()
        centre = torch.randn(2, generator=g).tolist()
        spot = _ellipse(x, y, 17 * centre[0], 22 * centre[1], 1.5 + 7 * r[0], 1.5 + 7 * r[1], 0.0)
        value = [28.0, -18.0, 15.0, -10.0][int(torch.randint(0, 4, (1,), generator=g))]
        image.add_(value * torch.exp(-(spot**2)) * inside)


def _tone(hu, g):
    """Contrast, brightness and a smooth bias field of the soft tissue."""
    count, size = len(hu), hu.shape[-1]
    uniform = torch.rand(4, count, 1, 1, generator=g)
    gauss = torch.randn(4, count, 1, 1, generator=g)
    gain = (1 + 0.10 * gauss[0]) * torch.exp(0.22 * gauss[1] * (uniform[0] < 0.4))
    shift = 3 * gauss[2] + 5 * gauss[3] * (uniform[1] < 0.4)
    bias = _smooth_noise(count, 4, size, g) * uniform[2] * 3
    soft = (hu > -30) & (hu < 130)
    return torch.where(soft, (hu - 33) * gain + 33 + shift + bias, hu)


def _averaged(image, width):
    """(B, H, W) averaged over windows of an odd width."""
    pad = width // 2
    return F.avg_pool2d(F.pad(image[:, None], (pad, pad, pad, pad), mode="replicate"), width, 1)[:, 0]


def _sharpness_and_noise(hu, times, g):
    count, size = len(hu), hu.shape[-1]
    wide = 2 * times + 1
    blurred = _averaged(hu, wide)
    kind = torch.rand(count, 1, 1, generator=g)
    sharpened = hu + 0.7 * (hu - blurred)
    if times > 1:  # scans differ in sharpness at either scale
        blurred = torch.where(kind < 0.12, blurred, _averaged(hu, 3))
    hu = torch.where(kind < 0.25, blurred, torch.where(kind > 0.75, sharpened, hu))
    fine = torch.randn(count, size, size, generator=g)
    coarse = _averaged(torch.randn(count, size, size, generator=g), wide) * wide
    uniform = torch.rand(3, count, 1, 1, generator=g)
    # white noise on a finer grid is stronger: a scan's noise is one, however densely it is sampled
    amount = uniform[0] ** 1.5 * (5 + 7 * (uniform[1] < 0.3)) * times**0.5
    return hu + (fine * uniform[2] + coarse * (1 - uniform[2])) * amount


def _field_of_view(hu, x, y, g):
    """A straight or round field edge that cuts the head."""
    for k in range(len(hu)):
        r = torch.rand(3, generator=g).tolist()
        if r[0] < 0.12:
            turn, distance = r[1] * 2 * math.pi, 40 + 25 * r[2]
            hu[k][x * math.cos(turn) + y * math.sin(turn) > distance] = -950.0
    return hu
