"""A landmark dragged with the mouse in a real slice view, and everything that must follow."""

import numpy as np
import pytest
from mrml_core import SlicerCore, SliceView, slicer, vtk

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.measurement.edit import add_slice, restore, slice_of
from MidlineShiftLogic.measurement.results import LANDMARK_NAMES
from MidlineShiftLogic.measurement.review import accept
from MidlineShiftLogic.reporting.measurement_json import to_json
from MidlineShiftLogic.scene import apply_edits, build_scene, find_all, read_edits, show_slice, update, was_moved
from MidlineShiftLogic.scene.shift_table import EDITED, SHIFT, SLICE

from .conftest import make_case, tilted

RAS = np.array([-1.0, -1.0, 1.0])


def built(case):
    return build_scene(case.volume, case.ct, case.measurement, case.dense)


def point(nodes, name):
    """Landmark in the scene, LPS."""
    return np.array(nodes.landmarks.GetNthControlPointPositionWorld(LANDMARK_NAMES.index(name))) * RAS


def put(nodes, name, lps):
    nodes.landmarks.SetNthControlPointPositionWorld(LANDMARK_NAMES.index(name), vtk.vtkVector3d(*(lps * RAS)))


def by_hand(nodes):
    """mm from the line through the attachments as they are stored in the scene, by the cross product."""
    a, b, s = (point(nodes, name) for name in ("anterior_falx", "posterior_falx", "shifted"))
    return np.linalg.norm(np.cross(b - a, s - a)) / np.linalg.norm(b - a)


def column(table, name):
    values = table.GetTable().GetColumnByName(name)
    return [values.GetValue(row) for row in range(values.GetNumberOfValues())]


@pytest.mark.parametrize("change", [lambda ct: ct, tilted], ids=["straight", "tilted"])
@pytest.mark.parametrize("name", LANDMARK_NAMES)
def test_drag_with_the_mouse(core, name, change):
    case = make_case(core, change=change, flipped=(True, False, True))
    nodes = built(case)
    view = SliceView(core)
    view.show(case.volume)
    show_slice(nodes, case.measurement.slice)
    view.pixels()
    numbers = []
    tag = nodes.landmarks.AddObserver(nodes.landmarks.PointModifiedEvent, lambda *_: numbers.append(apply_edits(nodes)))
    before = point(nodes, name)
    start = view.xy(before * RAS)
    stop = start + np.array((18, 9))
    view.drag(start, stop)
    nodes.landmarks.RemoveObserver(tag)
    followed = [measurement for measurement in numbers if measurement is not None]
    assert len(followed) >= 3, "the number follows while the mouse moves"
    to_ras = vtk.vtkMatrix4x4()
    to_ras.DeepCopy(view.node.GetXYToRAS())
    moved = (
        np.array(to_ras.MultiplyPoint((*stop, 0, 1))[:3]) - np.array(to_ras.MultiplyPoint((*start, 0, 1))[:3])
    ) * RAS
    one = nodes.shown_slice
    if name == "ideal":
        line = point(nodes, "posterior_falx") - point(nodes, "anterior_falx")
        moved = moved - moved @ line / (line @ line) * line
    np.testing.assert_allclose(point(nodes, name) - before, moved, atol=0.6)
    assert np.linalg.norm(moved) > 3
    assert abs(one.signed_shift_mm) == pytest.approx(by_hand(nodes), abs=0.01)
    assert nodes.distance.GetLineLengthWorld() == pytest.approx(by_hand(nodes), abs=0.01)
    assert one.edited and read_edits(nodes) == {}
    assert abs((point(nodes, name) - case.ct.origins[one.index]) @ case.ct.normal) < 1e-3, "it stays in the slice"


def test_everything_follows_a_moved_landmark(case):
    nodes = built(case)
    index = case.measurement.slice
    put(nodes, "shifted", point(nodes, "shifted") + np.array((4.0, 3.0, 2.0)))
    assert set(read_edits(nodes)) == {index} and set(read_edits(nodes)[index]) == {"shifted"}
    after = apply_edits(nodes)
    expected = case.measurement.signed_shift_mm + 4.0
    assert after.slice == index and after.signed_shift_mm == pytest.approx(expected, abs=0.01)
    assert to_json(nodes.measurement) == to_json(after) and to_json(nodes.original) == to_json(case.measurement)
    row = column(nodes.table, SLICE).index(index)
    assert column(nodes.table, SHIFT)[row] == pytest.approx(expected, abs=0.01)
    assert column(nodes.table, EDITED)[row] == "yes"
    assert column(nodes.node("case_table"), SHIFT) == pytest.approx([expected], abs=0.01)
    assert nodes.distance.GetNthControlPointLabel(1) == f"{expected:.1f} mm L (edited)"
    np.testing.assert_allclose(point(nodes, "ideal")[1], point(nodes, "shifted")[1], atol=1e-3)
    curve = slicer.util.arrayFromMarkupsControlPoints(nodes.deformed_midline) * RAS
    assert np.linalg.norm(curve - point(nodes, "shifted"), axis=1).min() < 1e-3
    assert apply_edits(nodes) is None


def test_paging_away_keeps_what_was_dragged(case):
    nodes = built(case)
    index = case.measurement.slice
    put(nodes, "shifted", point(nodes, "shifted") + np.array((2.0, 0, 0)))
    show_slice(nodes, index - 1)
    assert slice_of(nodes.measurement, index).edited and not slice_of(nodes.measurement, index - 1).edited
    show_slice(nodes, index)
    assert by_hand(nodes) == pytest.approx(case.measurement.signed_shift_mm + 2.0, abs=0.01)


def test_paging_with_an_observer_edits_nothing(case):
    """The points go to the new slice one after another; an observer must not take the first ones for a drag."""
    nodes = built(case)
    applied = []
    nodes.landmarks.AddObserver(nodes.landmarks.PointModifiedEvent, lambda *_: applied.append(apply_edits(nodes)))
    for one in (*case.measurement.slices, *reversed(case.measurement.slices)):
        show_slice(nodes, one.index)
    assert len(applied) > len(case.measurement.slices), "the observer was called"
    assert all(one is None for one in applied) and to_json(nodes.measurement) == to_json(case.measurement)


def test_case_number_moves_to_another_slice(case):
    nodes = built(case)
    index = case.measurement.slice
    other = index + 2
    show_slice(nodes, other)
    put(nodes, "shifted", point(nodes, "shifted") + np.array((9.0, 0, 0)))  # LPS: to the left
    after = apply_edits(nodes)
    assert after.slice == other and column(nodes.node("case_table"), SLICE) == [after.slice]
    show_slice(nodes, index)
    put(nodes, "shifted", point(nodes, "shifted") + np.array((20.0, 0, 0)))
    assert apply_edits(nodes).slice == index
    assert column(nodes.node("case_table"), SLICE) == [index] and nodes.shown == index


def test_back_to_the_models_add_and_review(case):
    nodes = built(case)
    index = case.measurement.slice
    put(nodes, "shifted", point(nodes, "shifted") + np.array((6.0, 0, 0)))
    apply_edits(nodes)
    update(nodes, restore(nodes.measurement, nodes.original, index))
    assert to_json(nodes.measurement) == to_json(case.measurement)
    np.testing.assert_allclose(point(nodes, "shifted"), nodes.shown_slice.landmarks_lps_mm["shifted"], atol=1e-3)
    top = case.measurement.slices[-1].index + 1
    show_slice(nodes, top)
    update(nodes, add_slice(nodes.measurement, nodes.geometry, top))
    assert nodes.landmarks.GetNumberOfControlPoints() == 4 and top in column(nodes.table, SLICE)
    put(nodes, "shifted", point(nodes, "ideal") - np.array((3.0, 0, 0)))
    assert slice_of(apply_edits(nodes), top).signed_shift_mm == pytest.approx(-3.0, abs=0.01)
    update(nodes, accept(nodes.measurement, "Dr A"))
    assert nodes.measurement.review.reader == "Dr A"
    update(nodes, restore(nodes.measurement, nodes.original))
    assert nodes.landmarks.GetNumberOfControlPoints() == 0, "the added slice is gone, and its landmarks with it"


def test_impossible_edit_is_reported_and_put_back(case):
    nodes = built(case)
    home = point(nodes, "anterior_falx")
    put(nodes, "anterior_falx", point(nodes, "posterior_falx"))
    with pytest.raises(InputError, match="are on one another"):
        apply_edits(nodes)
    np.testing.assert_allclose(point(nodes, "anterior_falx"), home, atol=1e-3)
    assert read_edits(nodes) == {} and not nodes.measurement.edited


@pytest.mark.parametrize("shift_mm", [8.0, -8.0])
@pytest.mark.parametrize("how", ["displacement", "registration"])
def test_looking_at_the_landmarks_under_a_transform_is_no_edit(core, shift_mm, how):
    """Under that of the displacement they are where they would normally be; under one of a registration with the scan."""
    case = make_case(core, shift_mm)
    nodes = built(case)
    transform = nodes.transform
    if how == "registration":
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        matrix = np.eye(4)
        matrix[:2, :2] = [[0.6, -0.8], [0.8, 0.6]]
        transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
    home = point(nodes, "shifted")
    nodes.landmarks.SetAndObserveTransformNodeID(transform.GetID())
    assert np.linalg.norm(point(nodes, "shifted") - home) > 5, "it is shown elsewhere"
    assert read_edits(nodes) == {}
    for index in (case.measurement.slice + 1, case.measurement.slice):
        show_slice(nodes, index)
    assert to_json(nodes.measurement) == to_json(case.measurement)
    nodes.landmarks.SetAndObserveTransformNodeID(None)
    np.testing.assert_allclose(point(nodes, "shifted"), home, atol=1e-3)


@pytest.mark.parametrize("shift_mm", [8.0, -8.0])
def test_a_drag_under_a_registration_counts_by_what_the_hand_moved(core, tmp_path, shift_mm):
    """The whole case turned in the plane of its slices: a hand moves in the view, the number is of the scan."""
    case = make_case(core, shift_mm)
    nodes = built(case)
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    turn = np.array([[0.6, -0.8, 0.0], [0.8, 0.6, 0.0], [0.0, 0.0, 1.0]])
    matrix = np.eye(4)
    matrix[:3, :3] = turn
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
    for node in (case.volume, nodes.landmarks, nodes.distance, nodes.ideal_midline):
        node.SetAndObserveTransformNodeID(transform.GetID())
    outward = np.sign(shift_mm) * np.array([-1.0, 0.0, 0.0])  # RAS, before the transform
    start = nodes.landmarks.GetNthControlPointPositionWorld(2)
    nodes.landmarks.SetNthControlPointPositionWorld(2, vtk.vtkVector3d(*(start + turn @ (3 * outward))))
    edited = apply_edits(nodes)
    assert edited.signed_shift_mm == pytest.approx(case.measurement.signed_shift_mm + 3 * np.sign(shift_mm), abs=0.05)
    assert nodes.distance.GetLineLengthWorld() == pytest.approx(abs(edited.signed_shift_mm), abs=0.01)
    core.save(tmp_path / "turned.mrb")
    fresh = SlicerCore(tmp_path / "fresh")
    fresh.load(tmp_path / "turned.mrb")
    (loaded,) = find_all(fresh.scene)
    assert read_edits(loaded) == {} and to_json(loaded.measurement) == to_json(edited)


@pytest.mark.parametrize(
    ("matrix", "moved"),
    [
        (np.eye(4), False),
        (np.eye(4) + 0.2 * np.eye(4, k=3), False),
        (np.eye(4) + 2.0 * np.eye(4, k=3), True),
        (np.diag([-1.0, 1.0, 1.0, 1.0]), True),
        (np.diag([1.02, 1.02, 1.02, 1.0]), True),
    ],
    ids=["nothing", "a fifth of a millimetre", "two millimetres", "mirrored", "scaled"],
)
def test_a_scan_that_was_moved_after_measuring_is_known(case, matrix, moved):
    nodes = built(case)
    assert not was_moved(nodes)
    middle = case.ct.to_lps(10, np.array([54.5, 64.5])) * RAS  # a mirror through the head's middle
    around = np.eye(4)
    around[:3, 3] = middle
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(around @ matrix @ np.linalg.inv(around)))
    case.volume.SetAndObserveTransformNodeID(transform.GetID())
    assert was_moved(nodes) == moved
    case.volume.HardenTransform()
    assert was_moved(nodes) == moved, "applied for good it is as far away"
    nodes.state_node.RemoveAttribute("MidlineShift.place")
    assert not was_moved(nodes), "a scene of an older version does not say where it was"


def test_a_deleted_point_comes_back(case):
    nodes = built(case)
    nodes.landmarks.RemoveNthControlPoint(0)
    assert read_edits(nodes) == {}
    show_slice(nodes, nodes.shown)
    assert nodes.landmarks.GetNumberOfControlPoints() == 4
