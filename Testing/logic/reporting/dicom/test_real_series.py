"""The objects of a tilted, two-spacing series as a scanner made it; skipped where it is not beside the checkout."""

import numpy as np
import pydicom
import pytest
from dicom_case import case_of, descendants, differences, groups, lps_of_scoord, named, validate

from MidlineShiftLogic.reporting.dicom import read_report
from MidlineShiftLogic.reporting.measurement_json import to_dict

pytestmark = pytest.mark.real


def test_tilted_series(shared_data, tmp_path):
    folder = shared_data / "data" / "ge_gantry_tilt"
    if not folder.is_dir():
        pytest.skip(f"no tilted series at {folder}")
    case = case_of(folder)
    report = case.report()
    validate(report, tmp_path / "sr.dcm")
    assert differences(to_dict(case.measurement), to_dict(read_report(tmp_path / "sr.dcm"))) == {}
    images = {one.SOPInstanceUID: one for one in map(pydicom.dcmread, folder.glob("*.dcm"))}
    assert len(images) == 28
    _, slices = groups(report)
    for group, one in zip(slices, case.measurement.slices, strict=True):
        (shift,) = named(group, "110856")
        points = {
            item.ConceptNameCodeSequence[0].CodeValue: item
            for item in shift.ContentSequence
            if item.ValueType == "SCOORD"
        }
        for code, name in (("SHIFTED", "shifted"), ("FALXANT", "anterior_falx")):
            image = images[points[code].ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID]
            np.testing.assert_allclose(
                lps_of_scoord(image, *points[code].GraphicData), one.landmarks_lps_mm[name], atol=1e-3
            )
    assert {item.ReferencedFrameOfReferenceUID for item in descendants(report) if item.ValueType == "SCOORD3D"} == {
        next(iter(images.values())).FrameOfReferenceUID
    }
    for picture, _ in zip(list(case.captures())[1:], case.measurement.slices, strict=True):
        validate(picture, tmp_path / "sc.dcm")
        image = images[picture.SourceImageSequence[0].ReferencedSOPInstanceUID]
        assert picture.ImageOrientationPatient == pytest.approx(image.ImageOrientationPatient, abs=1e-6)
        # Both pictures' outer corners are at one place.
        np.testing.assert_allclose(lps_of_scoord(picture, 0, 0), lps_of_scoord(image, 0, 0), atol=1e-3)
        assert int(image.InstanceNumber) == int(picture.ImageComments.split()[1].rstrip(".")), "as the PACS counts"
