"""Finding the scans of a folder tree: files, and one case for each DICOM study."""

import os

import pytest
from make_scans import dicom_slice, make_head

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.find_scans import find_scans
from MidlineShiftLogic.headct.frames import frames_of, read_header
from MidlineShiftLogic.headct.patient import Patient, read_patient

UID = "1.2.826.0.1.3680043.8.498."


@pytest.fixture(scope="module")
def small():
    return make_head(n_slices=4, size=32, pixel=7.0)


@pytest.fixture
def put(small, tmp_path):
    """``put("a/b", study=1, series=2)``: three images of a series in a folder."""

    def write(place, study=1, series=1, indices=(0, 1, 2), **changes):
        folder = tmp_path / "tree" / place
        folder.mkdir(parents=True, exist_ok=True)
        for index in indices:
            elements = {"StudyInstanceUID": f"{UID}{study}", "SeriesInstanceUID": f"{UID}{study}.{series}"} | changes
            dataset = dicom_slice(small, index, **elements)
            dataset.save_as(folder / f"S{study}-{series}-{index}", enforce_file_format=True)
        return folder

    (tmp_path / "tree").mkdir()
    return write


@pytest.fixture
def tree(tmp_path, put):
    return tmp_path / "tree"


def found(tree, **options):
    return {str(scan.path.relative_to(tree)): bool(scan.problem) for scan in find_scans(tree, **options)}


def test_volume_files_of_every_kind(tree):
    for name in ("a.nii", "b/B.NII.GZ", "c.nrrd", "d/e/f.mha", "g.mhd", "h.nhdr", "i.npy"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).touch()
    for name in ("notes.txt", "d/table.csv", ".hidden.nii", "picture.png", "f.raw"):
        (tree / name).touch()
    (tree / ".git").mkdir()
    (tree / ".git" / "x.nii").touch()
    assert list(found(tree)) == ["a.nii", "b/B.NII.GZ", "c.nrrd", "d/e/f.mha", "g.mhd", "h.nhdr", "i.npy"]


def test_series_of_one_study_are_one_case(tree, put):
    put("patient 1/head", 1, 1)
    put("patient 1/bone", 1, 2)
    put("patient 2", 2, 1)
    put("patient 2", 2, 2)
    (tree / "patient 2" / "mask.nii.gz").touch()
    put("patient 3/day 1/ct", 3)
    put("patient 3/day 2/ct", 4)
    (tree / "other").mkdir()
    (tree / "other" / "x.nii").touch()
    assert list(found(tree)) == ["other/x.nii", "patient 1", "patient 2", "patient 3/day 1", "patient 3/day 2"]
    assert not any(found(tree).values())


def test_a_folder_that_is_one_study_is_itself_the_case(tree, put):
    put("1")
    put("2", series=2)
    assert found(tree) == {".": False}


def test_several_studies_in_one_heap_are_not_mixed(tree, put):
    put("heap", 1)
    put("heap", 2)
    put("well", 3)
    assert found(tree) == {"heap": True, "well": False}
    put("heap/below", 4)
    assert found(tree) == {"heap": True, "heap/below": False, "well": False}


def test_patients_with_the_same_study_uid_or_none_are_reported_apart(tree, put):
    put("a", 1, PatientID="1")
    put("b", 1, PatientID="2")
    put("c", 1, StudyInstanceUID=None)
    put("d", 1, StudyInstanceUID=None)
    assert list(found(tree)) == ["a", "b", "c", "d"]


def test_results_of_ours_are_no_scans(tree, put, tmp_path):
    put("scan")
    put("result/capture", 2)
    (tree / "result" / "measurement.json").touch()
    put("out/leftover", 3)
    assert found(tree, leave_out=[tree / "out"]) == {".": False}


def test_links_are_followed_once(tree, put, tmp_path):
    put("real")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x.nii").touch()
    os.symlink(tmp_path / "elsewhere", tree / "link")
    os.symlink(tree, tree / "loop")
    assert list(found(tree)) == ["link/x.nii", "real"]


def test_empty_trees_are_reported(tree):
    (tree / "notes.txt").write_text("nothing here")
    with pytest.raises(InputError, match="holds no scans"):
        find_scans(tree)


@pytest.mark.parametrize(
    ("elements", "when"),
    [
        ({"AcquisitionDateTime": "20261102130501.123456+0100"}, "2026-11-02T13:05:01"),
        ({"AcquisitionDate": "20261102", "AcquisitionTime": "130501"}, "2026-11-02T13:05:01"),
        ({"AcquisitionDate": "20261102", "AcquisitionTime": "1305"}, "2026-11-02"),
        ({"StudyDate": "20261102", "StudyTime": "130501.5"}, "2026-11-02T13:05:01"),
        ({"AcquisitionDate": "20269902", "SeriesDate": "20261103"}, "2026-11-03"),
        ({"StudyDate": ""}, ""),
        ({}, ""),
    ],
)
def test_when_it_was_scanned(tree, put, elements, when):
    file = put("x", indices=(0,), **elements) / "S1-1-0"
    assert frames_of(read_header(file), file)[0].acquired == when


@pytest.mark.parametrize(
    ("name", "spoken"),
    [
        ("Doe^Jane^Q^Dr.^MD", "Dr. Jane Q Doe MD"),
        ("Doe", "Doe"),
        ("Müller^Zoë", "Zoë Müller"),
        ("Yamada^Tarou=山田^太郎", "Tarou Yamada"),
        ("", ""),
    ],
)
def test_whose_scan_it_is(tree, put, name, spoken):
    folder = put("x", PatientName=name, PatientBirthDate="19560302", SpecificCharacterSet="ISO_IR 192")
    assert read_patient(folder) == read_patient(folder / "S1-1-1") == Patient(spoken, "X", "1956-03-02")


def test_other_formats_name_nobody(tree):
    (tree / "x.nii").write_bytes(b"n" * 400)
    for path in (tree / "x.nii", tree / "missing"):
        with pytest.raises(InputError):
            read_patient(path)
