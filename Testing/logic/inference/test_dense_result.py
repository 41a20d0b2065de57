"""What the pictures show: the field in millimetres of the scan, and the scan warped back to normal."""

import numpy as np
import pytest
from heads import frame, hump, perfect_maps, scan

from MidlineShiftLogic.inference.dense_result import DenseResult

SHIFT_PX = 4.0
SLICE = 5


@pytest.fixture(scope="module", params=[(0.6, 0.5), (0.5, 0.8)], ids=str)
def case(request):
    """Scan with a bright midline pushed to the left in one slice; lateral place and fraction of each pixel; dense results."""
    ct = scan(pixel_spacing=request.param)
    f = frame(ct)
    rows, columns = ct.hu.shape[1:]
    row_mm, column_mm = ct.pixel_spacing
    plane = np.stack(np.meshgrid(np.arange(columns) * column_mm, np.arange(rows) * row_mm), -1)
    place = f.from_plane(SLICE, plane) - (f.size - 1) / 2
    fraction = (place[..., 1] + 55) / 110
    bright = (np.abs(place[..., 0] - SHIFT_PX * hump(fraction)) < 1.0) & (fraction > 0) & (fraction < 1)
    ct.hu[SLICE] = 1000.0 * bright
    maps = perfect_maps(ct.n_slices, np.full(ct.n_slices, SHIFT_PX))
    fields = ({SLICE: field[SLICE].astype(np.float32)} for field in (maps.displacement, maps.inverse))
    dense = DenseResult(ct, f, *fields)
    return ct, f, place[..., 0], fraction, dense


def lateral(image, across, fraction, at):
    """Where the bright line crosses a fraction of the midline, frame pixels."""
    near = (np.abs(fraction - at) < 0.01) & (np.abs(across) < 10)
    return (image * across)[near].sum() / image[near].sum()


@pytest.mark.parametrize("at", [0.2, 0.38, 0.6])
def test_the_midline_is_set_back_onto_the_ideal_line(case, at):
    ct, _, across, fraction, dense = case
    assert lateral(ct.hu[SLICE], across, fraction, at) == pytest.approx(SHIFT_PX * hump(np.array(at)), abs=0.15)
    assert lateral(dense.warped_hu[SLICE], across, fraction, at) == pytest.approx(0, abs=0.25)


def test_the_field_points_from_the_tissue_to_its_normal_place_in_millimetres(case):
    _, f, across, fraction, dense = case
    there = (np.abs(across) < 0.5) & (np.abs(fraction - 0.38) < 0.01)
    rows, columns = dense.displacement_mm[SLICE].astype(float)[:, there].mean(1)
    # pushed to the left, so it points to the patient's right: against the frame's first axis
    assert (columns, rows) == pytest.approx(-SHIFT_PX * f.step_mm * f.axes[0], abs=0.15)
    assert columns < -5


def test_slices_that_were_not_measured_stay_as_they_are(case):
    ct, _, _, _, dense = case
    others = np.arange(ct.n_slices) != SLICE
    assert not dense.displacement_mm[others].any()
    assert np.array_equal(dense.warped_hu[others], ct.hu[others])


def test_one_slice_alone_is_that_of_the_whole(case):
    *_, dense = case
    alone = dense.of_slice(SLICE)
    assert np.array_equal(alone.warped_hu[SLICE], dense.warped_hu[SLICE])
    assert np.array_equal(alone.displacement_mm[SLICE], dense.displacement_mm[SLICE])
    assert alone.displacement_mm[SLICE].any()
