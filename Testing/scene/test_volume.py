"""Any volume node gives the canonical scan where it is in the world, and arrays go back to its own grid."""

from itertools import permutations

import numpy as np
import pytest
from mrml_core import add_volume, slicer, vtk

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct import read
from MidlineShiftLogic.scene import head_ct_from_volume
from MidlineShiftLogic.scene.volume import add_volume_like, stored_array

from .conftest import LPS_TO_RAS, SAMPLE, small_head, stored, tilted


def same_scan(found, truth, atol=1e-3):
    np.testing.assert_array_equal(found.hu, truth.hu)
    for index in (0, truth.n_slices - 1):
        points = np.array([[0, 0], [40.0, 7.5], [truth.hu.shape[2] - 1, truth.hu.shape[1] - 1]])
        np.testing.assert_allclose(found.to_lps(index, points), truth.to_lps(index, points), atol=atol)


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("flipped", [(False,) * 3, (True, False, False), (False, True, True), (True,) * 3])
def test_every_storage_order_and_handedness(core, order, flipped):
    truth = small_head()
    volume = add_volume(core, *stored(truth, order, flipped))
    same_scan(head_ct_from_volume(volume), truth)
    values = slicer.util.arrayFromVolume(volume)
    np.testing.assert_array_equal(stored_array(volume, truth.hu), values)
    copy = add_volume_like(volume, truth.hu, "copy")
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(copy), values)
    ours, theirs = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
    copy.GetIJKToRASMatrix(ours)
    volume.GetIJKToRASMatrix(theirs)
    np.testing.assert_allclose(slicer.util.arrayFromVTKMatrix(ours), slicer.util.arrayFromVTKMatrix(theirs), atol=1e-9)


def test_tilted_stack_keeps_its_plane(core):
    truth = tilted(small_head())
    found = head_ct_from_volume(add_volume(core, *stored(truth, flipped=(True, False, True))))
    same_scan(found, truth)
    np.testing.assert_allclose(found.normal, truth.normal, atol=1e-6)
    assert "gantry-tilt" in {flag.code for flag in found.quality}


def test_linear_parents_are_part_of_the_geometry(core):
    truth = small_head()
    angle = np.radians(12)
    parent = np.eye(4)
    parent[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    parent[:3, 3] = 10, -20, 30
    values, to_ras = stored(truth)
    outer, inner = (core.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode") for _ in range(2))
    inner.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(parent))
    inner.SetAndObserveTransformNodeID(outer.GetID())
    shift = np.eye(4)
    shift[0, 3] = 7
    outer.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(shift))
    found = head_ct_from_volume(add_volume(core, values, to_ras, parent=inner))
    points = np.array([[0, 0], [50.0, 20.0]])
    ras = np.c_[truth.to_lps(3, points) @ LPS_TO_RAS[:3, :3], np.ones(2)]
    np.testing.assert_allclose(
        found.to_lps(3, points), (shift @ parent @ ras.T).T[:, :3] @ LPS_TO_RAS[:3, :3], atol=1e-6
    )
    np.testing.assert_array_equal(found.hu, truth.hu)


def slice_by_slice(core, places, up=None):
    """A grid transform as Slicer's DICOM reader adds it: nodes at the first and last pixel of every slice."""
    image = vtk.vtkImageData()
    image.SetDimensions(2, 2, len(places))
    image.SetOrigin(-200, -200, 0)
    image.SetSpacing(400, 400, 5.0)
    vectors = np.zeros((len(places), 2, 2, 3))
    vectors[:] = places[:, None, None]
    if up is not None:
        vectors[:, 1, 1] += up
    scalars = vtk.util.numpy_support.numpy_to_vtk(vectors.reshape(-1, 3), deep=True)
    image.GetPointData().SetScalars(scalars)
    grid = slicer.vtkOrientedGridTransform()
    grid.SetDisplacementGridData(image)
    node = core.scene.AddNewNodeByClass("vtkMRMLGridTransformNode", "acquisition transform")
    node.SetAndObserveTransformToParent(grid)
    return node


def test_acquisition_transform_moves_whole_slices(core):
    truth = small_head()
    moves = np.zeros((truth.n_slices, 3))
    moves[10:, 2] = 2.5 * np.arange(truth.n_slices - 10)
    moves[:, 1] = np.linspace(0, 14, truth.n_slices)
    found = head_ct_from_volume(add_volume(core, *stored(truth), parent=slice_by_slice(core, moves)))
    np.testing.assert_allclose(found.origins, truth.origins + moves @ LPS_TO_RAS[:3, :3], atol=1e-3)
    np.testing.assert_allclose(found.pixel_spacing, truth.pixel_spacing, atol=1e-6)
    np.testing.assert_array_equal(found.hu, truth.hu)
    assert {"irregular-spacing", "gantry-tilt"} <= {flag.code for flag in found.quality}


def test_transform_that_bends_slices_is_refused(core):
    truth = small_head()
    bent = slice_by_slice(core, np.zeros((truth.n_slices, 3)), up=np.array([0, 0, 9.0]))
    with pytest.raises(InputError, match="'acquisition transform' bends"):
        head_ct_from_volume(add_volume(core, *stored(truth), parent=bent))


def test_same_scan_as_the_file(core):
    """The panel's scan is the command's: the child process measures a file, the scene shows a node."""
    volume = core.logics["Volumes"].AddArchetypeVolume(str(SAMPLE), "Sample")
    same_scan(head_ct_from_volume(volume), read(SAMPLE))


def test_what_is_no_scan_is_reported(core):
    empty = core.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Empty")
    with pytest.raises(InputError, match="'Empty' has no voxels"):
        head_ct_from_volume(empty)
    colour = core.scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "Photo")
    slicer.util.updateVolumeFromArray(colour, np.zeros((4, 5, 6, 3), np.uint8))
    with pytest.raises(InputError, match="several values"):
        head_ct_from_volume(colour)
