"""What the scanner does to the picture: blur, beam hardening, streaks, noise, things beside the head, storage."""

from __future__ import annotations

import numpy as np
import torch
from scipy import fft, ndimage
from torch.nn import functional

from midlineshift_training.datasets.phantoms.pose import HALF_PIXELS, SIZE, Pose
from MidlineShiftLogic.geometry.resampling import sample

BONE_HU = 150.0
MOTION_SHARE = 0.07  # of the scans


NOISE_SD_HU = (1.1, 8.0)


def acquire(
    rng: np.random.Generator, hu: np.ndarray, depth: np.ndarray, pose: Pose, low_dose: bool, noise: bool = True
) -> tuple[np.ndarray, dict]:
    """Turn clean slices into stored slices.

    Args:
        hu, depth: (n, SIZE, SIZE) clean HU and mm to the inner table.
        low_dose: noise as in many scans of children.
        noise: False leaves out the noise and the limited depth of pictures; all else, and what is drawn, is the same.

    Returns:
        (n, SIZE, SIZE) int16 HU and the drawn settings.
    """
    settings: dict = {}
    hu = hu * np.float32(rng.normal(1, 0.02)) + np.float32(rng.normal(0, 1.5))  # scanners disagree a little
    _add_objects(rng, hu, pose, settings)
    bone = np.clip(hu, BONE_HU, 1500) - BONE_HU
    _add_beam_hardening(rng, hu, bone, depth, pose)
    settings["blur_px"] = blur = float(rng.uniform(0.35, 0.95))
    noisy = rng.random() < (0.45 if low_dose else 0.1)
    sd = rng.uniform(3.5, NOISE_SD_HU[1]) if noisy else np.exp(rng.normal(np.log(2.0), 0.42))
    settings["noise_sd"] = sd = float(np.clip(sd, *NOISE_SD_HU))
    if rng.random() < MOTION_SHARE:
        settings["moved_slices"] = _move_slices(rng, hu)
    spectrum, frequency = fft.rfft2(hu), np.hypot(np.fft.fftfreq(SIZE)[:, None], np.fft.rfftfreq(SIZE)[None])
    gain = np.exp(-2 * (np.pi * frequency * blur) ** 2)
    if blur < 0.5 and rng.random() < 0.5:  # edge-enhancing kernel
        gain *= 1 + rng.uniform(0.1, 0.5) * (frequency / 0.3) ** 2
    hu = fft.irfft2(spectrum * gain.astype(np.float32), s=(SIZE, SIZE))
    grain = _noise(rng, hu, bone, frequency, sd)
    if noise:
        hu += grain
    _add_streaks(rng, hu, bone, depth)
    if rng.random() < 0.5:  # rebuilt from pictures of limited depth
        settings["step_hu"] = step = float(rng.choice([0.5, 1.0, 2.0]))
        if noise:
            hu = np.rint(hu / step) * step
    settings["floor"] = floor = int(rng.choice([-900, -1000, -1024]))
    return np.clip(np.rint(hu), floor, 3071).astype(np.int16), settings


def _move_slices(rng, hu: np.ndarray) -> list[int]:
    """Double a few neighbouring slices, in place, as if the head had turned or slid while they were taken.

    The two positions are evenly about the labelled one, so the labels are those of their mean.

    Returns:
        the slices.
    """
    first = int(rng.integers(0, len(hu)))
    moved = list(range(first, min(len(hu), first + int(rng.integers(1, 4)))))
    for k in moved:
        angle = np.radians(rng.uniform(-2, 2))
        slide = rng.uniform(-2.5, 2.5, 2) / HALF_PIXELS
        picture = torch.from_numpy(hu[k].astype(np.float32))[None, None]
        turns = [
            [
                [np.cos(s * angle), -np.sin(s * angle), s * slide[0]],
                [np.sin(s * angle), np.cos(s * angle), s * slide[1]],
            ]
            for s in (-1, 1)
        ]
        grid = functional.affine_grid(torch.tensor(turns).float(), [2, 1, SIZE, SIZE], align_corners=True)
        pair = sample(picture.expand(2, -1, -1, -1), grid, padding="border")
        hu[k] = pair.mean(0)[0].numpy()
    return moved


def _grow(maps: np.ndarray) -> np.ndarray:
    """Enlarge (n, h, w) to (n, SIZE, SIZE), bilinearly."""
    grown = functional.interpolate(torch.from_numpy(maps)[:, None], (SIZE, SIZE), mode="bilinear", align_corners=False)
    return grown[:, 0].numpy()


def _noise(rng, hu, bone, frequency, sd) -> np.ndarray:
    """Return noise with the ramp-filter texture of CT, more of it behind bone and in the middle of the head."""
    peak = rng.uniform(0.15, 0.36)
    shape = frequency ** rng.uniform(0.5, 1.0) * np.exp(-((frequency / peak) ** 2))
    white = rng.standard_normal(hu.shape, dtype=np.float32)
    grain = fft.irfft2(fft.rfft2(white) * shape.astype(np.float32), s=(SIZE, SIZE))
    grain /= grain.std()
    tissue = ndimage.gaussian_filter((hu[:, ::8, ::8] > -300).astype(np.float32), (0, 2.5, 2.5))
    centre = _grow(1 + 0.35 * (tissue - 0.6))
    bony = np.clip(0.4 + 15 * (bone > 150).mean((1, 2)), 0.9, 1.5)[:, None, None]
    return grain * sd * centre * bony


def _add_beam_hardening(rng, hu, bone, depth, pose: Pose) -> None:
    """Add cupping: brain near bone gets a little brighter."""
    small = bone[:, ::4, ::4]
    near = ndimage.gaussian_filter(small, (0, 1.3 / pose.pixel_mm, 1.3 / pose.pixel_mm))
    wide = ndimage.gaussian_filter(small, (0, 4 / pose.pixel_mm, 4 / pose.pixel_mm))
    cup = near * rng.uniform(0.004, 0.016) + wide * rng.uniform(0.002, 0.008)
    hu += _grow(cup) * (depth > -1)


def _add_streaks(rng, hu, bone, depth) -> None:
    """Add dark and bright bands between dense bones at the skull base, and now and then rays from metal."""
    columns = np.arange(SIZE) - HALF_PIXELS
    low = len(hu) * 11 // 20  # toward the vertex the bone is thick too, but no dense pair casts bands
    for k in np.flatnonzero((bone[:low] > 300).mean((1, 2)) > 0.09):
        band = ndimage.gaussian_filter1d(rng.standard_normal(SIZE), rng.uniform(1, 4))
        band /= band.std()
        hu[k] += band[:, None] * rng.uniform(1, 6) * np.exp(-((columns / 45) ** 2)) * (depth[k] > -1)
    if rng.random() < 0.06:
        row, column = rng.uniform(40, 216, 2)
        y, x = np.mgrid[:SIZE, :SIZE]
        angle = np.arctan2(y - row, x - column)
        fan = np.sin(angle * rng.integers(6, 20) + rng.uniform(0, 6)) * 30 / (5 + np.hypot(y - row, x - column)) * 10
        first = rng.integers(0, len(hu))
        hu[first : first + 3] += fan * rng.uniform(0.3, 1)


def _add_objects(rng, hu, pose: Pose, settings: dict) -> None:
    """Add head holder, pillow, wires or hands, only where there was air."""
    y, x = (np.mgrid[:SIZE, :SIZE] - HALF_PIXELS) * pose.pixel_mm
    tissue = (hu > -300).any(0)
    rows = np.flatnonzero(tissue.any(1))
    lowest = (rows[-1] - HALF_PIXELS) * pose.pixel_mm if len(rows) else 100.0
    drawn = np.full((SIZE, SIZE), -1000.0, np.float32)
    settings["objects"] = names = []
    if rng.random() < 0.85:
        names.append("holder")
        radius, gap = rng.uniform(85, 150), rng.uniform(3, 25)
        ring = np.hypot(x - rng.uniform(-8, 8), y - (lowest + gap - radius))
        shell = (np.abs(ring - radius) < rng.uniform(0.8, 2.0)) & (y > lowest + gap - radius * rng.uniform(0.3, 1.0))
        drawn[shell] = rng.uniform(-300, 400)
        if rng.random() < 0.5:
            drawn[(ring < radius - 1.5) & (ring > radius - 14) & (y > lowest - 30) & ~shell] = rng.uniform(-960, -700)
    if rng.random() < 0.3:
        names.append("wires")
        for _ in range(rng.integers(1, 5)):
            angle, far = rng.uniform(0, 2 * np.pi), rng.uniform(70, 110)
            spot = np.hypot(x - far * np.cos(angle), y - far * np.sin(angle)) < rng.uniform(0.8, 3)
            drawn[spot] = rng.uniform(50, 2500)
    if rng.random() < 0.12:
        names.append("hand")
        angle, far = rng.uniform(0, 2 * np.pi), rng.uniform(85, 120)
        turn = rng.uniform(0, np.pi)
        dx, dy = x - far * np.cos(angle), y - far * np.sin(angle)
        along, across = dx * np.cos(turn) + dy * np.sin(turn), -dx * np.sin(turn) + dy * np.cos(turn)
        limb = np.hypot(along / rng.uniform(20, 45), across / rng.uniform(9, 18))
        drawn[limb < 1] = rng.uniform(-20, 60)
        drawn[limb < 0.35] = rng.uniform(300, 900)
    for k in range(len(hu)):
        np.copyto(hu[k], drawn, where=(hu[k] < -700) & (drawn > -999))
