"""Every node a user expects, with its values; many measurements side by side; removed without a trace."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from mrml_core import SliceView, slicer

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.measurement.edit import slice_of
from MidlineShiftLogic.measurement.results import Measurement
from MidlineShiftLogic.scene import (
    PARTS,
    add_healthy,
    build_scene,
    find_all,
    find_of_volume,
    is_visible,
    remove,
    set_visible,
    show_slice,
)
from MidlineShiftLogic.scene import displacement as displacement_module
from MidlineShiftLogic.scene.folder import folder_of
from MidlineShiftLogic.scene.nodes import MADE
from MidlineShiftLogic.scene.shift_table import COLUMNS, HEIGHT, SHIFT, SLICE, WINDOW

from .conftest import make_case, painted

RAS = np.array([-1.0, -1.0, 1.0])


def built(case):
    """Everything that can be made, the pseudo-healthy image too."""
    nodes = build_scene(case.volume, case.ct, case.measurement, case.dense)
    add_healthy(nodes, painted(case.ct))
    return nodes


def points_ras(node):
    return np.array([node.GetNthControlPointPositionWorld(index) for index in range(node.GetNumberOfControlPoints())])


def column(table, name):
    values = table.GetTable().GetColumnByName(name)
    return [values.GetValue(row) for row in range(values.GetNumberOfValues())]


def test_markups_are_where_the_measurement_says(case):
    nodes = built(case)
    one = slice_of(case.measurement, case.measurement.slice)
    place = {name: point * RAS for name, point in one.landmarks_lps_mm.items()}
    assert nodes.shown == case.measurement.slice
    np.testing.assert_allclose(points_ras(nodes.landmarks), np.array(list(place.values())), atol=1e-3)
    np.testing.assert_allclose(
        points_ras(nodes.ideal_midline), [place["anterior_falx"], place["posterior_falx"]], atol=1e-3
    )
    np.testing.assert_allclose(points_ras(nodes.distance), [place["ideal"], place["shifted"]], atol=1e-3)
    np.testing.assert_allclose(
        points_ras(nodes.deformed_midline), case.ct.to_lps(one.index, one.midline_px) * RAS, atol=1e-3
    )
    assert nodes.distance.GetLineLengthWorld() == pytest.approx(abs(one.signed_shift_mm), abs=1e-3)
    assert nodes.distance.GetNthControlPointLabel(1) == "8.0 mm L"
    # patient's left is -R: the shifted point is there
    assert place["shifted"][0] < place["ideal"][0] - 5
    assert not nodes.landmarks.GetLocked()
    assert all(node.GetLocked() for node in (nodes.ideal_midline, nodes.deformed_midline, nodes.distance))


def test_another_slice_shows_its_own_landmarks_and_an_unmeasured_one_none(case):
    nodes = built(case)
    one = case.measurement.slices[1]
    show_slice(nodes, one.index)
    np.testing.assert_allclose(points_ras(nodes.landmarks)[2], one.landmarks_lps_mm["shifted"] * RAS, atol=1e-3)
    show_slice(nodes, 0)
    assert nodes.shown == 0 and nodes.shown_slice is None
    for role in ("landmarks", "ideal_midline", "deformed_midline", "distance"):
        assert nodes.node(role).GetNumberOfControlPoints() == 0
    show_slice(nodes, one.index)
    assert nodes.landmarks.GetNumberOfControlPoints() == 4
    for index in (-1, case.ct.n_slices):
        with pytest.raises(IndexError):
            show_slice(nodes, index)


def test_table_and_plot_show_every_slice(case):
    nodes = built(case)
    table = nodes.table
    assert tuple(table.GetTable().GetColumnName(i) for i in range(table.GetNumberOfColumns())) == COLUMNS
    assert column(table, SLICE) == [one.index for one in case.measurement.slices]
    np.testing.assert_allclose(
        column(table, SHIFT), [one.signed_shift_mm for one in case.measurement.slices], atol=0.005
    )
    np.testing.assert_allclose(column(table, HEIGHT), [one.height_mm for one in case.measurement.slices], atol=0.05)
    assert column(table, WINDOW) == ["yes" if one.in_case_window else "no" for one in case.measurement.slices]
    assert column(nodes.node("case_table"), SLICE) == [case.measurement.slice]
    chart = nodes.chart
    assert "+ toward the patient's left" in chart.GetYAxisTitle()
    names = [chart.GetNthPlotSeriesNode(index).GetName() for index in range(2)]
    assert names == ["each slice", "slice of the case"]
    series = chart.GetNthPlotSeriesNode(0)
    assert series.GetTableNode() is table and (series.GetXColumnName(), series.GetYColumnName()) == (SLICE, SHIFT)
    assert "Research use only" in chart.GetTitle()


def test_all_is_in_one_folder_beside_the_volume(case):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(case.core.scene)
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "Study")
    hierarchy.CreateItem(study, case.volume)
    nodes = built(case)
    folder = folder_of(nodes)
    assert hierarchy.GetItemParent(folder) == study and "CT" in hierarchy.GetItemName(folder)
    for node in (nodes.state_node, *(nodes.node(role) for role in MADE if role != "colours")):
        assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) == folder
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(case.volume)) == study


def test_remove_takes_exactly_what_was_made(case):
    view = SliceView(case.core)
    view.show(case.volume)
    view.pixels()
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(case.core.scene)
    own = case.core.scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "CT midline shift - landmarks")
    before, items = case.core.node_ids(), hierarchy.GetNumberOfItems()
    nodes = built(case)
    set_visible(nodes, "grid", True)
    show_slice(nodes, nodes.measurement.slice)
    view.pixels()
    case.core.save(case.core.folder / "scene.mrb")  # gives the nodes storage nodes
    storage = {name for name in case.core.node_ids() if "Storage" in name and name not in before}
    kept = {case.volume.GetStorageNodeID(), own.GetStorageNodeID()}
    remove(nodes)
    assert case.core.node_ids() - (storage & kept) == before
    assert hierarchy.GetNumberOfItems() == items + 1  # the volume got one: the core alone makes none
    assert own.GetScene() is case.core.scene and find_all(case.core.scene) == []
    remove(nodes)


def test_folder_with_something_of_the_users_stays(case):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(case.core.scene)
    nodes = built(case)
    folder = folder_of(nodes)
    own = case.core.scene.AddNewNodeByClass("vtkMRMLTextNode", "my notes")
    item = hierarchy.CreateItem(folder, own)
    remove(nodes)
    assert own.GetScene() is case.core.scene and hierarchy.GetItemParent(item) == folder


def test_several_measurements_do_not_mix(core):
    left, right = make_case(core, 8.0), make_case(core, -5.0)
    first, second, again = built(left), built(right), built(left)
    assert find_all(core.scene) == [first, second, again]
    assert find_of_volume(left.volume) == [first, again] and find_of_volume(right.volume) == [second]
    assert second.distance.GetNthControlPointLabel(0) == "5.0 mm R"
    roles = [nodes.node(role).GetID() for nodes in (first, second, again) for role in MADE]
    assert len(set(roles)) == len(roles)
    remove(first)
    assert find_all(core.scene) == [second, again]
    assert all(again.node(role) is not None for role in MADE)
    show_slice(again, left.measurement.slices[0].index)
    assert second.shown == right.measurement.slice


def test_parts_switch_on_and_off(case):
    nodes = built(case)
    assert [is_visible(nodes, part) for part in PARTS] == [True, True, True, True, False]
    for part in PARTS:
        for visible in (False, True, False):
            set_visible(nodes, part, visible)
            assert is_visible(nodes, part) is visible
        others = {other for other in PARTS if other != part and is_visible(nodes, other)}
        assert others == set(PARTS[PARTS.index(part) + 1 :]) - {"grid"}
    show_slice(nodes, nodes.measurement.slices[0].index)
    assert not any(is_visible(nodes, part) for part in PARTS), "another slice does not switch anything on"
    with pytest.raises(ValueError, match="no part 'skull'"):
        set_visible(nodes, "skull", True)


@pytest.mark.parametrize("role", MADE)
def test_a_node_the_user_deleted_is_not_missed(case, role):
    from MidlineShiftLogic.scene import apply_edits, update

    nodes = built(case)
    case.core.scene.RemoveNode(nodes.node(role))
    update(nodes, nodes.measurement)
    show_slice(nodes, case.measurement.slices[0].index)
    assert apply_edits(nodes) is None
    for part in PARTS:
        set_visible(nodes, part, True)
    remove(nodes)
    assert find_all(case.core.scene) == []


def test_refused_or_foreign_results_leave_nothing(case, monkeypatch):
    before = case.core.node_ids()
    refused = Measurement("x", None, None, refused={"code": "few-slices", "message": "Only 3 slices."})
    with pytest.raises(InputError, match="not measured"):
        build_scene(case.volume, case.ct, refused, case.dense)
    other = replace(case.ct, hu=case.ct.hu[:-1], origins=case.ct.origins[:-1], thickness=case.ct.thickness[:-1])
    with pytest.raises(InputError, match="not of this scan"):
        build_scene(case.volume, other, case.measurement, case.dense)

    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(displacement_module, "thin_stack", fail)
    with pytest.raises(MemoryError):
        built(case)
    assert case.core.node_ids() == before


def test_the_scene_needs_neither_torch_nor_the_networks():
    """The panel imports it in Slicer's own process, where torch must not be loaded."""
    code = (
        "import sys, MidlineShiftLogic.scene, MidlineShiftLogic.measurement.edit\n"
        "print([name for name in ('torch', 'monai', 'matplotlib', 'nibabel', 'skimage') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"
