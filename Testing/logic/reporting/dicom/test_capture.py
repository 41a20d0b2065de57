"""The secondary captures: a summary and slices that are where the scan's slices are; nobody's name in them."""

import hashlib
from dataclasses import replace

import numpy as np
import pydicom
import pytest
from dicom_case import PATIENT, case_of, coarse_head, make_case, validate
from make_scans import write_enhanced
from synthetic_case import drawn_head

from MidlineShiftLogic.measurement.review import accept, reject

BRIGHT_HU = 3000


@pytest.fixture(scope="module")
def series(case):
    return list(case.captures())


def test_one_series_a_summary_first(case, series):
    assert len(series) == 1 + len(case.measurement.slices)
    assert len({image.SeriesInstanceUID for image in series}) == 1
    assert len({image.SOPInstanceUID for image in series}) == len(series)
    assert [image.InstanceNumber for image in series] == list(range(1, len(series) + 1))
    assert series[0].ImageComments.startswith("Summary")
    assert "ImagePositionPatient" not in series[0], "a page is no slice"
    heights = [float(image.ImagePositionPatient[2]) for image in series[1:]]
    np.testing.assert_allclose(heights, [case.ct.origins[one.index][2] for one in case.measurement.slices], atol=1e-6)


def test_validators_are_content(series, tmp_path):
    for image in series[:3]:
        validate(image, tmp_path / "sc.dcm")


def test_what_is_said_of_every_picture(case, series):
    image = pydicom.dcmread(next(case.folder.iterdir()))
    for picture in series:
        assert (
            picture.StudyInstanceUID == image.StudyInstanceUID and picture.SeriesInstanceUID != image.SeriesInstanceUID
        )
        assert all(picture[key].value == PATIENT[key] for key in PATIENT if key != "FrameOfReferenceUID")
        assert picture.ImageType[:2] == ["DERIVED", "SECONDARY"] and picture.ConversionType == "WSD"
        assert picture.BurnedInAnnotation == "NO" and picture.ContentQualification == "RESEARCH"
        assert "esearch" in picture.SeriesDescription and "Research use only" in picture.ImageComments
        assert picture.pixel_array.shape[2] == 3 and picture.pixel_array.std() > 10
    own = case.measurement.slices[1]
    assert [one.ReferencedSOPInstanceUID for one in series[2].SourceImageSequence] == list(
        case.ct.sop_instance_uids[own.index]
    )
    assert {picture.FrameOfReferenceUID for picture in series[1:]} == {PATIENT["FrameOfReferenceUID"]}


def bright_spot(picture) -> np.ndarray:
    """LPS mm of the middle of what is white in a disc of 8 px around the brightest place, by the picture's own header."""
    grey = picture.pixel_array.min(axis=2).astype(float)
    rows, columns = np.nonzero(grey > 250)
    row, column = rows.mean(), columns.mean()
    across, down = np.reshape([float(value) for value in picture.ImageOrientationPatient], (2, 3))
    row_mm, column_mm = map(float, picture.PixelSpacing)
    first = np.array([float(value) for value in picture.ImagePositionPatient])
    return first + column * column_mm * across + row * row_mm * down


@pytest.mark.parametrize("tilt", [0.0, 20.0])
def test_pictures_are_where_the_slices_are(tilt, tmp_path):
    """A bright square in the scan is found at its place through the picture's own header, to a tenth of a millimetre."""
    head = coarse_head()
    angle = np.radians(tilt)
    head = replace(head, row_axis=np.array([0, np.cos(angle), -np.sin(angle)]), hu=np.clip(head.hu, -1000, 30))
    places = {}
    for index in range(head.n_slices):
        row, column = 40 + index, 30 + index
        head.hu[index, row - 2 : row + 3, column - 2 : column + 3] = BRIGHT_HU
        places[index] = head.to_lps(index, (column, row))
    case = make_case(tmp_path / "d", head)
    # Without lines and words the only white is the square.
    bare = [replace(one, midline_px=np.empty((0, 2))) for one in case.measurement.slices]
    from MidlineShiftLogic.reporting.dicom import capture
    from MidlineShiftLogic.reporting.figures import capture_figures as pictures

    for one in bare[:2]:
        with pytest.MonkeyPatch.context() as patch:
            for name in ("draw_lines", "draw_sides"):
                patch.setattr(pictures.drawing, name, lambda *_a, **_k: None)
            patch.setattr(pictures, "_write_texts", lambda *_a: None)
            patch.setattr(pictures.drawing, "BAR_COLOUR", "#000000")
            picture = pictures.draw_slice(case.ct, case.measurement, one)
        image = capture._capture(picture.rgb, 2, "k", case.source.of_slice(case.ct, one.index), case.source)
        capture._place(image, picture, case.ct, one.index, case.source)
        np.testing.assert_allclose(bright_spot(image), places[one.index], atol=0.1)


def test_the_scans_files_are_not_touched(tmp_path):
    case = make_case(tmp_path / "d")
    before = {path: hashlib.sha256(path.read_bytes()).digest() for path in case.folder.iterdir()}
    from MidlineShiftLogic.reporting.dicom import write_objects

    (tmp_path / "out").mkdir()
    files = write_objects(tmp_path / "out", case.measurement, case.ct, case.dense)
    assert {path: hashlib.sha256(path.read_bytes()).digest() for path in case.folder.iterdir()} == before
    assert [path.name for path in files[:3]] == ["sr.dcm", "001.dcm", "002.dcm"]


def test_names_are_in_no_picture(case, series):
    """Neither the case's name, which comes from a path, nor the reader's; both may be in a patient's file names."""
    signed = accept(case.measurement, "Ada Lovelace")
    one = [image.pixel_array for image in case.captures(replace(signed, case_id="DOE JANE 1960"))]
    other = [image.pixel_array for image in case.captures(accept(case.measurement, "Somebody Else"))]
    assert all(np.array_equal(*pair) for pair in zip(one, other, strict=True))
    assert not np.array_equal(one[0], series[0].pixel_array), "the summary says that it was accepted"


def test_rejected_case_says_so_on_every_picture(case, series):
    rejected = list(case.captures(reject(case.measurement, "Ada", "motion")))
    for plain, marked in zip(series, rejected, strict=True):
        assert not np.array_equal(plain.pixel_array, marked.pixel_array)


def test_same_result_same_objects_edited_result_another_series(case, series):
    again = list(case.captures(replace(case.measurement, seconds=9.0, case_id="x")))
    assert [image.SOPInstanceUID for image in again] == [image.SOPInstanceUID for image in series]
    signed = next(case.captures(accept(case.measurement, "Ada")))
    assert signed.SeriesInstanceUID != series[0].SeriesInstanceUID and signed.SOPInstanceUID != series[0].SOPInstanceUID


def test_refused_case_has_none(case):
    refused = replace(
        case.measurement, signed_shift_mm=None, slice=None, slices=(), refused={"code": "a", "message": "b"}
    )
    assert list(case.captures(refused)) == []


def test_slabs_and_frames_are_named_as_sources(tmp_path):
    slabs = make_case(tmp_path / "d", drawn_head(shape=(72, 60, 50), spacing=(1.0, 3.0, 3.0)))
    one = slabs.measurement.slices[0]
    image = list(slabs.captures())[1]
    assert [item.ReferencedSOPInstanceUID for item in image.SourceImageSequence] == list(
        slabs.ct.sop_instance_uids[one.index]
    )
    assert len(image.SourceImageSequence) == 5 and image.SliceThickness == pytest.approx(5.0, abs=0.01)
    frames = case_of(write_enhanced(coarse_head(), tmp_path / "e.dcm"))
    one = frames.measurement.slices[0]
    image = list(frames.captures())[1]
    validate(image, tmp_path / "sc.dcm")
    assert image.SourceImageSequence[0].ReferencedFrameNumber == frames.ct.n_slices - one.index


def test_lossy_scan_makes_lossy_pictures(tmp_path):
    case = make_case(
        tmp_path / "d",
        LossyImageCompression="01",
        LossyImageCompressionRatio=10,
        LossyImageCompressionMethod="ISO_10918_1",
    )
    image = next(case.captures())
    assert (image.LossyImageCompression, image.LossyImageCompressionRatio) == ("01", 10)
    validate(image, tmp_path / "sc.dcm")
