"""DICOM headers and files that are not as they should be: measured all the same, or one sentence; never a crash."""

import copy
import os
import subprocess
import sys

import numpy as np
import pydicom
import pytest
from make_scans import dicom_slice, make_head, sagittal_dicom, write_dicom, write_enhanced
from test_headct_formats import codes, same

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct import find_series, read


def element(keyword, vr, value):
    """An edit for ``write_dicom``: the element with another VR than the standard's."""

    def edit(dataset, index):
        dataset.add_new(keyword, vr, value)

    return edit


HARMLESS = {
    "pixel spacing as FL": element("PixelSpacing", "FL", [1.4, 1.4]),
    "rows as IS": element("Rows", "IS", "160"),
    "rescale as LO": element("RescaleIntercept", "LO", "-1024"),
    "instance number in words": element("InstanceNumber", "LO", "seven"),
    "no slice thickness": element("SliceThickness", "DS", "0"),
    "kernel is a number": element("ConvolutionKernel", "DS", "30"),
    "name in unknown bytes": element("PatientName", "PN", b"\xff\xfe\x81M"),
    "private tags": element(0x00091010, "UN", bytes(999)),
    "unknown character set": element("SpecificCharacterSet", "CS", "ISO_IR 9999"),
    "no photometric interpretation": element("PhotometricInterpretation", "CS", None),
    "no image type": element("ImageType", "CS", None),
}


@pytest.mark.parametrize("what", HARMLESS)
def test_read_all_the_same(what, head, tmp_path):
    ct = read(write_dicom(head, tmp_path / "d", edit=HARMLESS[what]))
    same(ct, head)
    assert codes(ct) == {}


@pytest.mark.parametrize("name", ["Müller^Jörg", "山田^太郎", "Люкceмбypг^Роза"])
def test_names_of_any_script(name, head, tmp_path):
    ct = read(write_dicom(head, tmp_path / "d", PatientName=name, SpecificCharacterSet="ISO_IR 192"))
    same(ct, head)
    assert name not in str(ct.source)


REFUSED = {
    "pixel spacing in words": (element("PixelSpacing", "LO", ["1,4", "1,4"]), "pixel spacing"),
    "position in words": (element("ImagePositionPatient", "LO", ["a", "b", "c"]), "position in the patient"),
    "orientation of nothing": (element("ImageOrientationPatient", "DS", [0, 0, 0, 0, 0, 0]), "position in the patient"),
    "orientation undefined": (element("ImageOrientationPatient", "LO", ["nan"] * 6), "position in the patient"),
    "no modality": (element("Modality", "CS", None), "no modality given"),
    "samples in words": (element("SamplesPerPixel", "LO", "one"), "incomplete or damaged"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused_in_one_sentence(what, head, tmp_path):
    edit, said = REFUSED[what]
    folder = write_dicom(head, tmp_path / "d", indices=range(8), edit=edit)
    with pytest.raises(InputError, match=said) as caught:
        read(folder)
    assert str(folder) in str(caught.value) and "\n" not in str(caught.value) and str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("old", "new", "readable"),
    [
        (b"1.400000", b"1,400000", False),  # a comma, as some writers in some countries
        (b"1.400000", b"pixels  ", False),
        (b"IS\x02\x002 ", b"IS\x02\x00no", True),  # the series' number
        (b"H31s", b"\\\\\\\\", True),
    ],
)
def test_nonsense_in_the_bytes_themselves(old, new, readable, head, tmp_path):
    folder = write_dicom(head, tmp_path / "d")
    for path in folder.iterdir():
        content = path.read_bytes()
        assert old in content
        path.write_bytes(content.replace(old, new))
    if readable:
        same(read(folder), head)
    else:
        with pytest.raises(InputError, match="pixel spacing"):
            read(folder)


@pytest.mark.parametrize("rows", [None, 0])
def test_one_image_without_its_size_is_a_missing_slice(rows, head, tmp_path):
    def edit(dataset, index):
        if index == 12:
            dataset.Rows = rows

    ct = read(write_dicom(head, tmp_path / "d", edit=edit))
    assert ct.n_slices == 31 and "missing-slices" in codes(ct)


@pytest.mark.parametrize("content", [b"", None])
def test_one_image_without_pixels_is_reported(content, head, tmp_path):
    def edit(dataset, index):
        if index == 12 and content is None:
            del dataset.PixelData
        elif index == 12:
            dataset.PixelData = content

    with pytest.raises(InputError, match="incomplete or damaged"):
        read(write_dicom(head, tmp_path / "d", edit=edit))


def test_rows_and_columns_that_are_not_perpendicular_are_refused(head, tmp_path):
    skewed = [1, 0, 0, 0.5, 0.866025, 0]
    ct = read(write_dicom(head, tmp_path / "d", ImageOrientationPatient=skewed))
    assert codes(ct)["sheared"] == "fatal"


def test_contrast_agent_is_reported_where_there_is_no_other_series(head, tmp_path):
    ct = read(write_dicom(head, tmp_path / "d", ContrastBolusAgent="Iomeron 400"))
    same(ct, head)
    assert codes(ct) == {"contrast-agent": "warning"}


def test_contrast_agent_that_is_none(head, tmp_path):
    assert codes(read(write_dicom(head, tmp_path / "d", ContrastBolusAgent="None"))) == {}


def test_three_orientations_in_one_series(head, tmp_path):
    """As reformatting stations send them: the axial ones are read."""
    folder = write_dicom(head, tmp_path / "d")
    sagittal_dicom(head, folder / "s", 2)
    sagittal_dicom(head, folder / "c", 1)
    ct = read(folder)
    same(ct, head)
    assert codes(ct) == {"other-series": "info"}
    assert {info.orientation for info in find_series(folder)} == {"axial", "sagittal", "coronal"}


def big_endian(dataset, index):
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRBigEndian
    dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()


def deflated(dataset, index):
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian


def jpeg_ls(dataset, index):
    pytest.importorskip("jpeg_ls")
    dataset.compress(pydicom.uid.JPEGLSLossless)


def in_fragments(dataset, index):
    """Encapsulated with one frame in several fragments, as the standard allows."""
    pytest.importorskip("openjpeg")
    dataset.compress(pydicom.uid.JPEG2000Lossless)
    from pydicom.encaps import encapsulate, generate_frames

    (frame,) = generate_frames(dataset.PixelData, number_of_frames=1)
    dataset.PixelData = encapsulate([frame], fragments_per_frame=3)


@pytest.mark.parametrize("edit", [big_endian, deflated, jpeg_ls, in_fragments])
def test_transfer_syntaxes(edit, tmp_path):
    small = make_head(n_slices=8, step=20.0)
    np.testing.assert_array_equal(read(write_dicom(small, tmp_path / "d", edit=edit)).hu, small.hu)


def test_jpeg_lossless_of_another_encoder(tmp_path):
    """Process 14, the usual one in archives, encoded by dcmtk."""
    import shutil

    pytest.importorskip("libjpeg")
    if shutil.which("dcmcjpeg") is None:
        pytest.skip("dcmcjpeg is not installed (Debian: dcmtk)")
    small = make_head(n_slices=6, step=20.0)
    folder = write_dicom(small, tmp_path / "d")
    for path in list(folder.iterdir()):
        subprocess.run(["dcmcjpeg", "+e1", "+un", str(path), str(path)], check=True, capture_output=True)
    assert pydicom.dcmread(path).file_meta.TransferSyntaxUID == pydicom.uid.JPEGLosslessSV1
    np.testing.assert_array_equal(read(folder).hu, small.hu)


def test_compressed_data_cut_short_is_reported(tmp_path):
    def cut(dataset, index):
        dataset.compress(pydicom.uid.RLELossless)
        if index == 3:
            dataset.PixelData = dataset.PixelData[: len(dataset.PixelData) // 2]

    with pytest.raises(InputError, match="incomplete or damaged"):
        read(write_dicom(make_head(n_slices=8, step=20.0), tmp_path / "d", edit=cut))


def test_files_that_only_look_like_dicom(head, tmp_path):
    folder = write_dicom(head, tmp_path / "d")
    rng = np.random.default_rng(0)
    for number in range(30):
        noise = rng.integers(0, 256, 3000, dtype=np.uint8).tobytes()
        (folder / f"noise{number}").write_bytes(bytes(128) + b"DICM" + noise)
    same(read(folder), head)


@pytest.fixture
def enhanced(head, tmp_path):
    def make(change):
        path = write_enhanced(head, tmp_path / "e.dcm")
        dataset = pydicom.dcmread(path)
        change(dataset)
        dataset.save_as(path, enforce_file_format=True)
        return path

    return make


def test_enhanced_compressed(head, enhanced):
    same(read(enhanced(lambda dataset: dataset.compress(pydicom.uid.RLELossless))), head)


def test_enhanced_with_a_localizer_among_its_frames(head, enhanced):
    def change(dataset):
        (shared,) = dataset.SharedFunctionalGroupsSequence
        plane = shared.PlaneOrientationSequence[0]
        del shared.PlaneOrientationSequence
        for number, groups in enumerate(dataset.PerFrameFunctionalGroupsSequence):
            own = copy.deepcopy(plane)
            if number < 2:
                own.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
            groups.PlaneOrientationSequence = pydicom.Sequence([own])

    ct = read(enhanced(change))
    np.testing.assert_array_equal(ct.hu, head.hu[:30])  # the frames run from the top down


def test_enhanced_with_contrast_agent(enhanced):
    def change(dataset):
        agent = pydicom.Dataset()
        agent.ContrastBolusAgentNumber = 1
        dataset.ContrastBolusAgentSequence = pydicom.Sequence([agent])

    assert codes(read(enhanced(change))) == {"contrast-agent": "warning"}


def test_enhanced_without_places_is_refused(enhanced):
    def change(dataset):
        del dataset.PerFrameFunctionalGroupsSequence

    with pytest.raises(InputError, match="do not state their position"):
        read(enhanced(change))


def test_enhanced_rescale_of_every_frame(head, enhanced):
    def change(dataset):
        (shared,) = dataset.SharedFunctionalGroupsSequence
        transform = shared.PixelValueTransformationSequence[0]
        del shared.PixelValueTransformationSequence
        pixels = np.frombuffer(dataset.PixelData, "<u2").reshape(32, 160, 160).copy()
        for number, groups in enumerate(dataset.PerFrameFunctionalGroupsSequence):
            own = copy.deepcopy(transform)
            own.RescaleIntercept = -1024 - number
            groups.PixelValueTransformationSequence = pydicom.Sequence([own])
            pixels[number] += number
        dataset.PixelData = pixels.tobytes()

    same(read(enhanced(change)), head)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="links files and counts memory as POSIX does")
def test_folder_of_thousands_of_files(head, tmp_path):
    """The head among 4,000 pictures of other series: found, and next to nothing is kept of the others."""
    folder = write_dicom(head, tmp_path / "d")
    other = dicom_slice(head, 3, Modality="MR", SeriesInstanceUID="1.2.3", SeriesNumber=9)
    other.save_as(folder / "other0", enforce_file_format=True)
    for number in range(1, 4_000):
        os.link(folder / "other0", folder / f"other{number}")
    code = (
        "import sys, resource; import numpy, pydicom; from MidlineShiftLogic.headct import read, find_series;"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "ct = read(sys.argv[1]); print(ct.n_slices, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True)
    slices, grown = map(int, done.stdout.split())
    assert slices == 32
    assert grown * (1 if sys.platform == "darwin" else 1024) < 100e6, "a header is not kept once it was looked at"
