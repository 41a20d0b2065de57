"""Compare air, brain and brain's fluid with the Hounsfield units they have: a wrong rescale slope or intercept shows."""

from __future__ import annotations

import numpy as np

from MidlineShiftLogic.headct.head_shape import HeadShape
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.quality import Quality

BRAIN_HU, POSSIBLE_BRAIN_HU = (14.0, 56.0), (0.0, 70.0)
"""The most frequent value inside the skull: 20 (infants) to 51 in the scans. Beyond the second pair it is not brain."""

DARKEST_PERCENT, MAX_DARKEST_HU = 5.0, 36.0
"""Inside the skull the darkest twentieth is fluid or beside it: at most 31 in the scans."""

BELOW_TISSUE_HU = -500.0
"""Lower values are air or padding; fat is at -120."""

NOISY_AIR_HU, CUT_AIR_HU = (-1050.0, -945.0), (-1060.0, -795.0)
"""The most frequent value of air: -1000, with noise, 972 to 1012 in the scans; where it is one value only, as in scans
rebuilt from pictures and in cut ranges, -800 to -1024."""

CONSTANT_SHARE, PEAK_HU = 0.8, 50.0
"""Air is one value where this share of what is near its peak is the same."""

PADDING_HU = -1500.0
"""A constant floor below it is what writers put outside the field of view; air cannot be so by a wrong slope below 1.5."""

MIN_AIR_SHARE = 0.01
"""Less of the picture is no evidence."""


def brain_hu(shape: HeadShape) -> float:
    """Return the most frequent Hounsfield units inside the skull, NaN without brain."""
    if not shape.brain.any():
        return float("nan")
    return _most_frequent(shape.hu[shape.brain], -40.0, 170.0, 5)


def density_flags(ct: HeadCT, shape: HeadShape) -> list[Quality]:
    """Return at most one flag, ``hu-scale``, for brain or air that do not have their Hounsfield units."""
    brain = brain_hu(shape)
    if not np.isfinite(brain):
        return []
    if not BRAIN_HU[0] <= brain <= BRAIN_HU[1]:
        possible = POSSIBLE_BRAIN_HU[0] <= brain <= POSSIBLE_BRAIN_HU[1]
        return [_flag("warning" if possible else "fatal", f"Most of the brain measures {brain:.0f}", "20 to 50")]
    darkest = float(np.percentile(shape.hu[shape.brain], DARKEST_PERCENT))
    if darkest > MAX_DARKEST_HU:
        return [_flag("warning", f"The darkest parts of the brain measure {darkest:.0f}", "0 to 30")]
    air = _unlikely_air(ct)
    return [] if air is None else [_flag("warning", f"Air measures {air:.0f}", "-1000")]


def _flag(severity: str, found: str, expected: str) -> Quality:
    return Quality(
        "hu-scale",
        severity,
        f"{found} Hounsfield units instead of {expected}: the rescale slope or intercept may be wrong; check the values, "
        "or export the scan again.",
    )


def _unlikely_air(ct: HeadCT) -> float | None:
    """The most frequent value of air where it is not what air can have; None where it is, or where there is no air."""
    step = max(1, int(np.sqrt(ct.hu.size / 1e6)))
    values = ct.hu[:, ::step, ::step].ravel()
    air = values[values < BELOW_TISSUE_HU]
    if len(air) < MIN_AIR_SHARE * len(values):
        return None
    peak, constant = _air_peak(air)
    if constant and peak < PADDING_HU:
        air = air[air != peak]
        if len(air) < MIN_AIR_SHARE * len(values):
            return None
        peak, constant = _air_peak(air)
    low, high = CUT_AIR_HU if constant else NOISY_AIR_HU
    return None if low <= peak <= high else peak


def _air_peak(air: np.ndarray) -> tuple[float, bool]:
    """Return the most frequent value, and whether it is one value rather than a peak."""
    middle = _most_frequent(air, min(float(air.min()), -2000.0) - 5, BELOW_TISSUE_HU, 11)
    values, counts = np.unique(air[np.abs(air - middle) < PEAK_HU], return_counts=True)
    if counts.max() >= CONSTANT_SHARE * counts.sum():
        return float(values[counts.argmax()]), True
    return middle, False


def _most_frequent(values: np.ndarray, low: float, high: float, width: int) -> float:
    """Return the middle of the ``width`` Hounsfield units that hold most values."""
    edges = np.arange(low, high + 1)
    counts = np.histogram(values, edges)[0]
    return float(edges[np.convolve(counts, np.ones(width), "same").argmax()] + 0.5)
