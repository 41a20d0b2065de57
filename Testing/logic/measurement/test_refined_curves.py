"""Midlines that a second look has moved: their lines, their side, their millimetres."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from heads import frame, perfect_maps, scan

from MidlineShiftLogic.measurement.deviation import FRACTIONS
from MidlineShiftLogic.measurement.midline_curves import find_midlines
from MidlineShiftLogic.measurement.refined_curves import SecondLook, midline_at, move_midlines
from MidlineShiftLogic.measurement.shift_settings import ShiftSettings
from MidlineShiftLogic.measurement.uncertainty_features import (
    FEATURES,
    REFINEMENT_FEATURES,
    shift_spread_mm,
    uncertainty_features,
)

SETTINGS = ShiftSettings(smooth_mm=0.0, smooth_fraction=0.0, septum=(0.36, 0.40), refined_smooth_mm=0.0)
ROWS = np.linspace(-0.04, 1.04, 80)
INNER = (ROWS > 0.1) & (ROWS < 0.9)
SEPTUM = (SETTINGS.septum[0] <= FRACTIONS) & (SETTINGS.septum[1] >= FRACTIONS)
CT = scan()
FRAME = frame(CT)


def first_look(shift_px: float = 0.0, tilt_deg: float = 0.0, settings: ShiftSettings = SETTINGS):
    maps = perfect_maps(CT.n_slices, np.full(CT.n_slices, shift_px), tilt_deg)
    return find_midlines(maps, FRAME, CT.heights, maps.height, settings)


def looked_again(curves, moved_mm, settings: ShiftSettings = SETTINGS, spread_mm=0.0):
    """Return curves after a second look that found the midline (k, rows) or (rows,) mm from where it was thought."""
    midline = midline_at(curves.deviation, ROWS) + moved_mm
    seen = SecondLook(ROWS, midline, np.broadcast_to(spread_mm, midline.shape), np.zeros_like(midline))
    return move_midlines(curves, seen, CT.heights[curves.index], FRAME.step_mm, settings)


def at_septum(curves) -> np.ndarray:
    return curves.deviation[:, SEPTUM].mean(1)


@pytest.mark.parametrize("shift_px", [-4.0, 0.0, 4.0])
def test_a_midline_found_where_it_was_thought_is_measured_alike(shift_px):
    curves = first_look(shift_px, tilt_deg=5.0)
    again = looked_again(curves, 0.0)
    # the curve leaves the line a little before the attachments' middle, which turns the new line by so much
    assert at_septum(again) == pytest.approx(at_septum(curves), rel=0.06, abs=0.02)
    assert np.abs(again.angle - curves.angle).max() < 0.005
    assert again.refinement.moved_mm == pytest.approx(at_septum(again) - at_septum(curves), abs=1e-9)


@pytest.mark.parametrize("moved_mm", [-3.0, 3.0])
def test_the_shift_moves_toward_the_side_where_the_midline_is_found(moved_mm):
    curves = first_look(1.0, tilt_deg=5.0)
    change = at_septum(looked_again(curves, moved_mm * INNER)) - at_septum(looked_again(curves, 0.0))
    assert change == pytest.approx(np.full_like(change, moved_mm), abs=1e-6)


@pytest.mark.parametrize("moved_mm", [-3.0, 3.0])
def test_a_moved_falx_attachment_turns_the_ideal_line(moved_mm):
    """The midline's inner part stays; the line between the attachments moves under it, less the farther from the end."""
    curves = first_look(tilt_deg=5.0)
    again = looked_again(curves, moved_mm * (ROWS < 0.1))
    n = np.array([np.cos(np.radians(5.0)), np.sin(np.radians(5.0))])
    moved = (again.falx_attachments - curves.falx_attachments) @ n * FRAME.step_mm
    assert moved[:, 0] == pytest.approx(np.full(len(moved), moved_mm), abs=0.05)
    assert np.abs(moved[:, 1]).max() < 0.05
    change = at_septum(again) - at_septum(curves)
    assert change == pytest.approx(np.full_like(change, -0.62 * moved_mm), abs=0.1)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_plane_of_all_slices_holds_a_slice_whose_line_was_moved(share):
    curves = first_look()
    moved = np.zeros((len(curves.index), 1))
    moved[4] = 3.0
    again = looked_again(curves, moved, replace(SETTINGS, refined_plane_share=share))
    off = again.falx_attachments.mean(1)[:, 0] - curves.falx_attachments.mean(1)[:, 0]
    assert off[4] * FRAME.step_mm == pytest.approx(3.0 * (1 - share), abs=0.25)
    assert again.plane_offset_mm[4] == pytest.approx(3.0, abs=0.25)
    assert np.abs(np.delete(off, 4)).max() * FRAME.step_mm < 0.25


def test_slices_smooth_each_other_by_a_setting_of_their_own():
    settings = replace(SETTINGS, smooth_mm=20.0, refined_smooth_mm=0.0)
    moved = np.zeros((len(first_look().index), len(ROWS)))
    moved[4, INNER] = 3.0
    rough = looked_again(first_look(settings=settings), moved, settings)
    assert at_septum(rough)[4] == pytest.approx(3.0, abs=0.2)
    smooth = looked_again(first_look(), moved, replace(SETTINGS, refined_smooth_mm=20.0))
    assert at_septum(smooth)[4] < 1.0
    assert smooth.refinement.deviation[4, SEPTUM].mean() == pytest.approx(3.0, abs=0.2)
    assert smooth.refinement.moved_mm == pytest.approx(at_septum(smooth), abs=0.2)


def test_a_curve_that_turns_back_is_measured():
    jumping = np.where(np.arange(len(ROWS)) % 2, 20.0, -20.0)
    again = looked_again(first_look(tilt_deg=20.0), jumping * (ROWS > 0.2))
    assert np.isfinite(again.deviation).all()


def test_the_spread_of_the_shift_is_that_of_midline_and_attachments():
    spread = np.where(INNER, 0.5, np.where(ROWS < 0.5, 1.0, 2.0))
    refinement = looked_again(first_look(), 0.0, spread_mm=spread).refinement
    assert shift_spread_mm(refinement, 3, SETTINGS) == pytest.approx(
        np.sqrt(0.5**2 + 0.62**2 + (0.38 * 2) ** 2), rel=1e-3
    )


def test_features_of_a_second_look_exist_only_with_one():
    curves = first_look(2.0)
    rest = (3, 2.0, 1.0, 160.0, SETTINGS)
    assert set(uncertainty_features(curves, *rest)) == set(FEATURES)
    calm = uncertainty_features(looked_again(curves, 0.0), *rest)
    assert set(calm) == {*FEATURES, *REFINEMENT_FEATURES}
    moved = uncertainty_features(looked_again(curves, -2.0 * INNER, spread_mm=1.0), *rest)
    assert moved["refined"] > calm["refined"] and moved["blur"] > calm["blur"]
    assert moved["refined"] == pytest.approx(np.log1p(2.0), abs=0.1)
