"""Perfect network outputs must give the true millimetres, landmarks on the drawn lines, and the right side."""

from dataclasses import replace

import numpy as np
import pytest
from heads import frame, perfect_maps, scan

from MidlineShiftLogic.errors import RefusedError
from MidlineShiftLogic.measurement.compute_shift import measure_slices, select_case_slice
from MidlineShiftLogic.measurement.deviation import FRACTIONS
from MidlineShiftLogic.measurement.distance import CaseRule, signed_shift
from MidlineShiftLogic.measurement.midline_curves import find_midlines
from MidlineShiftLogic.measurement.shift_settings import NEW_MODEL_SETTINGS, ShiftSettings
from MidlineShiftLogic.measurement.smoothing import smooth

SETTINGS = ShiftSettings(smooth_mm=0.0, smooth_fraction=0.0, quantile=1.0, septum=(0.36, 0.40))


def measured(shift_px, settings=SETTINGS, angle=12.0, **maps):
    ct = scan()
    f = frame(ct, angle)
    found = perfect_maps(ct.n_slices, np.broadcast_to(np.asarray(shift_px, float), (ct.n_slices,)), **maps)
    curves = find_midlines(found, f, ct.heights, found.height, settings)
    return ct, f, measure_slices(ct, f, curves, settings)


@pytest.mark.parametrize("shift_px", [-8.0, -2.0, 0.0, 1.0, 5.5])
@pytest.mark.parametrize("tilt", [0.0, 6.0])
def test_known_shift_is_read_in_millimetres_with_its_side(shift_px, tilt):
    _, f, slices = measured(shift_px, tilt_deg=tilt, side_px=2.0)
    for m in slices:
        assert m.signed_shift_mm == pytest.approx(shift_px * f.step_mm, abs=0.15)


def test_field_and_maps_read_the_same():
    for share in (0.0, 1.0):
        settings = ShiftSettings(smooth_mm=0, smooth_fraction=0, quantile=1, septum=(0.36, 0.40), field_share=share)
        _, f, slices = measured(4.0, settings)
        assert slices[5].signed_shift_mm == pytest.approx(4.0 * f.step_mm, abs=0.15)


def test_landmarks_midline_and_number_belong_together():
    ct, _, slices = measured(4.0, tilt_deg=3.0)
    for m in slices:
        lps = m.landmarks_lps_mm
        again = signed_shift(lps["anterior_falx"], lps["posterior_falx"], lps["shifted"], np.array([1.0, 0, 0]))
        assert again == pytest.approx(m.signed_shift_mm, abs=1e-6)
        # the shifted landmark is on the drawn midline
        gap = np.linalg.norm((m.midline_px - m.landmarks_px["shifted"]) * ct.pixel_spacing[::-1], axis=1).min()
        assert gap < 1e-6
        assert lps["shifted"][0] > lps["ideal"][0]  # pushed to the left: +x in LPS
        assert lps["anterior_falx"][1] < lps["posterior_falx"][1]
        assert len(m.midline_px) == len(FRACTIONS) + 2


def test_mirrored_maps_give_the_opposite_number():
    _, _, plus = measured(3.0, angle=0.0)
    _, _, minus = measured(-3.0, angle=0.0)
    for a, b in zip(plus, minus, strict=True):
        assert a.signed_shift_mm == pytest.approx(-b.signed_shift_mm, abs=1e-6)


def test_one_outlying_slice_does_not_carry_the_line_away():
    ct = scan()
    f = frame(ct)
    maps = perfect_maps(ct.n_slices, np.full(ct.n_slices, 3.0))
    maps.attachments[6] = np.roll(maps.attachments[6], 4, axis=-1)  # 8 px to the left
    curves = find_midlines(maps, f, ct.heights, maps.height, ShiftSettings(plane_share=1.0))
    assert np.abs(curves.lateral_offset).max() < 0.6


def test_the_case_is_read_in_the_window():
    shift = np.linspace(0, 6, 16)
    _, _, slices = measured(shift)
    case = select_case_slice(slices, CaseRule(1.0))
    assert case.in_case_window
    assert SETTINGS.window_mm[0] <= case.height_mm <= SETTINGS.window_mm[1]
    assert abs(case.signed_shift_mm) == max(abs(m.signed_shift_mm) for m in slices if m.in_case_window)


def smoothed(values, pitch_mm=5.0, **settings):
    """What smoothing across slices makes of one value a slice."""
    z = np.arange(len(values)) * pitch_mm
    settings = replace(NEW_MODEL_SETTINGS, **settings)
    return smooth(np.asarray(values, float)[:, None], FRACTIONS, z, np.ones(len(values)), settings)[:, 0]


def test_smoothing_across_slices_leaves_a_peak_and_takes_noise():
    z = np.arange(14) * 5.0
    peak = 14 * np.exp(-(((z - 32) / 25) ** 2))
    assert smoothed(peak).max() > 0.98 * peak.max()
    assert smoothed(peak, smooth_order=0).max() < 0.93 * peak.max(), "a mean flattens it"
    noise = np.random.default_rng(0).normal(0, 1, (200, 14))
    assert np.std([smoothed(one)[4:10] for one in noise]) < 0.75


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_few_slices_can_be_smoothed(count):
    values = np.linspace(2, 3, count)
    assert smoothed(values) == pytest.approx(values, abs=0.6)
    assert smoothed(-values) == pytest.approx(-smoothed(values))


def test_unreadable_slices_are_refused():
    ct = scan()
    maps = perfect_maps(ct.n_slices, np.zeros(ct.n_slices))
    maps.measurable[:] = 0.2
    with pytest.raises(RefusedError, match="midline") as error:
        find_midlines(maps, frame(ct), ct.heights, maps.height, SETTINGS)
    assert error.value.code == "no-midline"
