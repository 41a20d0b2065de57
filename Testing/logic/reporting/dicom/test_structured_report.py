"""The structured report: valid, true to the scan's geometry, whose it is, and one object for one result."""

from dataclasses import replace
from itertools import islice
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
from dicom_case import (
    KINDS,
    PATIENT,
    case_of,
    coarse_head,
    descendants,
    groups,
    lps_of_scoord,
    make_case,
    named,
    refused,
    validate,
)
from make_scans import sagittal_dicom, write_dicom, write_enhanced
from synthetic_case import drawn_head

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.measurement.review import accept
from MidlineShiftLogic.reporting import dicom as dicom_objects


@pytest.mark.parametrize("kind", KINDS)
def test_validators_are_content(case, kind, tmp_path):
    validate(case.report(KINDS[kind](case)), tmp_path / "sr.dcm")


def test_another_library_finds_the_numbers(case, tmp_path):
    """Read through highdicom's templates, as a research archive would."""
    path = tmp_path / "sr.dcm"
    case.report().save_as(path, enforce_file_format=True)
    report = highdicom.sr.srread(path)
    found = report.content.get_image_measurement_groups()
    assert len(found) == 1 + len(case.measurement.slices)
    whole = found[0]
    assert whole.tracking_identifier == "Midline shift" and whole.finding_type.meaning == "Brain midline shift"
    assert [site.topographical_modifier for site in whole.finding_sites] == [None]
    (shift,) = whole.get_measurements(highdicom.sr.CodedConcept("110856", "DCM", "Linear Displacement"))
    assert (
        shift.value == pytest.approx(8.0, abs=0.05)
        and shift.unit.value == "mm"
        and shift.unit.scheme_designator == "UCUM"
    )
    said = {item.name.meaning: item.value.meaning for item in whole.get_qualitative_evaluations()}
    assert said["Laterality"] == "Left" and said["Corrected by a reader"] == "No"
    numbers = {one.name.value: one.value for one in whole.get_measurements()}
    assert (numbers["LOW90"], numbers["HIGH90"], numbers["POVER5"]) == (6.25, 9.125, 0.9731)
    texts = {
        one.ConceptNameCodeSequence[0].CodeMeaning: one.TextValue
        for one in whole[0].ContentSequence
        if one.ValueType == "TEXT"
    }
    assert texts["Algorithm Name"] == "midlineshift" and texts["Algorithm Version"] == "2"
    assert texts["Quality flag"] == "warning, motion: It moved: look."
    assert texts["Intended use"].startswith("Research use only")


@pytest.mark.parametrize(("shift_mm", "side"), [(8.0, "Left"), (-8.0, "Right")])
def test_side_is_the_patients(shift_mm, side, tmp_path):
    """By the coordinates in the report itself: LPS x grows to the patient's left."""
    case = make_case(tmp_path / "d", shift_mm=shift_mm)
    whole, _ = groups(case.report())
    assert named(whole, "272741003")[0].ConceptCodeSequence[0].CodeMeaning == side
    (shift,) = named(whole, "110856")
    points = [one for one in descendants(shift) if one.ValueType == "SCOORD3D" and one.GraphicType == "POINT"]
    place = {one.ConceptNameCodeSequence[0].CodeValue: one.GraphicData for one in points}
    assert (place["SHIFTED"][0] > place["IDEAL"][0]) == (side == "Left")
    assert np.linalg.norm(np.subtract(place["SHIFTED"], place["IDEAL"])) == pytest.approx(
        float(shift.MeasuredValueSequence[0].NumericValue), abs=1e-3
    )


def turn(dataset, index):
    """Stored sideways and mirrored, as prone or turned patients are."""
    head = coarse_head()
    dataset.ImageOrientationPatient = [0, 1, 0, -1, 0, 0]
    far = head.origins[index] + head.column_axis * head.pixel_spacing[1] * (head.hu.shape[2] - 1)
    dataset.ImagePositionPatient = [f"{value:.6f}" for value in far]
    stored = head.hu[index].T[::-1]
    dataset.PixelSpacing = [head.pixel_spacing[1], head.pixel_spacing[0]]
    dataset.Rows, dataset.Columns = stored.shape
    dataset.PixelData = np.rint(stored + 1024).astype("<u2").tobytes()


@pytest.mark.parametrize("edit", [None, turn], ids=["as displayed", "turned in its plane"])
def test_points_are_on_the_image_they_name(edit, tmp_path):
    case = make_case(tmp_path / "d", edit=edit)
    images = {one.SOPInstanceUID: one for one in map(pydicom.dcmread, case.folder.iterdir())}
    report = case.report()
    _, slices = groups(report)
    assert len(slices) == len(case.measurement.slices)
    for group, one in zip(slices, case.measurement.slices, strict=True):
        (shift,) = named(group, "110856")
        on_image = [item for item in shift.ContentSequence if item.ValueType == "SCOORD"]
        assert len(on_image) == 5
        for item in on_image[:4]:
            image = images[item.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID]
            name = {"FALXANT": "anterior_falx", "FALXPOST": "posterior_falx", "SHIFTED": "shifted", "IDEAL": "ideal"}[
                item.ConceptNameCodeSequence[0].CodeValue
            ]
            np.testing.assert_allclose(lps_of_scoord(image, *item.GraphicData), one.landmarks_lps_mm[name], atol=1e-3)
        named_images = [item for item in group.ContentSequence if item.ValueType == "IMAGE"]
        assert [item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for item in named_images] == [
            case.ct.sop_instance_uids[one.index][0]
        ]


def test_slabs_name_every_image_they_were_made_of(tmp_path):
    case = make_case(tmp_path / "d", drawn_head(shape=(72, 125, 100), spacing=(1.0, 1.6, 1.8)))
    assert len(case.ct.sop_instance_uids[3]) == 5
    validate(case.report(), tmp_path / "sr.dcm")
    _, slices = groups(case.report())
    for group, one in zip(slices, case.measurement.slices, strict=True):
        items = [item for item in group.ContentSequence if item.ValueType == "IMAGE"]
        uids = tuple(item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for item in items)
        assert uids == case.ct.sop_instance_uids[one.index]
        points = [item for item in descendants(group) if item.ValueType == "SCOORD"]
        on = {item.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID for item in points}
        assert on == {uids[len(uids) // 2]}


def test_scan_cut_from_sagittal_images_has_points_in_the_patient_only(tmp_path):
    thin = drawn_head(shape=(80, 110, 110), spacing=(2.0, 2.0, 2.0))

    case = case_of(sagittal_dicom(thin, tmp_path / "d", 2))
    validate(case.report(), tmp_path / "sr.dcm")
    kinds = {item.ValueType for item in descendants(case.report())}
    assert "SCOORD3D" in kinds and "SCOORD" not in kinds
    whole, slices = groups(case.report())
    images = [[item for item in group.ContentSequence if item.ValueType == "IMAGE"] for group in (whole, slices[0])]
    assert [len(found) for found in images] == [110, 0], "every slice was made of all images, named once"


def test_frames_of_an_enhanced_file_are_named_by_number(tmp_path):
    case = case_of(write_enhanced(coarse_head(), tmp_path / "e.dcm"))
    validate(case.report(), tmp_path / "sr.dcm")
    _, slices = groups(case.report())
    for group, one in zip(slices, case.measurement.slices, strict=True):
        (item,) = [item for item in group.ContentSequence if item.ValueType == "IMAGE"]
        # The file's frames run from the top down, from 1.
        assert item.ReferencedSOPSequence[0].ReferencedFrameNumber == case.ct.n_slices - one.index


def test_landmark_beyond_the_picture_has_no_place_on_it(case):
    one = case.measurement.slices[0]
    outside = {**one.landmarks_lps_mm, "anterior_falx": one.landmarks_lps_mm["anterior_falx"] - (0, 60, 0)}
    cut = replace(case.measurement, slices=(replace(one, landmarks_lps_mm=outside), *case.measurement.slices[1:]))
    _, slices = groups(case.report(cut))
    kinds = [(item.ValueType, item.ConceptNameCodeSequence[0].CodeValue) for item in descendants(slices[0])]
    assert ("SCOORD", "FALXANT") not in kinds and ("SCOORD3D", "FALXANT") in kinds


def test_patient_and_study_are_the_scans(case):
    report = case.report()
    image = pydicom.dcmread(next(case.folder.iterdir()))
    for keyword in (*PATIENT, "StudyInstanceUID"):
        if keyword != "FrameOfReferenceUID":
            assert report[keyword].value == image[keyword].value, keyword
    assert report.SeriesInstanceUID != image.SeriesInstanceUID
    (study,) = report.CurrentRequestedProcedureEvidenceSequence
    (series,) = study.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == image.SeriesInstanceUID
    assert (report.VerificationFlag, report.CompletionFlag, report.PreliminaryFlag) == (
        "UNVERIFIED",
        "COMPLETE",
        "PRELIMINARY",
    )
    assert report.ContentQualification == "RESEARCH" and "research" in report.SeriesDescription


def test_reader_is_the_person_observer(case):
    assert named(case.report(), "121008") == []
    (name,) = named(case.report(accept(case.measurement, "Ada Lovelace")), "121008")
    assert name.PersonName == "Ada Lovelace"


def test_refused_case_says_so_and_has_no_number(case):
    report = case.report(refused(case))
    whole, slices = groups(report)
    assert slices == [] and not [item for item in descendants(report) if item.ValueType in ("NUM", "SCOORD3D")]
    assert named(whole, "RESULT")[0].ConceptCodeSequence[0].CodeMeaning == "Not measured"
    assert named(whole, "REASON")[0].TextValue == "motion: It moved: by 20 mm."


def test_same_result_is_the_same_object(case):
    first = case.report()
    again = case.report(replace(case.measurement, seconds=99.0, case_id="other name"))
    assert first.SOPInstanceUID == again.SOPInstanceUID and first.SeriesInstanceUID == again.SeriesInstanceUID


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("plain", "refused")])
def test_any_edit_or_decision_is_another_object_of_the_series(case, kind):
    first, other = case.report(), case.report(KINDS[kind](case))
    assert first.SOPInstanceUID != other.SOPInstanceUID
    assert first.SeriesInstanceUID == other.SeriesInstanceUID and first.StudyInstanceUID == other.StudyInstanceUID
    tracked = [[item.UID for item in named(report, "112040")] for report in (first, other)]
    assert tracked[0] == tracked[1], "an edit goes on tracking the same finding"


def test_other_scans_other_objects(case, tmp_path):
    other = make_case(tmp_path / "d", SeriesInstanceUID="1.2.3.9")
    assert case.report().SOPInstanceUID != other.report().SOPInstanceUID
    assert case.report().SeriesInstanceUID != other.report().SeriesInstanceUID


@pytest.mark.parametrize(
    ("character_set", "name", "kept"),
    [
        ("ISO_IR 100", "Müller^Jörg", "ISO_IR 100"),
        ("ISO_IR 144", "Люкceмбypг^Роза", "ISO_IR 144"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎", ["", "ISO 2022 IR 87"]),
        ("GB18030", "Wang^XiaoDong=王^小东", "GB18030"),
        ("ISO_IR 192", "Ωmega^Ζωή", "ISO_IR 192"),
    ],
)
def test_names_of_any_script_are_kept(character_set, name, kept, tmp_path):
    case = make_case(tmp_path / "d", PatientName=name, SpecificCharacterSet=character_set)
    for dataset, file in ((case.report(), "sr.dcm"), (list(islice(case.captures(), 2))[1], "sc.dcm")):
        validate(dataset, tmp_path / file)
        back = pydicom.dcmread(tmp_path / file)
        assert back.PatientName == name
        assert back.SpecificCharacterSet == kept


def test_reader_whose_name_the_scans_character_set_lacks(tmp_path):
    case = make_case(tmp_path / "d", PatientName="Müller^Jörg", SpecificCharacterSet="ISO_IR 100")
    validate(case.report(accept(case.measurement, "山田 太郎")), tmp_path / "sr.dcm")
    back = pydicom.dcmread(tmp_path / "sr.dcm")
    assert back.SpecificCharacterSet == "ISO_IR 192" and back.PatientName == "Müller^Jörg"
    assert named(back, "121008")[0].PersonName == "山田 太郎"


def test_name_without_a_declared_character_set_keeps_its_bytes(tmp_path):
    def raw(dataset, index):
        dataset.add_new("PatientName", "PN", b"M\xfcller")

    case = make_case(tmp_path / "d", edit=raw)
    case.report().save_as(tmp_path / "sr.dcm", enforce_file_format=True)
    assert b"M\xfcller" in (tmp_path / "sr.dcm").read_bytes()
    assert pydicom.dcmread(tmp_path / "sr.dcm").PatientName == "Müller"


def test_headers_with_nonsense_in_them(tmp_path):
    """What is no date or sex is left empty; what says whose scan it is stays as it is written."""

    def spoil(dataset, index):
        dataset.add_new("PatientBirthDate", "LO", "2.1.1960")
        dataset.add_new("PatientSex", "LO", "female")
        dataset.add_new("StudyTime", "LO", "noon")
        dataset.add_new("PatientWeight", "LO", "heavy")
        dataset.add_new("PatientID", "UL", 4711)
        dataset.add_new("AccessionNumber", "LO", "an accession number that is far too long")
        dataset.add_new(0x00091010, "UN", b"private\0\xff")

    case = make_case(tmp_path / "d", edit=spoil)
    report = case.report()
    assert (report.PatientBirthDate, report.PatientSex, report.StudyTime) == ("", "", "") or not any(
        (report.PatientBirthDate, report.PatientSex, report.StudyTime)
    )
    assert "PatientWeight" not in report and report.PatientID == "4711"
    assert report.AccessionNumber.startswith("an accession") and 0x00091010 not in report


def test_scan_of_no_study_or_no_dicom_is_refused(tmp_path):
    with pytest.raises(InputError, match="name no study"):
        make_case(tmp_path / "d", StudyInstanceUID=None)
    with pytest.raises(InputError, match="not read from DICOM"):
        dicom_objects.source_of(drawn_head())


def test_series_given_as_files_is_the_same(case):
    """As the panel has it: a scan read by another program, and the files it came from."""
    bare = replace(case.ct, frames=(), sop_instance_uids=(), source_slices=())
    source = dicom_objects.source_of_files(case.folder.iterdir())
    report = dicom_objects.structured_report(case.measurement, bare, source)
    assert report.SOPInstanceUID == case.report().SOPInstanceUID
    references = [
        [
            item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
            for item in descendants(one)
            if item.ValueType == "IMAGE"
        ]
        for one in (report, case.report())
    ]
    assert references[0] == references[1]
    with pytest.raises(InputError, match="None of the files"):
        dicom_objects.source_of_files([Path(__file__)])


def test_files_of_two_series_are_refused(case, tmp_path):
    other = write_dicom(coarse_head(), tmp_path / "other", **PATIENT, SeriesInstanceUID="1.2.3.9")
    with pytest.raises(InputError, match="several DICOM series"):
        dicom_objects.source_of_files([*case.folder.iterdir(), *other.iterdir()])


def test_every_private_code_is_documented_and_unique():
    from pydicom.sr.coding import Code

    from MidlineShiftLogic.reporting.dicom import codes

    found = [one for one in vars(codes).values() if isinstance(one, Code)]
    for table in (codes.SIDES, codes.DECISIONS, codes.LANDMARKS):
        found += [one for one in table.values() if one not in found]
    own = [one.value for one in found if one.scheme_designator == codes.SCHEME]
    assert len(own) == len(set(own)) > 25
    text = (Path(__file__).parents[4] / "docs" / "reference" / "dicom-objects.md").read_text(encoding="utf-8")
    assert [value for value in own if f"`{value}`" not in text] == []
    assert all(len(one.meaning) <= 64 and len(one.value) <= 16 for one in found)
