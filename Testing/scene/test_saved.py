"""Saved as .mrb, closed and loaded again: everything is back, belongs together, and is live."""

import json
from dataclasses import replace

import numpy as np
import pytest
from mrml_core import SlicerCore, slicer, vtk

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.measurement.review import accept
from MidlineShiftLogic.reporting.measurement_json import to_json
from MidlineShiftLogic.scene import (
    add_healthy,
    apply_edits,
    build_scene,
    find_all,
    find_of_volume,
    head_ct_from_volume,
    is_visible,
    remove,
    set_visible,
    show_slice,
    update,
    was_moved,
)
from MidlineShiftLogic.scene.folder import folder_of
from MidlineShiftLogic.scene.nodes import MADE

from .conftest import make_case, painted, tilted
from .test_displacement import moved_lps


def push(nodes, mm):
    place = np.array(nodes.landmarks.GetNthControlPointPositionWorld(2)) - np.array((mm, 0, 0))
    nodes.landmarks.SetNthControlPointPositionWorld(2, vtk.vtkVector3d(*place))


@pytest.fixture()
def saved(core, tmp_path):
    """Two measured volumes, one edited, reviewed and shown on another slice; saved."""
    left, right = make_case(core, 8.0, "Left", change=tilted), make_case(core, -5.0, "Right")
    nodes = [build_scene(one.volume, one.ct, one.measurement, one.dense) for one in (left, right)]
    for one, case in zip(nodes, (left, right), strict=True):
        add_healthy(one, painted(case.ct))
    push(nodes[0], 2.0)
    apply_edits(nodes[0])
    update(nodes[0], accept(nodes[0].measurement, "Dr A", "looks right"))
    show_slice(nodes[0], left.measurement.slices[2].index)
    set_visible(nodes[0], "distance", False)
    set_visible(nodes[0], "grid", True)
    path = tmp_path / "scene Ä.mrb"
    core.save(path)
    return path, (left, right), nodes


def test_everything_is_back_and_belongs_together(saved, tmp_path):
    path, cases, before = saved
    fresh = SlicerCore(tmp_path / "fresh")
    fresh.load(path)
    after = find_all(fresh.scene)
    assert len(after) == 2
    for old, new, case in zip(before, after, cases, strict=True):
        assert new.volume.GetName() == case.volume.GetName() and find_of_volume(new.volume) == [new]
        assert to_json(new.measurement) == to_json(old.measurement) and new.shown == old.shown
        assert to_json(new.original) == to_json(case.measurement)
        np.testing.assert_allclose(new.geometry.origins, case.ct.origins, atol=1e-9)
        for role in MADE:
            assert new.node(role).GetName() == old.node(role).GetName()
        assert new.healthy.GetAttribute("MidlineShift.madeBy") == "painter 3"
        assert not was_moved(new)
        for role in ("volume", "warped", "magnitude", "healthy"):
            # Slicer turns a left-handed volume's slices round when it reads it; the scan is the same
            scans = [head_ct_from_volume(nodes.node(role)) for nodes in (old, new)]
            np.testing.assert_allclose(scans[1].hu, scans[0].hu, atol=1e-4)
            np.testing.assert_allclose(scans[1].origins, scans[0].origins, atol=1e-3)
        for role in ("landmarks", "ideal_midline", "deformed_midline", "distance"):
            np.testing.assert_allclose(
                slicer.util.arrayFromMarkupsControlPoints(new.node(role)),
                slicer.util.arrayFromMarkupsControlPoints(old.node(role)),
                atol=1e-3,
            )
        tables = [
            slicer.util.arrayFromTableColumn(nodes.table, "Shift to the left (mm)").tolist() for nodes in (old, new)
        ]
        assert tables[0] == tables[1]
        assert new.chart.GetNthPlotSeriesNode(0).GetTableNode() is new.table
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(fresh.scene)
        assert hierarchy.GetItemByDataNode(new.landmarks) in _children(hierarchy, folder_of(new))
    assert after[0].measurement.review.reader == "Dr A"
    assert not is_visible(after[0], "distance") and is_visible(after[0], "grid") and is_visible(after[1], "distance")


def test_the_transform_still_points_the_same_way(saved, tmp_path):
    path, (case, _), (old, _) = saved
    fresh = SlicerCore(tmp_path / "fresh")
    fresh.load(path)
    new = find_all(fresh.scene)[0]
    one = case.measurement.slices[4]
    place = np.array([one.landmarks_lps_mm[name] for name in ("shifted", "anterior_falx")])
    np.testing.assert_allclose(moved_lps(new.transform, place), moved_lps(old.transform, place), atol=0.01)
    assert np.linalg.norm(moved_lps(new.transform, place)[0] - one.landmarks_lps_mm["ideal"]) < 0.6


def test_it_is_live(saved, tmp_path):
    path, _, (old, _) = saved
    fresh = SlicerCore(tmp_path / "fresh")
    fresh.load(path)
    new = find_all(fresh.scene)[0]
    assert new.distance.GetNthControlPointLabel(1) == old.distance.GetNthControlPointLabel(1)
    before = new.shown_slice.signed_shift_mm
    push(new, 1.5)
    apply_edits(new)
    assert new.shown_slice.signed_shift_mm == pytest.approx(before + 1.5, abs=0.01)
    assert new.measurement.review is None
    remove(new)
    assert len(find_all(fresh.scene)) == 1


def test_loaded_into_a_scene_that_has_measurements(saved):
    """Node ids clash then, and Slicer renames: references must lead to the loaded nodes."""
    path, (left, _), before = saved
    left.core.load(path)
    nodes = find_all(left.core.scene)
    assert len(nodes) == 4 and nodes[:2] == before
    ids = {one.node(role).GetID() for one in nodes for role in ("volume", *MADE)}
    assert len(ids) == 4 * (len(MADE) + 1)
    push(nodes[2], 1.0)
    apply_edits(nodes[2])
    assert nodes[0].measurement.review is not None, "only the loaded one was edited"


def test_a_damaged_or_newer_state_is_reported(case):
    nodes = build_scene(case.volume, case.ct, case.measurement, case.dense)
    for text, says in (("", "damaged"), ("{}", "damaged"), ('{"format": "midlineshift-scene/9"}', "scene/9")):
        nodes.state_node.SetText(text)
        with pytest.raises(InputError, match=says):
            assert nodes.measurement
        assert says in nodes.damage
    remove(nodes)
    assert find_all(case.core.scene) == []


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("shown",), 999),
        (("geometry", "origins_lps"), [[0.0, 0.0, 0.0]]),
        (("geometry", "pixel_spacing_mm"), [0.0, 1.0]),
        (("original", "case", "signed_shift_mm"), "8.0"),
        (("original", "case", "slice"), 0),
        (("original", "case", "p_over_5mm"), "high"),
        (("original", "input"), None),
        (("original", "slices"), []),
        (("original", "slices", 0, "index"), -1),
        (("original", "slices", 0, "height_mm"), None),
        (("original", "slices", 0, "midline", "pixel"), [[1.0, None]]),
        (("original", "slices", 0, "landmarks", "ideal", "lps_mm"), [1.0, None, 3.0]),
        (("original", "slices", 0, "landmarks", "ideal"), {}),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_a_state_with_one_wrong_value_is_damaged(case, where, value):
    """All that is shown and drawn comes from the text, so that a hand in it must not get as far as a view."""
    nodes = build_scene(case.volume, case.ct, case.measurement, None)
    assert nodes.damage == ""
    data = json.loads(nodes.state_node.GetText())
    *path, last = where
    part = data
    for key in path:
        part = part[key]
    assert part[last] != value
    part[last] = value
    nodes.state_node.SetText(json.dumps(data))
    assert "damaged" in nodes.damage


def test_a_blind_review_before_its_first_landmark_is_no_damage(case):
    nodes = build_scene(case.volume, case.ct, case.measurement, None)
    empty = replace(case.measurement, slices=(), slice=None, signed_shift_mm=None)
    nodes.state = replace(nodes.state, measurement=empty, original=empty)
    assert nodes.damage == "" and nodes.measurement.slices == ()


def _children(hierarchy, folder):
    ids = vtk.vtkIdList()
    hierarchy.GetItemChildren(folder, ids)
    return {ids.GetId(index) for index in range(ids.GetNumberOfIds())}
