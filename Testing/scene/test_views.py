"""What a reader sees: the slice of the number, in its own plane, with points and lines where they belong."""

import numpy as np
import pytest
from mrml_core import SliceView

from MidlineShiftLogic.scene import build_scene, head_ct_from_volume, set_visible, show_slice, slice_at

from .conftest import make_case, tilted

RAS = np.array([-1.0, -1.0, 1.0])


def built(case):
    return build_scene(case.volume, case.ct, case.measurement, case.dense)


def coloured(picture) -> np.ndarray:
    """(row, column) bool: what is not grey, that is the overlays."""
    return np.ptp(picture.astype(int), axis=-1) > 60


def near(mask, view, ras, radius=6) -> bool:
    x, y = view.xy(ras)
    row, col = round(view.window.GetSize()[1] - 1 - y), round(x)
    return bool(mask[max(row - radius, 0) : row + radius, max(col - radius, 0) : col + radius].any())


@pytest.mark.parametrize("change", [lambda ct: ct, tilted], ids=["straight", "tilted"])
def test_views_go_to_the_slice_in_its_plane(core, change):
    case = make_case(core, change=change)
    axial, sagittal = SliceView(core), SliceView(core, "Yellow", "Sagittal")
    for view in (axial, sagittal):
        view.show(case.volume)
    nodes = built(case)
    for one in case.measurement.slices[::3]:
        show_slice(nodes, one.index)
        assert slice_at(nodes, axial.node) == one.index
        place = np.array([[axial.node.GetSliceToRAS().GetElement(r, c) for c in range(4)] for r in range(3)])
        np.testing.assert_allclose(place[:, 2] * RAS, case.ct.normal, atol=1e-6)
        np.testing.assert_allclose(place[:, 0] * RAS, case.ct.column_axis, atol=1e-6)
        np.testing.assert_allclose(place[:, 1] * RAS, -case.ct.row_axis, atol=1e-6)
        cut = sagittal.node.GetSliceToRAS().GetElement(0, 3)
        assert -cut == pytest.approx(one.landmarks_lps_mm["shifted"][0], abs=1e-3)
    show_slice(nodes, case.measurement.slices[0].index, [])
    assert slice_at(nodes, axial.node) == one.index, "no view was to move"


def test_a_step_of_the_view_is_a_slice(case):
    view = SliceView(case.core)
    view.show(case.volume)
    nodes = built(case)
    show_slice(nodes, 8)
    assert view.node.GetPrescribedSliceSpacing()[2] == pytest.approx(5.0)
    view.node.SetSliceOffset(view.node.GetSliceOffset() + 5.0)
    assert slice_at(nodes, view.node) == 9


def test_zoom_and_place_stay_while_paging(case):
    view = SliceView(case.core)
    view.show(case.volume)
    nodes = built(case)
    show_slice(nodes, 8)
    view.node.SetFieldOfView(60, 60, 1)
    view.node.JumpSliceByCentering(*(case.ct.to_lps(8, (40, 50)) * RAS))
    show_slice(nodes, 9)
    np.testing.assert_allclose(view.node.GetFieldOfView()[:2], (60, 60))
    middle = np.array([view.node.GetSliceToRAS().GetElement(r, 3) for r in range(3)])
    np.testing.assert_allclose(middle, case.ct.to_lps(9, (40, 50)) * RAS, atol=1e-3)


@pytest.mark.parametrize("change", [lambda ct: ct, tilted], ids=["straight", "tilted"])
def test_overlays_are_drawn_on_their_slice_only(core, change):
    case = make_case(core, change=change)
    view = SliceView(core)
    view.show(case.volume)
    nodes = built(case)
    show_slice(nodes, case.measurement.slice)
    one = nodes.shown_slice
    mask = coloured(view.pixels())
    for point in one.landmarks_lps_mm.values():
        assert near(mask, view, point * RAS)
    middle = case.ct.to_lps(one.index, one.midline_px[len(one.midline_px) // 2]) * RAS
    assert near(mask, view, middle)
    # the view pages on and the landmarks are left behind: nothing of them may show there
    view.node.SetSliceOffset(view.node.GetSliceOffset() + 2 * 5.0)
    assert coloured(view.pixels()).sum() == 0
    show_slice(nodes, one.index)
    before = view.pixels()
    for part in ("landmarks", "ideal_midline", "deformed_midline", "distance"):
        set_visible(nodes, part, False)
        after = view.pixels()
        assert (before != after).any(), part
        before = after
    assert coloured(after).sum() == 0
    set_visible(nodes, "grid", True)
    assert coloured(view.pixels()).sum() > 200


def test_left_of_the_patient_is_right_on_the_screen(case):
    view = SliceView(case.core)
    view.show(case.volume)
    nodes = built(case)
    show_slice(nodes, case.measurement.slice)
    shifted, ideal, anterior, posterior = (
        view.xy(nodes.shown_slice.landmarks_lps_mm[name] * RAS)
        for name in ("shifted", "ideal", "anterior_falx", "posterior_falx")
    )
    assert case.measurement.side == "left" and shifted[0] > ideal[0] + 5
    assert anterior[1] > posterior[1] + 100, "forehead on top (y runs up)"


def test_picture_of_the_sample(core, sample, tmp_path):
    """The real scan, beside its warped image and its displacement: drawn, kept with the test's files, and not empty."""
    volume = core.logics["Volumes"].AddArchetypeVolume(str(sample.path), "Sample")
    volume.GetDisplayNode().AutoWindowLevelOff()
    volume.GetDisplayNode().SetWindowLevel(80, 40)
    nodes = build_scene(volume, head_ct_from_volume(volume), sample.measurement, sample.dense)
    view = SliceView(core)
    pictures = []
    layers_by_name = {"scan": (volume,), "warped": (nodes.warped,), "displacement": (volume, nodes.magnitude)}
    for name, layers in layers_by_name.items():
        view.show(*layers)
        show_slice(nodes, sample.measurement.slice)
        pictures.append(view.pixels(tmp_path / f"{name}.png").astype(int))
    scan, warped, magnitude = pictures
    mask = coloured(scan)
    for point in nodes.shown_slice.landmarks_lps_mm.values():
        assert near(mask, view, point * RAS)
    assert np.std(scan) > 40, "the head is there"
    changed = np.abs(scan - warped).max(-1) > 25
    assert 500 < changed.sum() < changed.size / 4
    assert coloured(magnitude).sum() > 5 * mask.sum()
