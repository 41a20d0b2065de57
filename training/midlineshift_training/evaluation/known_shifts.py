"""Known midline shifts warped into a real, unshifted scan: does the measured shift follow them?

In every slice tissue is pushed along the in-plane normal of the midsagittal plane, by

    d(x, f, h) = a * hump(f) * fade(h) * cos^2(pi x / 2 L(f)),   |x| < L(f)

with x the distance from the ideal midline toward the patient's left, f the fraction of the way from the anterior to the
posterior falx attachment, h the height in the head, and L the distance to the inner table of the skull. It is zero at
the attachments and from the inner table outward, so bone and scalp stay. On the midline it is a * hump, whose mean over
the model's septum window is 1: the amplitude ``a`` is the shift that should be measured on top of the scan's own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np
from scipy import ndimage

from midlineshift_training.evaluation import bootstrap
from MidlineShiftLogic.geometry import lines
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.masks import largest_component
from MidlineShiftLogic.measurement.deviation import FRACTIONS
from MidlineShiftLogic.measurement.results import Measurement
from MidlineShiftLogic.measurement.shift_settings import ShiftSettings

AMPLITUDES_MM = (3.0, 15.0)
# hump(f) = sin^2(pi f^p) has its top at the middle of the septum pellucidum, f = 0.38.
HUMP_POWER = np.log(0.5) / np.log(0.38)
# Beyond the heights of the septum the push fades to nothing over this distance.
FADE_MM = 30.0
BONE_HU = 300.0
# The skull is looked for from here outward: what is denser nearer to the midline is calcified falx.
NEAREST_TABLE_MM, FARTHEST_TABLE_MM = 8.0, 110.0
RAY_STEP_MM = 0.5
# Tissue is squeezed to no less than a fifth of its width: steeper pushes are lowered (near the ends of the falx only).
STEEPEST = 0.8
INVERSION_STEPS = 40


@dataclass(frozen=True)
class MidlineCourse:
    """The ideal midline in every slice of a scan, measured or not.

    Attributes:
        angle: radians; the unit normal (cos, sin) in (column, row) points to the patient's left.
        offset: (slice,) plane mm of the line along the normal.
        anterior, posterior: (slice,) plane mm of the falx attachments along the line, growing toward posterior.
        height: (slice,) mm above the anterior-commissure level.
    """

    angle: float
    offset: np.ndarray
    anterior: np.ndarray
    posterior: np.ndarray
    height: np.ndarray

    def place(self, index: int, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Convert plane mm (..., 2) to distance from the midline (mm, positive left) and fraction along it."""
        x = points @ lines.normal(self.angle) - self.offset[index]
        along = points @ lines.direction(self.angle)
        return x, (along - self.anterior[index]) / (self.posterior[index] - self.anterior[index])

    def point(self, index: int, x: np.ndarray, fraction: np.ndarray) -> np.ndarray:
        """Convert distance from the midline and fraction along it to plane mm (..., 2)."""
        along = self.anterior[index] + fraction * (self.posterior[index] - self.anterior[index])
        n, u = lines.normal(self.angle), lines.direction(self.angle)
        return (self.offset[index] + x)[..., None] * n + along[..., None] * u


def midline_course(ct: HeadCT, measurement: Measurement) -> MidlineCourse:
    """Return the ideal midline of all slices from the measured ones: one angle, offset and height linear along the head."""
    row_mm, column_mm = ct.pixel_spacing
    z, measured = ct.heights, measurement.slices
    ends = np.stack([[m.landmarks_px[name] for m in measured] for name in ("anterior_falx", "posterior_falx")], 1)
    ends = ends * (column_mm, row_mm)
    angle = float(np.median(lines.line_through(ends[:, 0], ends[:, 1])[0]))
    known_z = np.array([m.z_mm for m in measured])
    offset = np.polyfit(known_z, ends.mean(1) @ lines.normal(angle), 1)
    height = np.polyfit(known_z, [m.height_mm for m in measured], 1)
    along = ends @ lines.direction(angle)
    return MidlineCourse(
        angle=angle,
        offset=np.polyval(offset, z),
        anterior=np.interp(z, known_z, along[:, 0]),
        posterior=np.interp(z, known_z, along[:, 1]),
        height=np.polyval(height, z),
    )


def hump(fraction: np.ndarray, septum: tuple[float, float]) -> np.ndarray:
    """Push along the midline, 0 at both attachments and beyond; mean 1 over the measured points in ``septum``."""

    def raw(f: np.ndarray) -> np.ndarray:
        return np.sin(np.pi * np.clip(f, 0, 1) ** HUMP_POWER) ** 2

    at_septum = FRACTIONS[(septum[0] <= FRACTIONS) & (septum[1] >= FRACTIONS)]
    return raw(np.asarray(fraction, float)) / raw(at_septum).mean()


def fade(height: np.ndarray, window_mm: tuple[float, float]) -> np.ndarray:
    """Push over the heights: 1 in the window of the slices that may stand for the case, cos^2 to 0 beyond."""
    beyond = np.maximum(window_mm[0] - height, height - window_mm[1])
    return np.cos(np.pi / 2 * np.clip(beyond / FADE_MM, 0, 1)) ** 2


def inner_table(ct: HeadCT, course: MidlineCourse) -> np.ndarray:
    """Return (slice, len(nodes), 2) mm from the midline to the skull on the patient's right and left, at fractions 0 .. 1.

    Where a ray leaves through a gap of the skull, the slice's usual distance is taken, else the head's.
    """
    skull = largest_component(ct.hu > BONE_HU)
    row_mm, column_mm = ct.pixel_spacing
    nodes = np.linspace(0, 1, 51)
    far = np.arange(NEAREST_TABLE_MM, FARTHEST_TABLE_MM, RAY_STEP_MM)
    x, fraction = np.broadcast_arrays(np.stack([-far, far])[None], nodes[:, None, None])
    reach = np.full((ct.n_slices, len(nodes), 2), np.nan)
    for k in range(ct.n_slices):
        points = course.point(k, x, fraction) / (column_mm, row_mm)
        hit = ndimage.map_coordinates(skull[k], [points[..., 1], points[..., 0]], order=0, mode="constant", cval=False)
        reach[k] = np.where(hit.any(-1), far[hit.argmax(-1)], np.nan)
        # at the ends of the falx the ray starts in the bone: there is nothing to push
        reach[k][hit[..., 0]] = 0.0
    usual = np.nanmedian(reach) if np.isfinite(reach).any() else 65.0
    for one in reach:
        one[~np.isfinite(one)] = np.nanmedian(one) if np.isfinite(one).any() else usual
    # smooth along the midline, and never outside the table
    lowest = ndimage.minimum_filter1d(reach, 5, axis=1)
    return np.maximum(np.minimum(ndimage.gaussian_filter1d(lowest, 1.5, axis=1), reach) - RAY_STEP_MM, 0.0)


@dataclass(frozen=True)
class KnownShift:
    """A smooth push of the brain toward one side, ready to be applied to its scan.

    Attributes:
        course: ideal midline of the scan. reach: see ``inner_table``.
        amplitude_mm: at the septum, positive toward the patient's left.
        settings: of the shift computation whose rule the amplitude follows.
    """

    course: MidlineCourse
    reach: np.ndarray
    amplitude_mm: float
    settings: ShiftSettings

    def on_midline(self, index: int, fraction: np.ndarray) -> np.ndarray:
        """Push (mm, signed) of the midline of a slice at fractions of its length."""
        size = abs(self.amplitude_mm) * hump(fraction, self.settings.septum)
        size = size * fade(self.course.height[index], self.settings.window_mm)
        steepest = STEEPEST * 2 / np.pi * self._reach(index, fraction).min(-1)
        return np.sign(self.amplitude_mm) * np.minimum(size, steepest)

    def _reach(self, index: int, fraction: np.ndarray) -> np.ndarray:
        nodes = np.linspace(0, 1, self.reach.shape[1])
        return np.stack([np.interp(fraction, nodes, side) for side in self.reach[index].T], -1)

    def at_septum(self, index: int) -> float:
        """Push of a slice by the model's rule: the mean over the septum window, mm, signed."""
        s = self.settings.septum
        return float(self.on_midline(index, FRACTIONS[(s[0] <= FRACTIONS) & (s[1] >= FRACTIONS)]).mean())

    def origin(self, index: int, points: np.ndarray) -> np.ndarray:
        """Return where the tissue that is now at ``points`` (..., 2) plane mm came from, plane mm.

        The push x -> x + d(x) is inverted by fixed-point iteration; |d'| <= ``STEEPEST`` makes it contract.
        """
        here, fraction = self.course.place(index, points)
        push, reach = self.on_midline(index, fraction), self._reach(index, fraction)
        inside = (push != 0) & (here > -reach[..., 0]) & (here < reach[..., 1])
        target, a, (right, left) = here[inside], push[inside], reach[inside].T
        x = target.copy()
        for _ in range(INVERSION_STEPS):
            share = np.clip(x / np.where(x < 0, right, left), -1, 1)
            x = target - a * np.cos(np.pi / 2 * share) ** 2
        moved = np.array(points, float)
        moved[inside] += (x - target)[:, None] * lines.normal(self.course.angle)
        return moved

    def apply(self, ct: HeadCT) -> HeadCT:
        """Return the scan with the push in it, linear interpolation; pixels that do not move keep their values."""
        row_mm, column_mm = ct.pixel_spacing
        rows, columns = ct.hu.shape[1:]
        plane = np.stack(np.meshgrid(np.arange(columns) * column_mm, np.arange(rows) * row_mm), -1)
        hu = np.array(ct.hu, dtype=np.float32)
        for k in range(ct.n_slices):
            source = self.origin(k, plane)
            moved = (source != plane).any(-1)
            if moved.any():
                at = source[moved] / (column_mm, row_mm)
                hu[k][moved] = ndimage.map_coordinates(ct.hu[k], at.T[::-1], order=1, mode="nearest")
        return replace(ct, hu=hu)


def known_shift(ct: HeadCT, measurement: Measurement, amplitude_mm: float, settings: ShiftSettings) -> KnownShift:
    """Make the push of ``amplitude_mm`` for a scan whose midline is known from its measurement."""
    course = midline_course(ct, measurement)
    return KnownShift(course, inner_table(ct, course), amplitude_mm, settings)


def amplitudes(case: str, count: int, seed: int) -> list[float]:
    """Draw the signed amplitudes of a case, mm: sizes spread evenly over ``AMPLITUDES_MM``, sides in turn; seeded by the name."""
    rng = np.random.default_rng([seed, crc32(case.encode())])
    low, high = AMPLITUDES_MM
    sizes = low + (high - low) * (np.arange(count) + rng.uniform(size=count)) / count
    return list(sizes * (-1.0) ** (np.arange(count) + rng.integers(2)))


def summarise_known_shifts(rows: list[dict], seed: int = 0) -> dict:
    """Sum up how well measured shifts follow known ones.

    Args:
        rows: ``case``, ``amplitude_mm``, ``change_mm`` (shift of the warped minus that of the scan as it is; None if
            the warped scan was refused).

    Returns:
        ``warps``, ``refused``, ``cases``; over those measured: ``slope`` of change on amplitude, ``mae`` and ``bias``
        (of the change, toward the known side), intervals by bootstrap over scans.
    """
    done = [row for row in rows if row["change_mm"] is not None]
    result = {"warps": len(rows), "refused": len(rows) - len(done), "cases": len({row["case"] for row in rows})}
    if len(done) < 2:
        return result
    amplitude, change = (np.array([row[key] for row in done]) for key in ("amplitude_mm", "change_mm"))
    weights = bootstrap.draw_weights(np.array([row["case"] for row in done]), seed)
    toward = (change - amplitude) * np.sign(amplitude)
    return result | {
        "slope": bootstrap.interval(bootstrap.slope(weights, amplitude, change)),
        "mae": bootstrap.interval(bootstrap.mean(weights, np.abs(change - amplitude))),
        "bias": bootstrap.interval(bootstrap.mean(weights, toward)),
    }
