"""DICOM objects are made only of a scan whose images are there and lie where the volume does; else the reason is told."""

import errno

import numpy as np
import pytest
import slicer
from bench import Bench
from dicom_case import PATIENT
from make_scans import write_dicom
from slicer_dicom import imported, load_like_slicer

from MidlineShiftLogic.errors import InputError


@pytest.fixture
def bench(host):
    return Bench(host)


@pytest.fixture
def scan(bench, tmp_path):
    """The drawn head as a volume whose images Slicer's database has."""
    images = write_dicom(bench.head, tmp_path / "images", **PATIENT)
    volume = bench.add_scan()
    with imported(bench.head, images) as uids:
        volume.SetAttribute("DICOM.instanceUIDs", uids)
        yield volume


def reason(volume) -> str:
    from MidlineShiftLib.dicomsource import sourceOfVolume

    with pytest.raises(InputError) as told:
        sourceOfVolume(volume)
    return str(told.value)


def test_the_series_of_a_volume_is_found_whatever_the_order_of_its_slices(bench, scan):
    from MidlineShiftLib.dicomsource import sourceOfVolume

    assert len(sourceOfVolume(scan).frames) == bench.head.n_slices
    affine = slicer.util.arrayFromVTKMatrix(matrix(scan))
    affine[:3, 3] += affine[:3, 2] * (bench.head.n_slices - 1)
    affine[:3, 2] *= -1
    scan.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(affine))
    assert len(sourceOfVolume(scan).frames) == bench.head.n_slices


def test_the_acquisition_transform_is_no_move(bench, scan):
    from MidlineShiftLib.dicomsource import sourceOfVolume

    volume = load_like_slicer(bench.host.core, bench.head)
    volume.SetAttribute("DICOM.instanceUIDs", scan.GetAttribute("DICOM.instanceUIDs"))
    assert len(sourceOfVolume(volume).frames) == bench.head.n_slices


@pytest.mark.parametrize("axis", [0, 1])
def test_a_mirrored_scan_is_not_its_images(bench, scan, axis):
    affine = slicer.util.arrayFromVTKMatrix(matrix(scan))
    affine[:3, 3] += affine[:3, axis] * (scan.GetImageData().GetDimensions()[axis] - 1)
    affine[:3, axis] *= -1
    scan.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(affine))
    assert "does not lie where" in reason(scan)


def test_a_moved_scan_is_not_its_images(bench, scan):
    parent = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    to_parent = np.eye(4)
    to_parent[0, 3] = 1.0
    parent.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(to_parent))
    scan.SetAndObserveTransformNodeID(parent.GetID())
    assert "does not lie where" in reason(scan)


def test_lost_images_and_a_lacking_package_are_told(bench, scan, tmp_path, monkeypatch):
    monkeypatch.setattr("MidlineShiftLib.dicomsource.find_spec", lambda name: None)
    assert "highdicom" in reason(scan)
    next((tmp_path / "images").iterdir()).unlink()
    assert reason(scan).startswith("1 of the scan's 14 DICOM images")
    del slicer.dicomDatabase
    assert reason(scan).startswith("14 of the scan's 14 DICOM images")


def test_a_full_disk_is_one_sentence_and_leaves_nothing(bench, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    bench.measure()
    bench.dialogs.folder = str(tmp_path / "out")
    monkeypatch.setattr("MidlineShiftLogic.presentation.report.write._replace", full)
    bench.click(bench.ui.exportButton)
    assert bench.ui.exportLabel.text == f"Cannot write the results into {tmp_path / 'out'}: No space left on device."
    assert list((tmp_path / "out").iterdir()) == []


def matrix(volume):
    import vtk

    found = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(found)
    return found
