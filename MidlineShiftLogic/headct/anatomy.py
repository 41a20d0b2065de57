"""Compare the anatomy in a scan with its header: which way is front and up, how large is the head, how dense the brain.

Left and right cannot be compared: a head is nearly symmetric. The limits were set on 61 CT of two hospitals, a tilted
series and 26 synthetic scans, of which none may be flagged; Testing/logic/headct/test_anatomy.py holds their margins.
"""

from __future__ import annotations

import numpy as np

from MidlineShiftLogic.headct.density import density_flags
from MidlineShiftLogic.headct.head_shape import HeadShape
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.headct.orientation import orientation_evidence
from MidlineShiftLogic.headct.slice_places import place_flags
from MidlineShiftLogic.quality import Quality

AIR_HU = -400.0
"""Air in sinuses, nose, ear and airway, averaged to 2 mm, is below; fat is above."""

MIN_AIR_ML = 3.0
"""Less air inside the head is no evidence: some exports are masked to the brain."""

AIR_WEIGHT, ENOUGH_AIR_ML = 2.5, 5.0
"""Evidence for each share of the head's length by which the centre of the air inside is in front of the head's middle:
nose, orbits and sinuses are in front by 0 to 0.3. Less air counts less."""

FRONT_EVIDENCE = (-0.2, -0.5)
"""Evidence of template and air together: warning, fatal. The scans have 0.24 to 2.5, their parts -0.11 and more, and
turned ones the same with a minus."""

UP_EVIDENCE, BOTH_EVIDENCE = -0.25, -0.4
"""Evidence of the template against the scan upside down, and turned about the axis through the ears: above 0.2 and 0.5
in the scans that show base and vertex."""

UPSIDE_DOWN_MM = 15.0
"""Sinuses and airway are below the brain's centre by more than this; above it by as much, the stack is upside down."""

TAPER_SHARE, VERTEX_MM = 0.25, 30.0
"""At the vertex the head tapers to less than at the base by this share of its largest area, and brain begins within this
distance of the last slice."""

MAX_HU = 40_000.0
"""The extended scale of metal ends at 30 710."""

ASPECT = (0.64, 1.08)
"""Width by length of the head in the picture: 0.71 to 1.0 in the scans, a turned head included."""

MAX_BRAIN_SPAN_MM = 180.0
"""From the lowest to the highest slice with brain: 55 to 142 mm in the scans."""

BRAIN_SPAN_SHARE = (0.34, 0.95)
"""The same by the head's mean diameter, where base and vertex were scanned: 0.38 to 0.85 in the scans."""


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


def anatomy_flags(ct: HeadCT, shape: HeadShape, diameter: float, complete: bool) -> list[Quality]:
    """Return what does not fit between the anatomy and the header.

    Args:
        ct: a scan with a head. shape: its coarse masks. diameter: mean of the head's width and length, mm.
        complete: whether base and vertex were scanned.
    """
    return [
        *_size_flags(ct, shape, diameter, complete),
        *place_flags(ct, shape),
        *density_flags(ct, shape),
        *_orientation_flags(ct, shape, complete),
    ]


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


def _size_flags(ct: HeadCT, shape: HeadShape, diameter: float, complete: bool) -> list[Quality]:
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
    low, high = (share * diameter for share in BRAIN_SPAN_SHARE)
    if span > MAX_BRAIN_SPAN_MM or (complete and not low <= span <= high):
        flags.append(
            Quality(
                "head-shape",
                "warning",
                f"The brain would be {span:.0f} mm high in a head of {diameter:.0f} mm, which is unusual: the slice spacing or "
                "the pixel size may be wrong; check them.",
            )
        )
    return flags


def _aspect(shape: HeadShape) -> float | None:
    """Return width by length of the head along the picture's axes, on the slices with most brain."""
    ratios = []
    for index in np.argsort(shape.brain_area)[-5:]:
        rows, columns = np.nonzero(shape.head[index])
        if len(rows) >= 10 and rows.std() > 0:
            ratios.append(columns.std() * shape.pixel[1] / (rows.std() * shape.pixel[0]))
    return float(np.median(ratios)) if ratios else None


def _orientation_flags(ct: HeadCT, shape: HeadShape, complete: bool) -> list[Quality]:
    evidence = orientation_evidence(ct.heights, shape)
    if evidence is None:
        return []
    millilitres, behind = air_behind_middle(shape)
    enough = min(1.0, millilitres * float(np.median(ct.thickness)) / ENOUGH_AIR_ML)
    front = evidence.front_back - AIR_WEIGHT * behind * enough
    if front < FRONT_EVIDENCE[0] and front <= min(evidence.upside_down, evidence.both):
        sure = front < FRONT_EVIDENCE[1] and (complete or behind * enough > 0)
        return [
            Quality(
                "front-back",
                "fatal" if sure else "warning",
                "Forehead, nose and sinuses seem to be at the back of the picture: the file seems to be turned front to "
                "back, so left and right may be wrong too; check its orientation, and export it again from the original "
                "DICOM images.",
            )
        ]
    air = _air_below_brain(ct, shape)
    template = evidence.upside_down < UP_EVIDENCE or evidence.both < BOTH_EVIDENCE
    if not (_tapers_downward(ct, shape, air) or (template and (air is None or air < UPSIDE_DOWN_MM))):
        return []
    return [
        Quality(
            "upside-down",
            "warning",
            "The base of the skull seems to be above the brain: the file seems to be upside down; "
            "check the orientation, left and right may be wrong too.",
        )
    ]


def _air_below_brain(ct: HeadCT, shape: HeadShape) -> float | None:
    """Return how many mm the centre of sinuses and airway is below that of the brain; None without enough air or brain."""
    air = shape.head & (shape.hu < AIR_HU)
    millilitres = air.sum() * shape.pixel_area * float(np.median(ct.thickness)) / 1000
    if millilitres < MIN_AIR_ML or not shape.brain.any():
        return None
    height = [np.average(ct.heights, weights=mask.sum(axis=(1, 2))) for mask in (shape.brain, air)]
    return float(height[0] - height[1])


def _tapers_downward(ct: HeadCT, shape: HeadShape, air: float | None) -> bool:
    """Return whether the head is smallest at the lowest slice, and air, or else the brain's place, shows the vertex there."""
    area, slices = shape.head.sum(axis=(1, 2)), shape.brain_slices
    if air is not None:
        return bool(air < -UPSIDE_DOWN_MM and area[0] < area[-1])
    if not len(slices):
        return False
    tapers = area[-1] - area[0] > TAPER_SHARE * area.max()
    return bool(tapers and ct.heights[slices[0]] - ct.heights[0] < VERTEX_MM)
