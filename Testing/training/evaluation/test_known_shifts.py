"""The known shift has the amplitude and side it claims, where it claims it."""

from itertools import pairwise

import numpy as np
import pytest
from lined_head import SLICES, line_at, lined_head, lined_measurement, place

from midlineshift_training.evaluation.known_shifts import amplitudes, known_shift, summarise_known_shifts
from MidlineShiftLogic.measurement.deviation import FRACTIONS
from MidlineShiftLogic.measurement.shift_settings import ShiftSettings

SETTINGS = ShiftSettings()
SEPTUM = FRACTIONS[(SETTINGS.septum[0] <= FRACTIONS) & (SETTINGS.septum[1] >= FRACTIONS)]
WINDOW = range(8, 13)  # heights 0 .. 20 mm


def warp(amplitude, angle):
    ct = lined_head(angle)
    shift = known_shift(ct, lined_measurement(ct, angle), amplitude, SETTINGS)
    return ct, shift, shift.apply(ct)


@pytest.mark.parametrize(("amplitude", "angle"), [(3.0, 0.0), (9.0, 0.2), (-6.0, -0.3), (15.0, 0.1)])
def test_the_line_is_found_where_the_shift_was_claimed(amplitude, angle):
    ct, shift, warped = warp(amplitude, angle)
    for k in WINDOW:
        assert shift.at_septum(k) == pytest.approx(amplitude, abs=1e-9)
        before, after = (line_at(image[k], angle, SEPTUM).mean() for image in (ct.hu, warped.hu))
        assert abs(before) < 0.02
        assert after == pytest.approx(amplitude, abs=0.06)
    # toward the patient's left, which is the higher column
    column = np.median(np.nonzero((warped.hu[10] > 60) & (warped.hu[10] < 200))[1])
    untouched = np.median(np.nonzero((ct.hu[10] > 60) & (ct.hu[10] < 200))[1])
    assert np.sign(column - untouched) == np.sign(amplitude)


def test_the_whole_line_follows_the_hump():
    _, shift, warped = warp(8.0, 0.15)
    fractions = np.linspace(0.05, 0.95, 19)
    assert line_at(warped.hu[10], 0.15, fractions) == pytest.approx(shift.on_midline(10, fractions), abs=0.1)
    assert shift.on_midline(10, np.array([0.0, 1.0])) == pytest.approx(0, abs=1e-9)


def test_skull_scalp_and_far_slices_stay():
    ct, shift, warped = warp(15.0, 0.2)
    across, along = place(0.2)
    outside = np.hypot(across / 66.0, along / 85.0) >= 1
    assert np.array_equal(warped.hu[:, outside], ct.hu[:, outside])
    height = shift.course.height
    still, moved = (height < -31) | (height > 51), (height > -29) & (height < 49)
    assert still[0] and still[SLICES - 1]
    assert np.array_equal(warped.hu[still], ct.hu[still])
    assert all(not np.array_equal(warped.hu[k], ct.hu[k]) for k in np.flatnonzero(moved))
    pushes = [abs(shift.at_septum(k)) for k in range(12, SLICES)]
    assert all(a >= b for a, b in pairwise(pushes)), "fades away from the septum"


def test_no_shift_changes_nothing():
    ct, _, warped = warp(0.0, 0.2)
    assert np.array_equal(warped.hu, ct.hu)


def test_nothing_folds():
    """Across the head, the places that tissue came from keep their order and spacing."""
    _, shift, _ = warp(15.0, 0.0)
    across = np.linspace(-60, 60, 241)
    points = shift.course.point(10, across, np.full(across.shape, 0.38))
    came_from = shift.course.place(10, shift.origin(10, points))[0]
    assert np.diff(came_from).min() > 0.15 * (across[1] - across[0])


def test_a_calcified_falx_is_not_the_skull():
    ct = lined_head(0.0)
    across, along = place(0.0)
    ct.hu[:, np.hypot(across - 15, along - 10) < 3] = 800
    shift = known_shift(ct, lined_measurement(ct, 0.0), 10.0, SETTINGS)
    assert shift.reach[10, 20:30].min() > 55


def test_amplitudes_are_seeded_by_the_case_and_spread_over_size_and_side():
    found = amplitudes("a", 6, 0)
    assert found == amplitudes("a", 6, 0) and found != amplitudes("b", 6, 0) and found != amplitudes("a", 6, 1)
    assert all(3 <= abs(value) <= 15 for value in found)
    assert sum(value > 0 for value in found) == 3
    assert [int((abs(value) - 3) / 2) for value in found] == list(range(6))


def test_slope_of_measurements_that_fall_short():
    rows = [
        {"case": str(n // 3), "amplitude_mm": a, "change_mm": 0.8 * a}
        for n, a in enumerate([3.0, -9.0, 14.0, -4.0, 8.0, -13.0, 5.0, -7.0, 12.0])
    ]
    rows.append({"case": "2", "amplitude_mm": 6.0, "change_mm": None})
    found = summarise_known_shifts(rows)
    assert (found["cases"], found["warps"], found["refused"]) == (3, 10, 1)
    assert found["slope"]["value"] == pytest.approx(0.8)
    assert found["bias"]["value"] == pytest.approx(-0.2 * 75 / 9)
    assert found["mae"]["value"] == pytest.approx(0.2 * 75 / 9)
