"""DICOM folders as they come: several series, tilt, uneven steps, gaps, doubles, odd pixel encodings."""

import subprocess
import sys

import numpy as np
import pydicom
import pytest
from make_scans import dicom_slice, make_head, write_dicom
from test_headct_formats import codes, same

from MidlineShiftLogic.headct import find_series, read
from MidlineShiftLogic.headct.series import is_sharp

UID = "1.2.826.0.1.3680043.8.498."


def test_tilted_series_keeps_its_plane(tilted, tmp_path):
    ct = read(write_dicom(tilted, tmp_path / "d"))
    same(ct, tilted)
    flag = next(flag for flag in ct.quality if flag.code == "gantry-tilt")
    assert "18.0 degrees" in flag.message


def test_pictures_turned_in_their_plane(head, tmp_path):
    """Prone and sideways patients: the same head, stored with rows and columns flipped or swapped."""
    flipped = make_head()

    def turn(dataset, index):
        stored = head.hu[index].T[::-1]
        dataset.ImageOrientationPatient = [0, 1, 0, -1, 0, 0]
        dataset.ImagePositionPatient = [
            f"{value:.6f}" for value in head.origins[index] + head.column_axis * head.pixel_spacing[1] * 159
        ]
        dataset.PixelData = (stored + 1024).astype("<u2").tobytes()

    same(read(write_dicom(flipped, tmp_path / "d", edit=turn)), head)


def test_head_is_chosen_among_other_series(head, tmp_path):
    folder = tmp_path / "study"
    write_dicom(head, folder / "head")
    write_dicom(head, folder / "bone", SeriesInstanceUID=UID + "2", SeriesNumber=3, ConvolutionKernel=["H60s", "3"])
    write_dicom(
        head, folder / "scout", indices=[3], SeriesInstanceUID=UID + "3", SeriesNumber=1,
        ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"],
    )  # fmt: skip
    write_dicom(head, folder / "mr", SeriesInstanceUID=UID + "4", SeriesNumber=4, Modality="MR")
    write_dicom(head, folder / "cta", SeriesInstanceUID=UID + "5", SeriesNumber=5, ContrastBolusAgent="Iomeron")
    thin = make_head(n_slices=160, step=1.0, size=80, pixel=2.0)
    write_dicom(thin, folder / "thin", SeriesInstanceUID=UID + "6", SeriesNumber=6)
    (folder / "notes.txt").write_text("no image")
    found = find_series(folder)
    assert [info.number for info in found if info.chosen] == [2]
    assert {info.number: info.reason for info in found if not info.chosen} == {
        1: "not slices of Hounsfield units (localizer)",
        3: "bone or lung kernel H60s",
        4: "not a CT (MR)",
        5: "with contrast agent",
        6: "slices 1.00 mm apart",
    }
    ct = read(folder)
    same(ct, head)
    assert codes(ct) == {"other-series": "info"}
    assert {entry["number"] for entry in ct.source["other_series"]} == {1, 3, 4, 5, 6}
    assert "Head 5 mm" not in str(ct.source) and "Nobody" not in str(ct.source)


def test_localizer_inside_the_series_is_left_out(head, tmp_path):
    folder = write_dicom(head, tmp_path / "d")
    scout = dicom_slice(head, 0, SOPInstanceUID=UID + "9", ImageOrientationPatient=[0, 1, 0, 0, 0, -1])
    scout.save_as(folder / "scout", enforce_file_format=True)
    same(read(folder), head)


def test_two_thicknesses_in_one_series(tmp_path):
    thin, thick = make_head(n_slices=14, step=4.0), make_head(n_slices=14, step=7.0)
    shift = thin.origins[-1] + [0, 0, 5.5] - thick.origins[0]
    thick.origins[:] += shift
    write_dicom(thin, tmp_path / "d", prefix="A")
    write_dicom(thick, tmp_path / "d", prefix="B", AcquisitionNumber=2)
    ct = read(tmp_path / "d")
    assert ct.n_slices == 28
    np.testing.assert_allclose(np.diff(ct.heights), [4.0] * 13 + [5.5] + [7.0] * 13, atol=1e-5)
    np.testing.assert_allclose(ct.thickness, [4.0] * 14 + [7.0] * 14)
    assert {flag.code for flag in ct.quality} == {"irregular-spacing"}


def test_doubled_slices_are_dropped_and_reported(head, tmp_path):
    folder = write_dicom(head, tmp_path / "d")
    write_dicom(head, folder, indices=[4, 5, 6], prefix="AGAIN", InstanceNumber=99)
    ct = read(folder)
    same(ct, head)
    assert codes(ct) == {"duplicate-slices": "warning"}
    assert "3 of 35" in ct.quality[0].message


def test_repeated_acquisition_is_not_mixed_in(head, tmp_path):
    again = make_head()
    again.origins[:] += [0, 0, 1.7]
    folder = write_dicom(head, tmp_path / "d")
    write_dicom(again, folder, indices=range(4, 32), prefix="AGAIN", AcquisitionNumber=2)
    ct = read(folder)
    same(ct, head)
    assert codes(ct) == {"other-series": "info"}


def test_missing_slices_are_reported(head, tmp_path):
    ct = read(write_dicom(head, tmp_path / "d", indices=[k for k in range(32) if k not in (12, 13)]))
    assert ct.n_slices == 30
    flags = {flag.code: flag for flag in ct.quality}
    assert set(flags) == {"irregular-spacing", "missing-slices"}
    assert "12 and 13 (15.0 mm)" in flags["missing-slices"].message


def test_signed_pixels_and_padding(head, tmp_path):
    """GE's way: signed, intercept 0, padding far below air outside the circle."""
    circle = np.hypot(*(np.indices((160, 160)) - 79.5)) > 79
    padded = make_head()
    padded.hu[:, circle] = -2000
    ct = read(write_dicom(padded, tmp_path / "d", PixelRepresentation=1, RescaleIntercept=0, PixelPaddingValue=-2000))
    same(ct, head)


def test_padding_that_is_also_a_tissue_value(head, tmp_path):
    """A padding value of 0 with intercept 0 is water too: only what reaches the edge is padding."""
    padded = make_head()
    padded.hu[:, :3] = 0
    padded.hu[16, 80, 80] = 0
    ct = read(write_dicom(padded, tmp_path / "d", PixelRepresentation=1, RescaleIntercept=0, PixelPaddingValue=0))
    assert (ct.hu[:, :3] == -1000).all()
    assert ct.hu[16, 80, 80] == 0


def test_rescale_slope(head, tmp_path):
    ct = read(write_dicom(head, tmp_path / "d", RescaleSlope=0.5, RescaleIntercept=-1024))
    np.testing.assert_allclose(ct.hu, head.hu, atol=0.25)


def test_missing_rescale_with_offset_is_refused(head, tmp_path):
    shifted = make_head()
    shifted.hu[:] += 1024
    ct = read(write_dicom(shifted, tmp_path / "d", RescaleSlope=None, RescaleIntercept=None))
    assert codes(ct) == {"hu-no-rescale": "warning", "hu-missing-rescale": "fatal"}


def test_missing_rescale_of_true_values_is_a_warning(head, tmp_path):
    ct = read(write_dicom(head, tmp_path / "d", PixelRepresentation=1, RescaleSlope=None, RescaleIntercept=None))
    same(ct, head)
    assert codes(ct) == {"hu-no-rescale": "warning"}


def test_bone_kernel_is_reported(head, tmp_path):
    ct = read(write_dicom(head, tmp_path / "d", ConvolutionKernel="BONEPLUS"))
    assert codes(ct) == {"sharp-kernel": "warning"}


@pytest.mark.parametrize("kernel", ["BONEPLUS", "EDGE", "LUNG", "H60s", "Hr64h", "J70h", "FC30", "FC81", "D", "YB"])
def test_sharp_kernels(kernel):
    assert is_sharp(kernel)


@pytest.mark.parametrize("kernel", ["", "STANDARD", "STD+", "SOFT", "H31s", "Hr40f", "FC21", "FC64", "UB", "B", "Qr36"])
def test_soft_kernels(kernel):
    assert not is_sharp(kernel)


def test_compressed_pictures(head, tmp_path):
    pytest.importorskip("openjpeg")

    def compress(dataset, index):
        dataset.compress(pydicom.uid.JPEG2000Lossless)

    small = make_head(n_slices=8, step=20.0)
    ct = read(write_dicom(small, tmp_path / "d", edit=compress))
    np.testing.assert_array_equal(ct.hu, small.hu)


def test_rle_pictures(tmp_path):
    small = make_head(n_slices=8, step=20.0)
    ct = read(write_dicom(small, tmp_path / "d", edit=lambda dataset, index: dataset.compress(pydicom.uid.RLELossless)))
    np.testing.assert_array_equal(ct.hu, small.hu)


def test_missing_decoder_is_one_sentence(tmp_path):
    """In a process without the optional decoders."""
    from pydicom.encaps import encapsulate

    def relabel(dataset, index):
        dataset.PixelData = encapsulate([b"\0" * 100])
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.JPEGLosslessSV1

    folder = write_dicom(make_head(n_slices=8, step=20.0), tmp_path / "d", edit=relabel)
    code = (
        "import sys\n"
        "for name in ('openjpeg', 'libjpeg', 'pylibjpeg', 'gdcm'): sys.modules[name] = None\n"
        "from MidlineShiftLogic.headct import read\n"
        "from MidlineShiftLogic.errors import InputError\n"
        "try: read(sys.argv[1])\n"
        "except InputError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True)
    assert str(folder) in done.stdout
    assert "JPEG Lossless" in done.stdout and "pip install pylibjpeg" in done.stdout


def test_file_without_preamble(head, tmp_path):
    folder = write_dicom(head, tmp_path / "d")
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[132:])
    same(read(folder), head)


def test_single_slice_file_is_read_and_found_too_little(head, tmp_path):
    folder = write_dicom(head, tmp_path / "d")
    ct = read(sorted(folder.iterdir())[0])
    assert ct.n_slices == 1
    flags = codes(ct)
    assert flags["too-few-slices"] == "fatal"
