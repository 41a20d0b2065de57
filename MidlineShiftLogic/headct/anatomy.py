"""Compare the anatomy in a scan with its header: which way is front and up, how large is the head, how dense the brain.

Left and right cannot be compared: a head is nearly symmetric. The limits were set on 61 CT of two hospitals, a tilted
series and 22 synthetic scans, of which none may be flagged; Testing/logic/headct/test_anatomy.py holds their margins.
"""

from __future__ import annotations

import numpy as np

from MidlineShiftLogic.headct.head_shape import HeadShape
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.quality import Quality

AIR_HU = -400.0
"""Air in sinuses, nose, ear and airway, averaged to 2 mm, is below; fat is above."""

MIN_AIR_ML = 3.0
"""Less air inside the head is no evidence: some exports are masked to the brain."""

FRONT_SHARE = (0.08, 0.14)
"""Centre of the air inside the head, as a share of the head's length behind its middle: warning, fatal. Nose, orbits and
sinuses are in front: the scans have -0.29 to 0.01, of the ears alone about 0."""

UPSIDE_DOWN_MM = 15.0
"""Sinuses and airway are below the brain's centre; above it by this much, the stack is upside down."""

TAPER_SHARE, VERTEX_MM = 0.25, 30.0
"""At the vertex the head tapers to less than at the base by this share of its largest area, and brain begins within this
distance of the last slice."""

BRAIN_HU, POSSIBLE_BRAIN_HU = (14.0, 56.0), (0.0, 70.0)
"""The most frequent value inside the skull: 20 (infants) to 51 in the scans. Beyond the second pair it is not brain."""

AIR_RANGE_HU, MIN_AIR_SHARE = (-1100.0, -780.0), 0.001
"""Air is at -1000; scans rebuilt from pictures stop at -900 or -800."""

MAX_HU = 40_000.0
"""The extended scale of metal ends at 30 710."""

ASPECT = (0.64, 1.08)
"""Width by length of the head in the picture: 0.71 to 1.0 in the scans, a turned head included."""

MAX_BRAIN_SPAN_MM = 180.0
"""From the lowest to the highest slice with brain: 55 to 142 mm in the scans."""


def range_flags(ct: HeadCT) -> list[Quality]:
    """Return a fatal flag for values that no scanner writes."""
    finite = ct.hu[np.isfinite(ct.hu)]
    extreme = int((np.abs(finite) > MAX_HU).sum())
    if not extreme:
        return []
    return [
        Quality(
            "hu-range",
            "fatal",
            f"{extreme} values are beyond {MAX_HU:.0f}, which are no Hounsfield units; export the scan again.",
        )
    ]


def anatomy_flags(ct: HeadCT, shape: HeadShape) -> list[Quality]:
    """Return what does not fit between the anatomy and the header.

    Args:
        ct: a scan with a head. shape: its coarse masks.
    """
    return [*_size_flags(ct, shape), *_density_flags(ct, shape), *_front_flags(ct, shape), *_up_flags(ct, shape)]


def brain_hu(shape: HeadShape) -> float:
    """Return the most frequent Hounsfield units inside the skull, NaN without brain."""
    if not shape.brain.any():
        return float("nan")
    edges = np.arange(-40.0, 171.0)
    counts = np.histogram(shape.hu[shape.brain], edges)[0]
    return float(edges[np.convolve(counts, np.ones(5), "same").argmax()] + 0.5)


def air_behind_middle(shape: HeadShape) -> tuple[float, float]:
    """Return (ml of air inside the head per mm of slice thickness, how far behind the middle its centre is).

    The second value is a share of the head's length, slice by slice; negative in front.
    """
    air = shape.head & (shape.hu < AIR_HU)
    area = shape.head.sum(axis=(1, 2))
    total = weighted = 0.0
    for index in np.flatnonzero(area > 0.4 * area.max(initial=1)):
        rows = np.flatnonzero(shape.head[index].sum(axis=1) * shape.pixel[1] > 5)
        if len(rows) < 10:
            continue
        middle, length = (rows[0] + rows[-1]) / 2, rows[-1] - rows[0]
        per_row = air[index].sum(axis=1)
        total += per_row.sum()
        weighted += (per_row * (np.arange(len(per_row)) - middle)).sum() / length
    return total * shape.pixel_area / 1000, weighted / total if total else 0.0


def _size_flags(ct: HeadCT, shape: HeadShape) -> list[Quality]:
    flags = []
    aspect = _aspect(shape)
    if aspect is not None and not ASPECT[0] <= aspect <= ASPECT[1]:
        flags.append(
            Quality(
                "head-shape",
                "warning",
                f"The head is {aspect:.2f} times as wide as long in the picture, which is unusual: row and column spacing "
                "may be wrong, or the head is turned; check the voxel size.",
            )
        )
    slices = shape.brain_slices
    span = float(np.ptp(ct.heights[slices])) if len(slices) else 0.0
    if span > MAX_BRAIN_SPAN_MM:
        flags.append(
            Quality(
                "head-shape",
                "warning",
                f"The brain would be {span:.0f} mm high, which is unusual: the slice spacing may be wrong; check it.",
            )
        )
    return flags


def _aspect(shape: HeadShape) -> float | None:
    """Width by length of the head along the picture's axes, on the slices with most brain."""
    ratios = []
    for index in np.argsort(shape.brain_area)[-5:]:
        rows, columns = np.nonzero(shape.head[index])
        if len(rows) >= 10 and rows.std() > 0:
            ratios.append(columns.std() * shape.pixel[1] / (rows.std() * shape.pixel[0]))
    return float(np.median(ratios)) if ratios else None


def _density_flags(ct: HeadCT, shape: HeadShape) -> list[Quality]:
    brain = brain_hu(shape)
    if not np.isfinite(brain):
        return []
    if not BRAIN_HU[0] <= brain <= BRAIN_HU[1]:
        possible = POSSIBLE_BRAIN_HU[0] <= brain <= POSSIBLE_BRAIN_HU[1]
        return [
            Quality(
                "hu-scale",
                "warning" if possible else "fatal",
                f"Most of the brain measures {brain:.0f} Hounsfield units instead of 20 to 50: the rescale slope or intercept "
                "may be wrong; check the values, or export the scan again.",
            )
        ]
    step = max(1, int(np.sqrt(ct.hu.size / 1e6)))
    values = ct.hu[:, ::step, ::step].ravel()
    lowest = float(np.nanmin(values))
    thin = values[(values < AIR_RANGE_HU[1]) & ((values > lowest) | (lowest > AIR_RANGE_HU[0]))]
    # A constant floor below air is padding, and may have replaced all air.
    if len(thin) > MIN_AIR_SHARE * len(values) and (thin > AIR_RANGE_HU[0]).sum() < MIN_AIR_SHARE * len(values):
        return [
            Quality(
                "hu-scale",
                "warning",
                "No values near -1000 (air) were found: the rescale slope or intercept may be wrong; check the values.",
            )
        ]
    return []


def _front_flags(ct: HeadCT, shape: HeadShape) -> list[Quality]:
    millilitres, behind = air_behind_middle(shape)
    if millilitres * float(np.median(ct.thickness)) < MIN_AIR_ML or behind < FRONT_SHARE[0]:
        return []
    return [
        Quality(
            "front-back",
            "fatal" if behind >= FRONT_SHARE[1] else "warning",
            "Nose and sinuses are at the back of the picture: the file seems to be turned front to back, so left and right "
            "may be wrong too; check its orientation, and export it again from the original DICOM images.",
        )
    ]


def _up_flags(ct: HeadCT, shape: HeadShape) -> list[Quality]:
    air = shape.head & (shape.hu < AIR_HU)
    area = shape.head.sum(axis=(1, 2))
    heights = ct.heights
    slices = shape.brain_slices
    enough = air.sum() * shape.pixel_area * float(np.median(ct.thickness)) / 1000 >= MIN_AIR_ML
    upside_down = False
    if enough and shape.brain.any():
        air_height = np.average(heights, weights=air.sum(axis=(1, 2)))
        brain_height = np.average(heights, weights=shape.brain.sum(axis=(1, 2)))
        upside_down = bool(air_height > brain_height + UPSIDE_DOWN_MM and area[0] < area[-1])
    elif len(slices):
        tapers = area[-1] - area[0] > TAPER_SHARE * area.max()
        upside_down = bool(tapers and heights[slices[0]] - heights[0] < VERTEX_MM)
    if not upside_down:
        return []
    return [
        Quality(
            "upside-down",
            "warning",
            "The sinuses, or the broad end of the head, are above the brain: the file seems to be upside down; "
            "check the orientation, left and right may be wrong too.",
        )
    ]
