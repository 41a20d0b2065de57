"""Heads drawn with one thing wrong are refused or flagged for that reason, and a whole one is not."""

from dataclasses import replace

import numpy as np
import pytest
from heads import SIZE

from MidlineShiftLogic.errors import RefusedError
from MidlineShiftLogic.geometry.frame import Frame
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.inference.flags import falx_outside, largest_jump_mm, quality_flags, reject_unreliable
from MidlineShiftLogic.inference.outline import trace
from MidlineShiftLogic.inference.pose import HeadPose
from MidlineShiftLogic.measurement.deviation import FRACTIONS
from MidlineShiftLogic.measurement.midline_curves import MidlineCurves
from MidlineShiftLogic.measurement.results import SliceMeasurement
from MidlineShiftLogic.measurement.shift_settings import ShiftSettings
from MidlineShiftLogic.quality import Quality

SLICES, STEP_MM, ROW_MM, COLUMN_MM = 12, 5.0, 1.0, 0.9
ROWS, COLUMNS = 230, 220
MIDDLE = np.array([99.0, 115.0])
"""Plane mm (column, row) of the head's middle."""


def drawn(gap_deg=0.0, bulge_mm=0.0, moved_mm=0.0, moved_from=7, angle=0.0, cloth=False) -> HeadCT:
    """Elliptic heads; a piece of the vault on the patient's left is missing, tissue bulges there; the upper ones moved."""
    row, column = np.mgrid[:ROWS, :COLUMNS]
    hu = np.full((SLICES, ROWS, COLUMNS), -1000.0, np.float32)
    for k in range(SLICES):
        x, y = column * COLUMN_MM - MIDDLE[0], row * ROW_MM - MIDDLE[1]
        if k >= moved_from:
            x = x - moved_mm
        x, y = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        direction = np.degrees(np.arctan2(y, x))
        size = 1 - 0.004 * k**1.5
        reach = np.hypot(x, y) + 1e-6
        radius = np.hypot(x / 66, y / 84) / size  # 1 on the inner table
        skin = 1.14 * reach / np.maximum(radius, 1e-6)
        open_here = np.abs(direction) < gap_deg / 2
        fade = np.cos(np.clip(direction / max(gap_deg, 1) * np.pi, -np.pi / 2, np.pi / 2)) ** 0.3
        skin = skin + np.where(open_here, bulge_mm * fade, 0.0)
        hu[k][reach < skin] = 40
        hu[k][(radius >= 1) & (radius < 1.08) & ~open_here] = 1100
        if cloth:
            hu[k][(reach > skin + 25) & (reach < skin + 29)] = 700  # a head holder around it all
    origins = np.zeros((SLICES, 3))
    origins[:, 2] = STEP_MM * np.arange(SLICES)
    return HeadCT(
        hu=hu,
        origins=origins,
        column_axis=np.array([1.0, 0, 0]),
        row_axis=np.array([0, 1.0, 0]),
        pixel_spacing=(ROW_MM, COLUMN_MM),
        thickness=np.full(SLICES, STEP_MM),
    )


def read(ct: HeadCT, angle=0.0, falx_mm=160.0, middle=MIDDLE):
    """Pose, curves, slices and outline as a reading of these heads would give them, nothing amiss in the numbers."""
    frame = Frame(SIZE, 1.8, angle, 0.9, np.tile(np.asarray(middle, float), (SLICES, 1)))
    index = np.arange(SLICES)
    height = STEP_MM * index - 5.0
    blank = np.zeros((SLICES, len(FRACTIONS)))
    curves = MidlineCurves(
        index=index,
        confidence=np.ones(SLICES),
        height=height,
        angle=np.zeros(SLICES),
        lateral_offset=np.zeros(SLICES),
        falx_attachments=np.zeros((SLICES, 2, 2)),
        deviation=blank,
        by_field=blank,
        by_maps=blank,
        mirror=blank,
        plane_offset_mm=np.zeros(SLICES),
    )
    u = np.array([-np.sin(angle), np.cos(angle)]) * 0.5 * falx_mm
    ends = {"anterior_falx": middle - u, "posterior_falx": middle + u}
    slices = [
        SliceMeasurement(
            index=int(k),
            z_mm=float(ct.heights[k]),
            signed_shift_mm=0.5,
            landmarks_px={name: point / (COLUMN_MM, ROW_MM) for name, point in ends.items()},
            landmarks_lps_mm={},
            midline_px=np.zeros((0, 2)),
            midline_shift_mm=np.zeros(0),
            height_mm=float(height[k]),
            confidence=1.0,
            in_case_window=0 <= height[k] <= 20,
        )
        for k in index
    ]
    pose = HeadPose(angle, frame.centre, falx_mm, np.ones(SLICES), height, 0.5)
    outline = trace(ct, frame, index, np.full((SLICES, 2), (SIZE - 1) / 2))
    return pose, curves, slices, outline


def codes(ct, **reading):
    pose, curves, slices, outline = read(ct, **reading)
    reject_unreliable(ct, curves, slices, outline)
    return [flag.code for flag in quality_flags(ct, pose, curves, slices, slices[3], outline, ShiftSettings())]


def refusal(ct, **reading):
    _, curves, slices, outline = read(ct, **reading)
    with pytest.raises(RefusedError) as caught:
        reject_unreliable(ct, curves, slices, outline)
    return caught.value.code


@pytest.mark.parametrize("cloth", [False, True])
def test_a_whole_head_raises_nothing(cloth):
    assert codes(drawn(cloth=cloth)) == []


@pytest.mark.parametrize("gap", [60.0, 110.0])
def test_a_missing_piece_of_the_vault_is_measured_in_degrees(gap):
    for angle in (0.0, np.radians(20)):
        ct = drawn(gap, angle=angle, cloth=True)
        assert np.median(read(ct, angle)[3].gap_deg) == pytest.approx(gap, abs=7)
        assert codes(ct, angle=angle) == ["skull-open"]


def test_what_the_checks_found_is_not_flagged_twice():
    flagged = replace(drawn(90.0), quality=(Quality("skull-open", "warning", "Open."),))
    assert codes(flagged) == []


def test_a_suture_or_a_burr_hole_is_no_gap():
    assert codes(drawn(15.0)) == []


def test_brain_outside_the_skull_is_refused_and_a_sunken_or_swollen_flap_is_not():
    ct = drawn(100.0, bulge_mm=30.0)
    assert read(ct)[3].bulge_mm == pytest.approx(np.full(SLICES, 27.0), abs=5)
    assert refusal(ct) == "herniation"
    assert codes(drawn(100.0, bulge_mm=10.0)) == ["skull-open"]
    assert codes(drawn(100.0, bulge_mm=-5.0)) == ["skull-open"]


@pytest.mark.parametrize(("moved", "expected"), [(2.0, []), (9.0, ["motion"])])
def test_a_jump_between_slices_is_motion(moved, expected):
    ct = drawn(moved_mm=moved)
    _, curves, _, outline = read(ct)
    assert largest_jump_mm(ct, curves, outline) == pytest.approx(moved / 2, abs=0.7)
    assert codes(ct) == expected


def test_an_extreme_jump_is_refused():
    assert refusal(drawn(moved_mm=20.0)) == "motion"


def test_slices_shifted_with_the_gantry_are_no_motion():
    """The picture's corner moves, the head stays: origins tell it."""
    ct = drawn()
    shift = np.where(np.arange(SLICES) >= 7, 10, 0)
    rolled = np.stack([np.roll(one, -s, axis=1) for one, s in zip(ct.hu, shift, strict=True)])
    origins = ct.origins + shift[:, None] * COLUMN_MM * ct.column_axis
    moved = replace(ct, hu=rolled, origins=origins)
    _, curves, _, outline = read(moved)
    assert largest_jump_mm(moved, curves, outline) < 1.0
    assert largest_jump_mm(replace(moved, origins=ct.origins), curves, outline) > 3.0


def test_a_falx_that_ends_outside_the_picture():
    ct = drawn()
    assert not falx_outside(ct, read(ct)[2]).any()
    rows = 15  # 15 mm of scalp and air in front
    assert codes(replace(ct, hu=ct.hu[:, rows:]), middle=MIDDLE - (0, rows)) == []
    rows = 50  # the anterior end is 35 mm from the picture's first row
    cut = replace(ct, hu=ct.hu[:, rows:])
    assert refusal(cut, middle=MIDDLE - (0, rows)) == "head-cut-off"


def test_a_falx_that_ends_outside_a_round_picture():
    ct = drawn()
    hu = ct.hu[:, 5:225]  # square
    row, column = np.mgrid[: hu.shape[1], : hu.shape[2]]
    outside = np.hypot(row - 109.5, column - 109.5) > 110 * 0.99
    round_picture = replace(ct, hu=np.where(outside, -2000, hu).astype(np.float32))
    assert codes(round_picture, middle=MIDDLE - (0, 5)) == []
    assert refusal(round_picture, middle=MIDDLE - (0, 5), falx_mm=232.0) == "head-cut-off"


def test_an_end_outside_on_a_few_slices_is_a_warning():
    ct = drawn()
    pose, curves, slices, outline = read(ct)
    far = {"anterior_falx": np.array([110.0, -4.0]), "posterior_falx": slices[0].landmarks_px["posterior_falx"]}
    slices[2] = replace(slices[2], landmarks_px=far)
    reject_unreliable(ct, curves, slices, outline)
    found = quality_flags(ct, pose, curves, slices, slices[3], outline, ShiftSettings())
    assert [(flag.code, flag.severity) for flag in found] == [("head-cut-off", "warning")]


def test_an_infants_falx_is_flagged():
    assert codes(drawn(), falx_mm=118.0) == ["small-head"]
