"""The transform puts tissue back, not further off: by landmark, by voxel, in tilted and in averaged stacks."""

from dataclasses import replace

import numpy as np
import pytest
from mrml_core import add_volume, slicer, vtk
from vtk.util.numpy_support import vtk_to_numpy

from MidlineShiftLogic.headct.slabs import group_slices
from MidlineShiftLogic.measurement.edit import slice_of
from MidlineShiftLogic.scene import build_scene, head_ct_from_volume

from .conftest import make_case, measured_case, small_head, stored, tilted


def world(transform_node):
    transform = vtk.vtkGeneralTransform()
    transform_node.GetTransformToWorld(transform)
    return transform


def moved_lps(transform_node, points_lps):
    flip = np.array([-1.0, -1.0, 1.0])
    return np.array([world(transform_node).TransformPoint(point) for point in np.atleast_2d(points_lps) * flip]) * flip


def warped_by_vtk(volume, transform_node) -> np.ndarray:
    """(k, j, i): the volume put under the transform and looked at on its own grid."""
    to_ras = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(to_ras)
    from_ras = vtk.vtkMatrix4x4()
    vtk.vtkMatrix4x4.Invert(to_ras, from_ras)
    back = vtk.vtkGeneralTransform()
    transform_node.GetTransformFromWorld(back)
    look_up = vtk.vtkGeneralTransform()
    look_up.PostMultiply()
    look_up.Concatenate(to_ras)
    look_up.Concatenate(back)
    look_up.Concatenate(from_ras)
    reslice = vtk.vtkImageReslice()
    reslice.SetInputData(volume.GetImageData())
    reslice.SetResliceTransform(look_up)
    reslice.SetInterpolationModeToLinear()
    reslice.AutoCropOutputOff()
    reslice.SetInformationInput(volume.GetImageData())
    reslice.Update()
    image = reslice.GetOutput()
    return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])


def expected_point(case, one, name):
    """Where the displacement field takes a landmark, in LPS."""
    from scipy.ndimage import map_coordinates

    column, row = one.landmarks_px[name]
    u = [
        map_coordinates(case.dense.displacement_mm[one.index, axis].astype(float), [[row], [column]], order=1)[0]
        for axis in (0, 1)
    ]
    return one.landmarks_lps_mm[name] + u[0] * case.ct.row_axis + u[1] * case.ct.column_axis


@pytest.mark.parametrize("change", [lambda ct: ct, tilted], ids=["straight", "tilted"])
@pytest.mark.parametrize("flipped", [(False,) * 3, (True, False, True)], ids=["right-handed", "turned"])
def test_shifted_landmark_lands_on_the_ideal_midline(core, change, flipped):
    case = make_case(core, change=change, flipped=flipped)
    nodes = build_scene(case.volume, case.ct, case.measurement, case.dense)
    for one in case.measurement.slices:
        for name in ("anterior_falx", "posterior_falx", "shifted"):
            landed = moved_lps(nodes.transform, one.landmarks_lps_mm[name])[0]
            np.testing.assert_allclose(landed, expected_point(case, one, name), atol=0.12)
        # the drawn midline is the field at the ideal place, which differs a little from that at the shifted one
        assert np.linalg.norm(landed - one.landmarks_lps_mm["ideal"]) < 0.6


@pytest.mark.parametrize("shift_mm", [8.0, -6.0], ids=["left", "right"])
@pytest.mark.parametrize("change", [lambda ct: ct, tilted], ids=["straight", "tilted"])
def test_volume_under_the_transform_is_the_warped_scan(core, shift_mm, change):
    case = make_case(core, shift_mm, change=change, flipped=(True, False, True))
    nodes = build_scene(case.volume, case.ct, case.measurement, case.dense)
    by_vtk = warped_by_vtk(case.volume, nodes.transform)
    warped = slicer.util.arrayFromVolume(nodes.warped)
    scan = slicer.util.arrayFromVolume(case.volume)
    inside = np.abs(warped - scan) > 20
    assert inside.sum() > 1000
    missed, untouched = (np.abs(warped - other)[inside].mean() for other in (by_vtk, scan))
    assert missed < 0.1 * untouched


def test_voxels_of_the_real_measurement(core, sample):
    """The networks' inverse field made the warped scan, VTK inverts the forward field: they agree."""
    volume = core.logics["Volumes"].AddArchetypeVolume(str(sample.path), "Sample")
    nodes = build_scene(volume, head_ct_from_volume(volume), sample.measurement, sample.dense)
    by_vtk = warped_by_vtk(volume, nodes.transform)
    warped = slicer.util.arrayFromVolume(nodes.warped)
    scan = slicer.util.arrayFromVolume(volume)
    brain = (np.abs(warped - scan) > 10) & (scan > -20) & (scan < 100) & (warped > -20) & (warped < 100)
    missed, untouched = (np.abs(warped - other)[brain].mean() for other in (by_vtk, scan))
    assert missed < 0.2 * untouched
    one = slice_of(sample.measurement, sample.measurement.slice)
    before = abs(one.signed_shift_mm)
    after = np.linalg.norm(
        moved_lps(nodes.transform, one.landmarks_lps_mm["shifted"])[0] - one.landmarks_lps_mm["ideal"]
    )
    assert after < 0.35 * before


def test_warped_and_magnitude_are_on_the_volumes_own_grid(case):
    nodes = build_scene(case.volume, case.ct, case.measurement, case.dense)
    for node in (nodes.warped, nodes.magnitude):
        assert node.GetImageData().GetDimensions() == case.volume.GetImageData().GetDimensions()
    values = slicer.util.arrayFromVolume(nodes.magnitude)
    index = case.measurement.slice
    magnitude = np.linalg.norm(case.dense.displacement_mm[index].astype(float), axis=0)
    # stored with columns turned round (fixture), slices and rows as they are
    np.testing.assert_allclose(values[index, :, ::-1], magnitude, atol=1e-3)
    np.testing.assert_array_equal(
        slicer.util.arrayFromVolume(nodes.warped)[index, :, ::-1], case.dense.warped_hu[index]
    )
    display = nodes.magnitude.GetDisplayNode()
    assert display.GetColorNode() is not None
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (0, 10), "the same colours in every scan"
    assert display.GetLowerThreshold() == 1 and display.GetUpperThreshold() > values.max()
    assert nodes.warped.GetDisplayNode().GetWindow() == case.volume.GetDisplayNode().GetWindow() == 80


def test_nothing_moves_outside_the_measured_head(case):
    nodes = build_scene(case.volume, case.ct, case.measurement, case.dense)
    rows, columns = case.ct.hu.shape[1:]
    far = [
        case.ct.to_lps(0, (0, 0)),
        case.ct.to_lps(case.ct.n_slices - 1, (columns, rows)),
        case.ct.to_lps(10, (-500, 40)),
        case.ct.to_lps(10, (50, 60)) + 500.0 * case.ct.normal,
    ]
    np.testing.assert_allclose(moved_lps(nodes.transform, far), far, atol=1e-6)


def test_transform_of_uneven_slices(core):
    """Slices 5 mm apart below and 7.5 mm above, as an acquisition transform leaves them."""
    from .test_volume import slice_by_slice

    flat = small_head()
    moves = np.zeros((flat.n_slices, 3))
    moves[10:, 2] = 2.5 * np.arange(flat.n_slices - 10)
    volume = add_volume(core, *stored(flat), parent=slice_by_slice(core, moves))
    ct = head_ct_from_volume(volume)
    measurement, dense = measured_case(ct)
    nodes = build_scene(volume, ct, measurement, dense)
    for node in (nodes.warped, nodes.magnitude):
        np.testing.assert_allclose(head_ct_from_volume(node).origins, ct.origins, atol=1e-3)
    for one in measurement.slices:
        landed = moved_lps(nodes.transform, one.landmarks_lps_mm["shifted"])[0]
        assert np.linalg.norm(landed - one.landmarks_lps_mm["ideal"]) < 0.6


def test_thin_slices_are_warped_themselves(core):
    """A scan of 1.25 mm slices is measured as slabs; its warped scan still has every thin slice."""
    thin = small_head()
    thin = replace(
        thin,
        hu=np.repeat(thin.hu, 4, axis=0),
        origins=thin.origins[0] + np.arange(4 * thin.n_slices)[:, None] * [0, 0, 1.25],
        thickness=np.full(4 * thin.n_slices, 1.25),
    )
    volume = add_volume(core, *stored(thin, flipped=(False, True, False)))
    ct = head_ct_from_volume(volume)
    assert len(group_slices(thin.heights, thin.thickness)) == ct.n_slices < thin.n_slices
    measurement, dense = measured_case(ct)
    nodes = build_scene(volume, ct, measurement, dense)
    warped, scan = slicer.util.arrayFromVolume(nodes.warped), slicer.util.arrayFromVolume(volume)
    assert warped.shape == scan.shape
    by_vtk = warped_by_vtk(volume, nodes.transform)
    inside = np.abs(warped - scan) > 20
    assert inside.sum() > 1000
    missed, untouched = (np.abs(warped - other)[inside].mean() for other in (by_vtk, scan))
    assert missed < 0.1 * untouched
    assert slicer.util.arrayFromVolume(nodes.magnitude).max() == pytest.approx(8.0, abs=0.2)
