"""DICOM objects are made only of a scan whose images are there and are where the volume does; else the reason is shown."""

import errno
import json
from dataclasses import replace

import numpy as np
import pytest
import slicer
from dicom_case import PATIENT
from make_scans import write_dicom
from panel_fixture import PanelFixture
from slicer_dicom import imported, load_like_slicer

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct import read
from MidlineShiftLogic.headct.npz import write_npz
from MidlineShiftLogic.reporting.measurement_json import to_json


@pytest.fixture
def panel(host):
    return PanelFixture(host)


@pytest.fixture
def scan(panel, tmp_path):
    """The drawn head as a volume whose images Slicer's database has."""
    images = write_dicom(panel.head, tmp_path / "images", **PATIENT)
    volume = panel.add_scan()
    with imported(panel.head, images) as uids:
        volume.SetAttribute("DICOM.instanceUIDs", uids)
        yield volume


def reason(volume) -> str:
    from MidlineShiftLib.services.dicom import imagesOfVolume

    with pytest.raises(InputError) as error:
        imagesOfVolume(volume)
    return str(error.value)


def test_the_series_of_a_volume_is_found_whatever_the_order_of_its_slices(panel, scan):
    from MidlineShiftLib.services.dicom import imagesOfVolume

    assert len(imagesOfVolume(scan)) == panel.head.n_slices
    affine = slicer.util.arrayFromVTKMatrix(matrix(scan))
    affine[:3, 3] += affine[:3, 2] * (panel.head.n_slices - 1)
    affine[:3, 2] *= -1
    scan.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(affine))
    assert len(imagesOfVolume(scan)) == panel.head.n_slices


def test_the_acquisition_transform_is_no_move(panel, scan):
    from MidlineShiftLib.services.dicom import imagesOfVolume

    volume = load_like_slicer(panel.host.core, panel.head)
    volume.SetAttribute("DICOM.instanceUIDs", scan.GetAttribute("DICOM.instanceUIDs"))
    assert len(imagesOfVolume(volume)) == panel.head.n_slices
    turn = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    middle = (panel.head.origins[0] + panel.head.to_lps(0, np.array([99, 119]))) / 2 * (-1, -1, 1)
    half_turn = np.diag([-1.0, -1.0, 1.0, 1.0])
    half_turn[:2, 3] = 2 * middle[:2]
    turn.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(half_turn))
    volume.GetParentTransformNode().SetAndObserveTransformNodeID(turn.GetID())
    assert "is not where" in reason(volume)  # left would be right, though each slice has its middle in place


@pytest.mark.parametrize("axis", [0, 1])
def test_a_mirrored_scan_is_not_its_images(panel, scan, axis):
    affine = slicer.util.arrayFromVTKMatrix(matrix(scan))
    affine[:3, 3] += affine[:3, axis] * (scan.GetImageData().GetDimensions()[axis] - 1)
    affine[:3, axis] *= -1
    scan.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(affine))
    assert "is not where" in reason(scan)


def test_a_moved_scan_is_not_its_images(panel, scan):
    move(scan)
    assert "is not where" in reason(scan)


def test_lost_images_and_a_lacking_package_are_reported(panel, scan, tmp_path, monkeypatch):
    monkeypatch.setattr("MidlineShiftLib.services.dicom.find_spec", lambda name: None)
    assert "highdicom" in reason(scan)
    next((tmp_path / "images").iterdir()).unlink()
    assert reason(scan).startswith("1 of the scan's 14 DICOM images")
    del slicer.dicomDatabase
    assert reason(scan).startswith("14 of the scan's 14 DICOM images")


def test_a_full_disk_is_one_sentence_and_leaves_nothing(panel, tmp_path, monkeypatch):
    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    panel.keep_few_slices()
    panel.measure()
    panel.dialogs.folder = str(tmp_path / "out")
    monkeypatch.setattr("MidlineShiftLib.services.export.shutil.copytree", full)
    panel.export()
    assert panel.ui.exportLabel.text == f"Cannot write the results into {tmp_path / 'out'}: No space left on device."
    assert list((tmp_path / "out").iterdir()) == []


def test_images_that_no_objects_can_be_made_of_cost_only_these(panel, scan, tmp_path, monkeypatch):
    def strict(*arguments):
        raise ValueError("no such value")

    panel.volume = scan
    panel.ui.inputSelector.setCurrentNode(scan)
    panel.keep_few_slices()
    panel.measure()
    panel.dialogs.folder = str(tmp_path / "out")
    monkeypatch.setattr("MidlineShiftLogic.reporting.dicom.write.captures", strict)  # after the report was written
    panel.export()
    assert panel.ui.exportLabel.text.endswith("cannot be made of this scan's images (no such value).")
    names = {path.name for path in (tmp_path / "out" / "CT").iterdir()}
    assert names == {"measurement.json", "shifts.csv", "overlay.png", "slices.png", "report.html"}


def test_a_measurement_is_loaded_for_its_scan_where_it_was_measured_alone(panel, tmp_path):
    panel.choose_scan()
    digest = scene_scan(panel.volume).source["sha256"]
    write_npz(tmp_path / "scan.npz", scene_scan(panel.volume))
    assert read(tmp_path / "scan.npz").source["sha256"] == digest  # of what the measuring child reads

    def load(measurement) -> str:
        return load_text(to_json(measurement))

    def load_text(text: str) -> str:
        path = tmp_path / "measurement.json"
        path.write_text(text, encoding="utf-8")
        panel.dialogs.result = str(path)
        panel.click(panel.ui.loadResultButton)
        return panel.ui.statusLabel.text

    ours = replace(panel.measurement, input={"sha256": digest})
    assert "is not of this scan" in load(panel.measurement)
    assert "is not of this scan" in load(replace(ours, input={"sha256": "0" * 64}))
    refused = {"code": "motion", "message": "It moved."}
    assert "nothing to show" in load(replace(ours, refused=refused, slices=(), slice=None, signed_shift_mm=None))
    for part, key, value in (
        (lambda data: data["case"], "signed_shift_mm", "8.0"),
        (lambda data: data["slices"][0], "index", "4"),
        (lambda data: data["slices"][0]["landmarks"]["ideal"], "lps_mm", [1.0, 2.0]),
    ):
        data = json.loads(to_json(ours))
        part(data)[key] = value
        assert "is damaged" in load_text(json.dumps(data)) and panel.editor.nodes is None
    panel.dialogs.result = str(tmp_path / "none.dcm")
    panel.click(panel.ui.loadResultButton)
    assert "There is no file" in panel.ui.statusLabel.text and panel.ui.shiftLabel.text == "–"
    assert "was loaded" in load(ours) and panel.ui.shiftLabel.text == "8.0 mm  to the left →"
    kept = panel.editor.nodes
    move(panel.volume)
    assert "is not where it was measured" in load(ours) and panel.editor.nodes == kept


def test_the_displacement_of_the_picture_has_its_signs_and_axes(panel):
    """Along rows first, then along columns: 2 mm to the back and 3 mm to the patient's left."""
    from MidlineShiftLib.services.export import _displacement

    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    to_parent = np.eye(4)
    to_parent[:2, 3] = (-3.0, -2.0)  # RAS
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(to_parent))
    rows, columns = _displacement(transform, panel.head, 4)
    assert rows.shape == columns.shape == panel.head.hu.shape[1:]
    assert np.allclose(rows, 2.0) and np.allclose(columns, 3.0)


def scene_scan(volume):
    from MidlineShiftLogic.scene import head_ct_from_volume

    return head_ct_from_volume(volume)


def move(volume) -> None:
    """By 1 mm to the patient's right."""
    parent = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    to_parent = np.eye(4)
    to_parent[0, 3] = 1.0
    parent.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(to_parent))
    volume.SetAndObserveTransformNodeID(parent.GetID())


def matrix(volume):
    import vtk

    found = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(found)
    return found
