"""Check whether a scan may be measured. Every check is a code, a severity and a sentence; none raises."""

from __future__ import annotations

import numpy as np

from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.quality import Quality

FINE_PIXEL_MM, COARSE_PIXEL_MM, TOO_COARSE_PIXEL_MM = 0.2, 1.5, 2.5
"""Head CT has 0.35 to 0.6 mm (a FOV of 180 to 300 mm on 512 pixels). Above 2.5 mm a shift of 5 mm is two pixels."""

SQUARE_RATIO = 1.05
"""Ratio of row to column spacing: scanners reconstruct square pixels; rounding and resampling change them by less."""

MAX_ANISOTROPY = 2.5
"""Ratio of row to column spacing: beyond it the picture was cut from thick sagittal or coronal slices."""

THICK_STEP_MM = 10.5
"""Slices further apart than this miss the septum between two of them."""

MIN_BRAIN_SLICES, MIN_BRAIN_MM = 6, 40.0
"""Fewer do not show the brain from the third ventricle to above the septum, so the largest shift may be missed."""

WIDTH_MM, LENGTH_MM = (95.0, 215.0), (110.0, 255.0)
"""Heads from infants to adults, skin to skin, bandages included: 132 to 195 and 150 to 245 mm in the scans."""

ABSURD_WIDTH_MM, ABSURD_LENGTH_MM = (60.0, 280.0), (70.0, 320.0)
"""No head measures so: the voxel size is wrong, or it is another part of the body."""

EDGE_CONTACT_MM = 30.0
"""Skin along the picture's edge for longer than this, in one brain slice, is worth a look."""

BRAIN_CUT_MM, BRAIN_CUT_SLICES = 60.0, 3
"""A straight cut of 60 mm through a skull of 70 mm radius takes off 6 mm of brain; in three slices it is no accident."""

TOP_SHARE, BOTTOM_SHARE = 0.45, 0.75
"""Brain area of the last and first slice against the largest: above them the vertex or the base was not scanned."""

TOP_HEAD_SHARE = 0.7
"""Head area of the last slice against the largest, for scans that end where the brain is not found by its skull; scans
that reach the vertex end below 0.6."""


def check(ct: HeadCT) -> tuple[Quality, ...]:
    """Run all checks on a scan. The flags raised while loading are in ``ct.quality`` and are not repeated here.

    Args:
        ct: any scan.

    Returns:
        Flags, the fatal ones first; a scan with a fatal flag must not be measured. Never raises: a scan on which the
        checks themselves fail is flagged fatal ``"check-failed"``.
    """
    try:
        flags = _all_flags(ct)
    except Exception as error:  # a scan strange enough to break the checks must be refused, not crash the caller
        flags = [
            Quality(
                "check-failed",
                "fatal",
                f"The scan is too unusual to be checked ({type(error).__name__}: {error}); please report it.",
            )
        ]
    return tuple(sorted(flags, key=lambda flag: flag.severity != "fatal"))


def _all_flags(ct: HeadCT) -> list[Quality]:
    flags = _geometry_flags(ct)
    if any(flag.severity == "fatal" for flag in flags):
        return flags
    from MidlineShiftLogic.headct.anatomy import range_flags
    from MidlineShiftLogic.headct.intensity import intensity_flags

    flags += range_flags(ct) or intensity_flags(ct)
    if any(flag.severity == "fatal" for flag in flags):
        # Head and brain are found by their Hounsfield units; further sentences would be noise.
        return flags
    from MidlineShiftLogic.headct.head_shape import head_shape

    shape = head_shape(ct)
    return flags + _undefined_flags(ct) + _head_flags(ct, shape)


def _geometry_flags(ct: HeadCT) -> list[Quality]:
    numbers = [*ct.pixel_spacing, *np.ravel(ct.origins), *ct.column_axis, *ct.row_axis]
    if not np.isfinite(numbers).all() or min(ct.pixel_spacing) <= 0:
        return [
            Quality(
                "spacing",
                "fatal",
                f"The pixel size ({_mm(ct.pixel_spacing)}) or a slice position is not a usable number; "
                "export the scan again from the original DICOM images.",
            )
        ]
    flags = []
    low, high = min(ct.pixel_spacing), max(ct.pixel_spacing)
    if high / low > MAX_ANISOTROPY:
        flags.append(
            Quality(
                "not-axial",
                "fatal",
                f"The pixels of an axial slice would measure {_mm(ct.pixel_spacing)}: the scan consists of thick sagittal "
                "or coronal slices, which cannot be cut axially; give an axial series.",
            )
        )
    elif high > TOO_COARSE_PIXEL_MM:
        flags.append(
            Quality(
                "too-coarse",
                "fatal",
                f"The pixels measure {_mm(ct.pixel_spacing)}; above {TOO_COARSE_PIXEL_MM} mm no shift can be measured. "
                "Give the scan at its original resolution.",
            )
        )
    elif high / low > SQUARE_RATIO:
        flags.append(
            Quality(
                "spacing",
                "warning",
                f"The pixels are not square ({_mm(ct.pixel_spacing)}), which scanners never make; "
                "check the voxel size, since every millimetre measured depends on it.",
            )
        )
    elif high > COARSE_PIXEL_MM or low < FINE_PIXEL_MM:
        flags.append(
            Quality(
                "spacing",
                "warning",
                f"The pixel size ({_mm(ct.pixel_spacing)}) is unusual for a head CT; "
                "check it, since every millimetre measured depends on it.",
            )
        )
    if ct.n_slices > 1:
        steps = np.diff(ct.heights)
        if (steps <= 0).any():
            flags.append(
                Quality(
                    "slice-order",
                    "fatal",
                    "The slices do not rise one above the other; export the scan again from the original DICOM images.",
                )
            )
        elif np.median(steps) > THICK_STEP_MM:
            flags.append(
                Quality(
                    "thick-slices",
                    "warning",
                    f"The slices are {np.median(steps):.1f} mm apart; the largest shift may be between two of them.",
                )
            )
    return flags


def _undefined_flags(ct: HeadCT) -> list[Quality]:
    """Flag undefined values that loading could not explain as padding."""
    undefined = int((~np.isfinite(ct.hu)).sum())
    if not undefined:
        return []
    return [
        Quality(
            "hu-nan",
            "fatal",
            f"{undefined} values inside the picture are undefined (NaN or infinite); export the scan again.",
        )
    ]


def _head_flags(ct: HeadCT, shape) -> list[Quality]:
    from MidlineShiftLogic.headct.anatomy import anatomy_flags

    size = _head_size(shape)
    if size is None:
        return [Quality("no-head", "fatal", "No head was found in the scan; choose the head series.")]
    width, length = size
    measured = f"The head measures about {width:.0f} mm across and {length:.0f} mm from front to back"
    if not (_within(width, ABSURD_WIDTH_MM) and _within(length, ABSURD_LENGTH_MM)):
        return [
            Quality(
                "head-size",
                "fatal",
                f"{measured}, which no head does: the voxel size is wrong or this is not a head; "
                "check the spacing, or choose the head series.",
            )
        ]
    flags = _coverage_flags(ct, shape)
    if not (_within(width, WIDTH_MM) and _within(length, LENGTH_MM)):
        flags.append(
            Quality("head-size", "warning", f"{measured}, which is unusual; check the voxel size, all mm depend on it.")
        )
    if any(flag.severity == "fatal" for flag in flags):
        return flags
    if not shape.skull_closed:
        flags.append(
            Quality(
                "skull-open",
                "warning",
                "The skull does not enclose the brain on many slices (an infant, a craniectomy, or a damaged scan); look.",
            )
        )
    complete = not any(flag.code == "incomplete-coverage" for flag in flags)
    return flags + _edge_flags(shape) + anatomy_flags(ct, shape, (width + length) / 2, complete)


def _head_size(shape) -> tuple[float, float] | None:
    """(short, long) axis in mm of the ellipse with the head's spread, on the slices with most brain (or, without any,
    most head): robust against ears, hands, tubes and a turned head. None without a head."""
    area = shape.brain_area if shape.brain_area.max(initial=0) > 0 else shape.head.sum(axis=(1, 2))
    if not shape.head.any() or shape.head.sum(axis=(1, 2)).max() * shape.pixel_area < 500:
        return None
    sizes = []
    for index in np.argsort(area)[-5:]:
        rows, columns = np.nonzero(shape.head[index])
        if len(rows) < 10:
            continue
        spread = np.linalg.eigvalsh(np.cov(np.stack([rows * shape.pixel[0], columns * shape.pixel[1]])))
        sizes.append(4 * np.sqrt(spread))
    return tuple(np.median(sizes, axis=0)) if sizes else None


def _coverage_flags(ct: HeadCT, shape) -> list[Quality]:
    """Check that there is enough brain, and both its ends."""
    slices = shape.brain_slices
    span = float(np.ptp(ct.heights[slices]) + ct.thickness[slices].mean()) if len(slices) else 0.0
    if len(slices) < MIN_BRAIN_SLICES or span < MIN_BRAIN_MM:
        seen = f"only {len(slices)} of {ct.n_slices} slices show brain ({span:.0f} mm)"
        advice = (
            "give the folder with the whole series" if ct.n_slices < MIN_BRAIN_SLICES else "give a complete head CT"
        )
        return [
            Quality(
                "too-few-slices",
                "fatal",
                f"Too little of the brain: {seen}, at least {MIN_BRAIN_SLICES} slices over {MIN_BRAIN_MM:.0f} mm are "
                f"needed; {advice}.",
            )
        ]
    brain, head = shape.brain_area, shape.head.sum(axis=(1, 2))
    missing = []
    if brain[-1] > TOP_SHARE * brain.max() or head[-1] > TOP_HEAD_SHARE * head.max():
        missing.append("vertex")
    if brain[0] > BOTTOM_SHARE * brain.max():
        missing.append("base")
    if not missing:
        return []
    return [
        Quality(
            "incomplete-coverage",
            "warning",
            f"The scan does not reach the {' and the '.join(missing)} of the skull; "
            "the largest shift could be outside what was scanned.",
        )
    ]


def _edge_flags(shape) -> list[Quality]:
    """Check whether part of the head is outside the picture."""
    from MidlineShiftLogic.headct.head_shape import OUTSIDE_MM

    slices = shape.brain_slices
    brain_cut = shape.edge_contact(shape.brain, OUTSIDE_MM)[slices]
    if (brain_cut > BRAIN_CUT_MM).sum() >= BRAIN_CUT_SLICES:
        return [
            Quality(
                "head-cut-off",
                "fatal",
                f"The brain itself is cut off at the edge of the picture over up to {brain_cut.max():.0f} mm on "
                f"{(brain_cut > BRAIN_CUT_MM).sum()} slices; give a reconstruction with a larger field of view.",
            )
        ]
    contact = shape.edge_contact(shape.head)[slices]
    if contact.max() > EDGE_CONTACT_MM:
        return [
            Quality(
                "head-cut-off",
                "warning",
                f"The head touches the edge of the picture over up to {contact.max():.0f} mm on "
                f"{(contact > EDGE_CONTACT_MM).sum()} of {len(slices)} brain slices; look whether skull is missing there.",
            )
        ]
    return []


def _within(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]


def _mm(spacing: tuple[float, float]) -> str:
    return f"{spacing[0]:.3g} x {spacing[1]:.3g} mm"
