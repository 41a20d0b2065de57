"""Altered scans show the same head: nothing is resampled wrongly, and left stays left."""

from dataclasses import replace

import numpy as np
import pytest
from lined_head import lined_head
from synthetic_case import drawn_head

from midlineshift_training.evaluation import alterations
from midlineshift_training.evaluation.alterations import ALTERATIONS
from midlineshift_training.evaluation.robustness import summarise_changes
from MidlineShiftLogic.headct.head_shape import head_shape


def blob(column_mm, row_mm, spacing=(0.8, 0.5), shape=(3, 120, 200)):
    """One bright spot at (column, row) mm from the picture's middle; unequal pixels."""
    ct = replace(lined_head(0.0), pixel_spacing=spacing, hu=np.full(shape, -1000.0, np.float32))
    rows, columns = np.mgrid[: shape[1], : shape[2]]
    y, x = (rows - (shape[1] - 1) / 2) * spacing[0], (columns - (shape[2] - 1) / 2) * spacing[1]
    ct.hu[:] += 1000 * np.exp(-((x - column_mm) ** 2 + (y - row_mm) ** 2) / 18)
    return replace(ct, origins=ct.origins[: shape[0]], thickness=ct.thickness[: shape[0]])


def spot(ct):
    """(column, row) mm of the spot from the picture's middle."""
    weight = ct.hu[1] + 1000.0
    rows, columns = np.indices(weight.shape)
    place = np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()
    row_mm, column_mm = ct.pixel_spacing
    return (place - (np.array(weight.shape[::-1]) - 1) / 2) * (column_mm, row_mm)


def test_neither_turned_nor_moved_is_the_same_picture_with_a_margin():
    ct = drawn_head()
    same = alterations.in_plane(ct, 0.0, 0.0, 12.0)
    rows, columns = (same.hu.shape[axis] - ct.hu.shape[axis] for axis in (1, 2))
    assert (rows, columns) == (2 * 15, 2 * 14)
    assert np.allclose(same.hu[:, 15:-15, 14:-14], ct.hu, atol=1e-3)
    assert same.to_lps(3, np.array([14.0, 15.0])) == pytest.approx(ct.to_lps(3, np.array([0.0, 0.0])))


def test_turned_and_moved_by_as_much_as_asked():
    turned = alterations.in_plane(blob(20.0, 0.0), 30.0, 0.0, 10.0)
    assert spot(turned) == pytest.approx([20 * np.cos(np.pi / 6), 20 * np.sin(np.pi / 6)], abs=0.05)
    assert spot(alterations.in_plane(blob(5.0, -8.0), 0.0, 7.3, 10.0)) == pytest.approx([12.3, -8.0], abs=0.05)
    back = alterations.in_plane(turned, -30.0, 0.0, 0.0)
    assert spot(back) == pytest.approx([20.0, 0.0], abs=0.05)


def test_mirrored_twice_is_the_scan():
    ct = drawn_head()
    once = alterations.mirrored(ct)
    assert spot(alterations.mirrored(blob(20.0, 3.0))) == pytest.approx([-20.0, 3.0], abs=0.01)
    assert np.array_equal(alterations.mirrored(once).hu, ct.hu)


def test_stored_in_another_order_is_read_back_the_same():
    ct = drawn_head()
    again = alterations.stored_otherwise(ct)
    assert again.source["slice_axis"] == 1, "the file was indeed stored otherwise"
    assert np.array_equal(again.hu, ct.hu)
    assert again.origins == pytest.approx(ct.origins, abs=1e-4)
    assert again.column_axis == pytest.approx(ct.column_axis) and again.row_axis == pytest.approx(ct.row_axis)
    assert again.pixel_spacing == pytest.approx(ct.pixel_spacing)
    uneven = ct.origins.copy()
    uneven[5:, 2] += 2.0
    assert alterations.stored_otherwise(replace(ct, origins=uneven)) is None


@pytest.mark.parametrize("thickness", [2.5, 5.0, 10.0])
def test_slices_of_another_thickness_are_where_they_say(thickness):
    """A volume that is linear in height stays so, also where the gantry is tilted."""
    ct = drawn_head()
    origins = ct.origins + np.array([0.0, 0.3, 0.0]) * ct.origins[:, 2:]
    ct = replace(ct, origins=origins, hu=np.broadcast_to(origins[:, 2, None, None], ct.hu.shape).astype(np.float32))
    cut = alterations.resliced(ct, thickness)
    inner = slice(1 + int(5 / thickness), -1 - int(5 / thickness))
    assert np.diff(cut.heights) == pytest.approx(thickness)
    assert cut.hu[inner, 0, 0] == pytest.approx(cut.heights[inner], abs=0.02)
    assert cut.origins[inner, 1] == pytest.approx(0.3 * cut.origins[inner, 2] + ct.origins[0, 1], abs=0.05)
    assert (cut.thickness == thickness).all()
    assert np.ptp(ct.heights) - thickness < np.ptp(cut.heights) + thickness / 2 < np.ptp(ct.heights) + 10


def test_noise_windows_and_grey_steps():
    ct = drawn_head()
    noise = alterations.with_noise(ct, np.random.default_rng(0)).hu - ct.hu
    assert noise.std() == pytest.approx(8.0, abs=0.05) and abs(noise.mean()) < 0.05
    assert alterations.clipped(ct).hu.min() == -100 and alterations.clipped(ct).hu.max() == 200
    stepped = alterations.eight_bit(ct).hu
    assert np.abs(stepped - ct.hu).max() <= 0.5 * 120 / 255 + 1e-3
    assert len(np.unique(stepped[(ct.hu > -20) & (ct.hu < 100)])) <= 256
    assert np.array_equal(stepped[ct.hu > 100], ct.hu[ct.hu > 100])


def test_a_seventh_of_the_width_is_cut_off_on_the_patients_left():
    ct = drawn_head()
    columns = np.flatnonzero(head_shape(ct).head.any((0, 1)))
    pixel = head_shape(ct).pixel[1]
    cut = alterations.cut_at_the_edge(ct)
    lost = (columns[-1] * pixel - cut.hu.shape[2] * ct.pixel_spacing[1]) / ((columns[-1] - columns[0]) * pixel)
    assert lost == pytest.approx(0.15, abs=0.01)
    assert np.array_equal(cut.hu, ct.hu[:, :, : cut.hu.shape[2]])
    assert np.array_equal(cut.origins, ct.origins)


def test_every_alteration_has_a_name_of_its_own_and_only_the_mirror_a_sign():
    assert len({one.name for one in ALTERATIONS}) == len(ALTERATIONS)
    assert [one.name for one in ALTERATIONS if one.sign != 1] == ["left and right exchanged"]


def test_changes_within_a_millimetre_and_refusals_count_as_steady():
    rows = [
        {"alteration": "a", "case": "x", "change_mm": 0.4, "refused": ""},
        {"alteration": "a", "case": "y", "change_mm": -1.6, "refused": ""},
        {"alteration": "b", "case": "x", "change_mm": None, "refused": "head-cut-off"},
        {"alteration": "b", "case": "y", "change_mm": -0.9, "refused": ""},
    ]
    found = summarise_changes(rows)
    assert found["overall"]["value"] == 0.75 and found["cases"] == 2
    assert found["of_read"]["value"] == pytest.approx(2 / 3)
    assert found["alterations"]["a"]["share"]["value"] == 0.5
    assert found["alterations"]["a"]["largest"] == pytest.approx(1.6)
    assert found["alterations"]["b"]["codes"] == {"head-cut-off": 1}
    assert found["alterations"]["b"]["share"]["value"] == 1.0
