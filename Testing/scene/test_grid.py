"""The displacement's grid: bent as tissue was pushed, on the shown slice, in the views that it is meant for."""

import numpy as np
import pytest
from mrml_core import SliceView, slicer

from MidlineShiftLogic.scene import build_scene, set_visible, show_slice
from MidlineShiftLogic.scene.grid import LINE_DISTANCE_MM
from MidlineShiftLogic.scene.planar_field import PlanarField

from .conftest import make_case, tilted
from .test_displacement import moved_lps

FLIP = np.array([-1, -1, 1])


@pytest.fixture(params=[lambda ct: ct, tilted], ids=["upright", "tilted"])
def case(core, request):
    return make_case(core, change=request.param)


def nodes_of(case):
    return build_scene(case.volume, case.ct, case.measurement, case.dense)


def points_lps(nodes):
    return slicer.util.arrayFromModelPoints(nodes.node("grid")).astype(float) * FLIP


def test_is_square_in_the_unshifted_head_and_bent_in_the_scan(case):
    nodes = nodes_of(case)
    set_visible(nodes, "grid", True)
    index, ct = nodes.shown, case.ct
    here = points_lps(nodes)
    assert len(here) > 300
    offset = here - ct.origins[index]
    assert np.abs(offset @ ct.normal).max() < 0.01, "on the slice"
    normal_place = moved_lps(nodes.transform, here) - ct.origins[index]
    rows, columns = normal_place @ ct.row_axis, normal_place @ ct.column_axis
    off_line = np.minimum(
        *(np.abs(one - LINE_DISTANCE_MM * np.rint(one / LINE_DISTANCE_MM)) for one in (rows, columns))
    )
    assert off_line.max() < 0.05
    # pushed to the patient's left, by as much as was measured
    field = PlanarField(ct, case.dense.displacement_mm)
    farthest = np.linalg.norm(moved_lps(nodes.transform, here) - here, axis=1)
    assert farthest.max() == pytest.approx(field.displacement_mm[index].astype(float).__abs__().max(), abs=0.6)
    assert ((here - moved_lps(nodes.transform, here)) @ ct.column_axis).max() > 5


def test_follows_the_shown_slice_only_while_it_is_on(case):
    nodes = nodes_of(case)
    show_slice(nodes, 9, [])
    assert nodes.node("grid").GetPolyData().GetNumberOfPoints() == 0
    set_visible(nodes, "grid", True)
    first = points_lps(nodes)
    show_slice(nodes, 11, [])
    second = points_lps(nodes)
    assert np.abs((second - case.ct.origins[11]) @ case.ct.normal).max() < 0.01 and len(first) != len(second)
    set_visible(nodes, "grid", False)
    show_slice(nodes, 9, [])
    assert np.array_equal(points_lps(nodes), second)
    case.core.scene.RemoveNode(nodes.transform)
    set_visible(nodes, "grid", True)
    assert nodes.node("grid").GetPolyData().GetNumberOfPoints() == 0


def test_is_drawn_in_the_views_it_is_meant_for(case):
    views = {name: SliceView(case.core, name) for name in ("Red", "Yellow")}
    for view in views.values():
        view.show(case.volume)
    nodes = nodes_of(case)
    show_slice(nodes, nodes.shown)
    before = {name: view.pixels().astype(int) for name, view in views.items()}

    def drawn():
        return {
            name for name, view in views.items() if np.abs(view.pixels() - before[name]).max(-1).__gt__(60).sum() > 300
        }

    set_visible(nodes, "grid", True)
    assert drawn() == {"Red", "Yellow"}
    nodes.node("grid").GetDisplayNode().AddViewNodeID("vtkMRMLSliceNodeYellow")
    assert drawn() == {"Yellow"}
