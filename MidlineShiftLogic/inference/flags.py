"""Flag what a reader should beware of in a measurement, and refuse what makes it unreliable, with the reason."""

from __future__ import annotations

import numpy as np

from MidlineShiftLogic.errors import RefusedError
from MidlineShiftLogic.headct.head_shape import field_of_view
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.inference.outline import Outline
from MidlineShiftLogic.inference.pose import HeadPose
from MidlineShiftLogic.measurement.midline_curves import MidlineCurves
from MidlineShiftLogic.measurement.results import SliceMeasurement
from MidlineShiftLogic.measurement.shift_settings import ShiftSettings
from MidlineShiftLogic.measurement.uncertainty_features import field_map_disagreement_mm
from MidlineShiftLogic.quality import Quality
from MidlineShiftLogic.text import counted

CUT_OFF_SHARE = 0.5
"""Refused where an end of the falx is outside the picture on more than this share of the slices that count."""
PLANE_SPREAD_MM = 3.0
"""Above this scatter of the slices' own midlines about the head's plane, the plane is in doubt."""
FIELD_MAP_DISAGREEMENT_MM = 1.0
"""The displacement field and the distance maps should agree: they differ by more on about one phantom in a hundred."""
FEW_WINDOW_SLICES = 2
"""Slices around the septum that a case's number should rest on."""
LARGE_TURN_DEG = 35.0
"""The pose network was trained on heads turned by up to 46 degrees in the slice plane, few of them so far."""
BOTH_SIDES_MM = 3.0
"""A mass pushes the midline one way; slices of one head shifted by more than this to either side contradict each other."""
SMALL_FALX_MM = 125.0
"""Shorter from falx end to falx end than in nearly all heads of 2 years and more: sutures may be open, folds few."""
OPEN_DEG, OPEN_SLICES = 40.0, 3
"""A gap this wide is 5 cm or more of an adult's vault, more than sutures, burr holes and a flap's saw cuts."""
HERNIATION_MM, HERNIATION_SLICES = 20.0, 2
"""Skin over the gap that far outside the other side's: swollen scalp is thinner, so brain has left the skull."""
SMOOTH_VAULT_MM = 8.0
"""Above this height sinuses and ears no longer disturb the skull's outline."""
MOTION_MM, EXTREME_MOTION_MM = 2.5, 7.5
"""How far the skull's middle may be off its neighbours' line: half of what the head moved between two slices."""


def reject_unreliable(ct: HeadCT, curves: MidlineCurves, slices: list[SliceMeasurement], outline: Outline) -> None:
    """Refuse a scan whose slices show that no number could be trusted.

    Args:
        ct: the scan.
        curves, slices, outline: of the k measured slices, in one order.

    Raises:
        RefusedError: ``head-cut-off``, ``herniation`` or ``motion``.
    """
    cut = falx_outside(ct, slices)
    used = np.array([m.in_case_window for m in slices])
    used = used if used.any() else np.ones_like(used)
    if cut[used].mean() > CUT_OFF_SHARE:
        raise RefusedError(
            f"An end of the falx is outside the picture on {cut[used].sum()} of the {used.sum()} slices the number "
            "would come from; give a reconstruction with a larger field of view.",
            "head-cut-off",
        )
    bulge = outline.bulge_mm[outline.gap_deg > OPEN_DEG]
    if (bulge > HERNIATION_MM).sum() >= HERNIATION_SLICES:
        raise RefusedError(
            f"Brain seems to have left the skull through a gap: over it the head bulges by {bulge.max():.0f} mm; "
            "the distance from the ideal midline says little then.",
            "herniation",
        )
    jump = largest_jump_mm(ct, curves, outline)
    if jump > EXTREME_MOTION_MM:
        raise RefusedError(
            f"The head moved by about {2 * jump:.0f} mm between two slices; repeat the scan or give another series.",
            "motion",
        )


def quality_flags(
    ct: HeadCT,
    pose: HeadPose,
    curves: MidlineCurves,
    slices: list[SliceMeasurement],
    case: SliceMeasurement,
    outline: Outline,
    settings: ShiftSettings,
) -> list[Quality]:
    """Return the warnings about one measurement.

    Args:
        ct, curves, slices, outline: as of ``reject_unreliable``.
        pose: of the head.
        case: the slice that stands for the case.
        settings: of the shift computation.
    """
    flags = _anatomy_flags(ct, pose, curves, outline)
    cut = falx_outside(ct, slices)
    if cut.any() and not _raised(ct, "head-cut-off"):
        flags.append(
            Quality(
                "head-cut-off",
                "warning",
                f"An end of the falx is outside the picture on {cut.sum()} of {len(cut)} measured slices.",
            )
        )
    if pose.spread_mm > PLANE_SPREAD_MM:
        flags.append(
            Quality(
                "plane-spread",
                "warning",
                f"The slices' midlines scatter by {pose.spread_mm:.1f} mm about the midsagittal plane; look at the "
                "ideal midline before trusting the number.",
            )
        )
    turn = np.degrees(pose.angle)
    if abs(turn) > LARGE_TURN_DEG:
        flags.append(Quality("head-turned", "warning", f"The head is turned by {turn:.0f} degrees in the slice plane."))
    window = [m for m in slices if m.in_case_window]
    if len(window) < FEW_WINDOW_SLICES:
        flags.append(
            Quality(
                "few-septum-slices",
                "warning",
                f"Only {counted(len(window), 'slice')} at the height of the septum pellucidum can be measured; the case's number "
                "may come from another structure.",
            )
        )
    shifts = [m.signed_shift_mm for m in slices]
    if max(shifts) > BOTH_SIDES_MM and min(shifts) < -BOTH_SIDES_MM:
        flags.append(
            Quality(
                "inconsistent-side",
                "warning",
                f"Slices of this head are shifted from {-min(shifts):.1f} mm to the right to {max(shifts):.1f} mm to the left; "
                "look at all slices before trusting the number.",
            )
        )
    row = int(np.flatnonzero(curves.index == case.index)[0])
    difference = field_map_disagreement_mm(curves, row, settings)
    if difference > FIELD_MAP_DISAGREEMENT_MM:
        flags.append(
            Quality(
                "field-and-map-disagree",
                "warning",
                f"The displacement field and the midline map disagree by {difference:.1f} mm on the case's slice.",
            )
        )
    return flags


def _anatomy_flags(ct: HeadCT, pose: HeadPose, curves: MidlineCurves, outline: Outline) -> list[Quality]:
    flags = []
    gap = outline.gap_deg
    wide = gap > OPEN_DEG
    if wide.sum() >= OPEN_SLICES and not _raised(ct, "skull-open"):
        flags.append(
            Quality(
                "skull-open",
                "warning",
                f"Up to {gap.max():.0f} degrees of the vault are without bone on {wide.sum()} of {len(gap)} measured slices "
                "(a craniectomy, an infant); brain that bulges out takes the midline along.",
            )
        )
    if pose.falx_length_mm < SMALL_FALX_MM:
        flags.append(
            Quality(
                "small-head",
                "warning",
                f"From falx end to falx end this head measures {pose.falx_length_mm:.0f} mm, an infant's; such heads are "
                "measured less surely.",
            )
        )
    jump = largest_jump_mm(ct, curves, outline)
    if jump > MOTION_MM:
        flags.append(
            Quality(
                "motion",
                "warning",
                f"The head seems to have moved by about {2 * jump:.0f} mm between two slices; look at all slices.",
            )
        )
    return flags


def falx_outside(ct: HeadCT, slices: list[SliceMeasurement]) -> np.ndarray:
    """Mark the slices (k,) where an end of the falx is where nothing was scanned."""
    scanned = field_of_view(ct.hu, ct.hu)[1]
    limits = np.array(scanned.shape) - 1

    def outside(point: np.ndarray) -> bool:
        row, column = np.round(point[::-1]).astype(int)
        return not (0 <= row <= limits[0] and 0 <= column <= limits[1] and scanned[row, column])

    return np.array(
        [any(outside(m.landmarks_px[end]) for end in ("anterior_falx", "posterior_falx")) for m in slices], bool
    )


def largest_jump_mm(ct: HeadCT, curves: MidlineCurves, outline: Outline) -> float:
    """Compute how far at most the middle of a slice's skull is off the line between its neighbours', mm.

    A skull's outline changes smoothly from slice to slice; a head that moves by d between two of them puts both off by
    d / 2.

    Returns:
        mm; 0 with fewer than three slices of the vault.
    """
    vault = (curves.height > SMOOTH_VAULT_MM) & np.isfinite(outline.skull_centre).all(1)
    index = curves.index[vault]
    if len(index) < 3:
        return 0.0
    # patient millimetres along the picture's axes: slices may be shifted against each other (gantry tilt)
    start = np.stack([ct.origins[index] @ ct.column_axis, ct.origins[index] @ ct.row_axis], -1)
    middle, z = outline.skull_centre[vault] + start, ct.heights[index]
    share = ((z[1:-1] - z[:-2]) / (z[2:] - z[:-2]))[:, None]
    off = middle[1:-1] - (1 - share) * middle[:-2] - share * middle[2:]
    return float(np.linalg.norm(off, axis=1).max())


def _raised(ct: HeadCT, code: str) -> bool:
    """Return whether the checks on the scan have raised the flag already."""
    return any(flag.code == code for flag in ct.quality)
