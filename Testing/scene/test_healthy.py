"""The pseudo-healthy image in the scene: on the scan's own grid, only in the brain, in the measurement's folder, removable."""

from dataclasses import replace

import numpy as np
import pytest
from mrml_core import slicer

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.scene import add_healthy, build_scene, head_ct_from_volume, remove, remove_healthy
from MidlineShiftLogic.scene.folder import folder_of

from .conftest import make_case, painted, tilted

STORED = [
    {"flipped": (True, False, False)},
    {"order": (2, 0, 1), "flipped": (False, True, True)},
]


def built(case):
    return build_scene(case.volume, case.ct, case.measurement, case.dense)


@pytest.mark.parametrize("storage", STORED, ids=["left-handed", "turned"])
@pytest.mark.parametrize("change", [lambda ct: ct, tilted], ids=["upright", "tilted"])
def test_is_on_the_scan_and_changes_only_the_brain(core, change, storage):
    case = make_case(core, change=change, **storage)
    nodes = built(case)
    node = add_healthy(nodes, painted(case.ct, [7, 9]))
    found, scan = head_ct_from_volume(node), case.ct
    np.testing.assert_allclose(found.origins, scan.origins, atol=1e-3)
    expected = scan.hu.copy()
    for index in (7, 9):
        expected[index, 40:70, 30:80] = 10 + index
    np.testing.assert_allclose(found.hu, expected, atol=1e-4)
    assert slicer.util.arrayFromVolume(node).shape == slicer.util.arrayFromVolume(case.volume).shape
    assert node.GetDisplayNode().GetWindow() == 80 and node.GetDisplayNode().GetLevel() == 40
    assert nodes.healthy is node and node.GetAttribute("MidlineShift.madeBy") == "painter 3"


def test_thin_slices_get_the_picture_of_their_slab(core):
    """Slices of 2.5 mm under a tilted gantry, measured in pairs: each is painted where it is, not where its slab does."""
    thin = tilted(make_case(core).ct)
    thin = replace(thin, origins=thin.origins[0] + (thin.origins - thin.origins[0]) / 2, thickness=thin.thickness / 2)
    from mrml_core import add_volume

    from .conftest import stored

    volume = add_volume(core, *stored(thin), "Thin")
    ct = head_ct_from_volume(volume)
    assert ct.n_slices == thin.n_slices // 2
    case = make_case(core)
    one = replace(case.measurement.slices[2], index=4)
    measurement = replace(case.measurement, slices=(one,), slice=4)
    dense = replace(
        case.dense, warped_hu=ct.hu, displacement_mm=np.zeros((ct.n_slices, 2, *ct.hu.shape[1:]), np.float16)
    )
    nodes = build_scene(volume, ct, measurement, dense)
    found = head_ct_from_volume(add_healthy(nodes, painted(ct, [4])))
    assert found.n_slices == ct.n_slices
    shown = slicer.util.arrayFromVolume(nodes.healthy)
    scan = slicer.util.arrayFromVolume(volume)
    painted_slices = [k for k in range(len(scan)) if np.abs(shown[k] - scan[k]).max() > 0.5]
    assert painted_slices == list(ct.source_slices[4])
    middle = ct.to_lps(4, np.array([[54.5, 54.5]]))[0]
    for k in painted_slices:
        # the scan's slices are obliquely over one another: the picture keeps its place along the patient's axes
        row = thin.to_pixels(k, middle)[1]
        weight = ((shown[k] - scan[k]) / (14 - scan[k]))[30:80, 50]
        assert (weight * np.arange(30, 80)).sum() / weight.sum() == pytest.approx(row, abs=0.08)
        assert abs(row - 54.5) > 0.2


def test_is_in_the_folder_and_replaced_and_removed_alone(case):
    before = case.core.node_ids()
    nodes = built(case)
    made = case.core.node_ids()
    first = add_healthy(nodes, painted(case.ct))
    count = len(case.core.node_ids())
    second = add_healthy(nodes, painted(case.ct, [6]))
    assert nodes.healthy is second and first.GetScene() is None and len(case.core.node_ids()) == count
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(case.core.scene)
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(second)) == folder_of(nodes)
    remove_healthy(nodes)
    remove_healthy(nodes)
    assert case.core.node_ids() == made and nodes.healthy is None
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(nodes.warped)) == folder_of(nodes)
    add_healthy(nodes, painted(case.ct))
    remove(nodes)
    assert case.core.node_ids() == before


def test_of_another_scan_is_refused(case):
    nodes = built(case)
    before = case.core.node_ids()
    wrong = painted(replace(case.ct, hu=case.ct.hu[:, :-1]))
    for image in (wrong, painted(case.ct, [case.ct.n_slices])):
        with pytest.raises(InputError, match="not of this scan"):
            add_healthy(nodes, image)
    case.core.scene.RemoveNode(case.volume)
    with pytest.raises(InputError, match="no longer in the scene"):
        add_healthy(nodes, painted(case.ct))
    assert not (case.core.node_ids() - before)
