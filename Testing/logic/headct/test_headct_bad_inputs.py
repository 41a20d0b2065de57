"""Everything that is not a readable scan ends in one sentence that names the path and the remedy."""

import nibabel
import numpy as np
import pytest
from make_scans import dicom_slice, make_head, with_line, write_dicom, write_itk, write_nifti

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct import find_series, read


def refusal(path, spacing=None):
    with pytest.raises(InputError) as caught:
        read(path, spacing)
    message = str(caught.value)
    assert str(path) in message, message
    assert message.endswith("."), message
    assert "\n" not in message
    assert caught.value.exit_code == 2
    return message


def test_no_such_path(tmp_path):
    assert "no file or folder" in refusal(tmp_path / "nothing.nii.gz")


def test_empty_folder(tmp_path):
    assert "empty" in refusal(tmp_path)
    with pytest.raises(InputError):
        find_series(tmp_path / "nothing")


def test_folder_without_dicom(tmp_path):
    (tmp_path / "a.txt").write_text("hello")
    (tmp_path / "b.bin").write_bytes(bytes(range(256)))
    assert "no DICOM images" in refusal(tmp_path)


def test_zero_bytes(tmp_path):
    for name in ("a.nii.gz", "a.dcm", "a.npy"):
        (tmp_path / name).touch()
        assert "0 bytes" in refusal(tmp_path / name)


@pytest.mark.parametrize("name", ["a.txt", "a.nii", "a.nii.gz", "a.nrrd", "a.mha", "a.npy", "a.dcm"])
def test_text_whatever_it_is_called(name, tmp_path):
    (tmp_path / name).write_text("this is not a scan\n" * 100)
    assert "not a scan in a known format" in refusal(tmp_path / name)


@pytest.mark.parametrize("name", ["a.png", "a.nii.gz"])
def test_png(name, tmp_path):
    from PIL import Image

    with (tmp_path / name).open("wb") as stream:
        Image.new("RGB", (32, 32)).save(stream, "PNG")
    assert "PNG picture" in refusal(tmp_path / name)


def test_zip(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04" + b"\0" * 600)
    assert "unpack" in refusal(tmp_path / "a.zip")


@pytest.mark.parametrize("keep", [10, 300, 0.5])
def test_truncated_nifti_gz(keep, tmp_path):
    head = make_head(n_slices=8, step=20.0)
    head.hu[:] += np.random.default_rng(0).integers(0, 5, head.hu.shape)
    path = write_nifti(head, tmp_path / "a.nii.gz")
    whole = path.read_bytes()
    path.write_bytes(whole[: keep if isinstance(keep, int) else int(len(whole) * keep)])
    assert "incomplete or damaged" in refusal(path)


def test_garbled_nifti_gz(tmp_path):
    path = write_nifti(make_head(n_slices=8, step=20.0), tmp_path / "a.nii.gz")
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2 : len(whole) // 2 + 200] = bytes(200)
    path.write_bytes(whole)
    assert "incomplete or damaged" in refusal(path)


def test_truncated_nifti(tmp_path):
    path = write_nifti(make_head(n_slices=8, step=20.0), tmp_path / "a.nii")
    path.write_bytes(path.read_bytes()[:50_000])
    assert "incomplete or damaged" in refusal(path)


def test_nifti_header_with_impossible_type(tmp_path):
    path = write_nifti(make_head(n_slices=2), tmp_path / "a.nii")
    whole = bytearray(path.read_bytes())
    whole[70:72] = (9999).to_bytes(2, "little")
    path.write_bytes(whole)
    assert "incomplete or damaged" in refusal(path)


@pytest.mark.parametrize("ending", ["nrrd", "mha"])
def test_truncated_itk(ending, tmp_path):
    path = write_itk(make_head(n_slices=8, step=20.0), tmp_path / f"a.{ending}")
    path.write_bytes(path.read_bytes()[: 4000 if ending == "mha" else 500])
    assert "incomplete or damaged" in refusal(path)


@pytest.mark.parametrize("ending", ["nhdr", "mhd"])
def test_data_file_missing(ending, tmp_path):
    path = write_itk(make_head(n_slices=4, step=20.0), tmp_path / f"a.{ending}")
    for other in tmp_path.iterdir():
        if other != path:
            other.unlink()
    assert "missing beside it" in refusal(path)


def test_truncated_dicom(tmp_path):
    folder = write_dicom(make_head(n_slices=8, step=20.0), tmp_path / "d")
    victim = sorted(folder.iterdir())[3]
    victim.write_bytes(victim.read_bytes()[:20_000])
    with pytest.raises(InputError, match="incomplete or damaged") as caught:
        read(folder)
    assert victim.name in str(caught.value)


def test_dicom_cut_in_its_header(tmp_path):
    folder = write_dicom(make_head(n_slices=1), tmp_path / "d")
    victim = next(folder.iterdir())
    victim.write_bytes(victim.read_bytes()[:300])
    refusal(victim)
    refusal(folder)


def test_four_dimensions(tmp_path):
    path = tmp_path / "a.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.zeros((8, 8, 8, 3), np.int16), np.eye(4)), path)
    assert "3 volumes" in refusal(path)


def test_four_dimensional_nrrd(tmp_path):
    import SimpleITK

    image = SimpleITK.JoinSeries([SimpleITK.Image(8, 8, 8, SimpleITK.sitkInt16)] * 3)
    SimpleITK.WriteImage(image, str(tmp_path / "a.mha"))
    assert "3 volumes" in refusal(tmp_path / "a.mha")


@pytest.mark.parametrize(
    ("ending", "line", "said"),
    [
        (".nrrd", 'space units: "cm" "cm" "cm"', "its unit of length is cm, not mm"),
        (".nrrd", 'space units: "mm" "mm" "m"', "its unit of length is m, not mm"),
        (".nrrd", "space units: um um um", "its unit of length is um, not mm"),
        (".mha", "DistanceUnits = cm", "its unit of length is cm, not mm"),
        (".mha", "ElementToIntensityFunctionSlope = 2", "wants its values to be scaled"),
        (".mha", "ElementToIntensityFunctionOffset = -1024", "wants its values to be scaled"),
    ],
)
def test_other_units_of_length_and_values_to_be_scaled(tmp_path, ending, line, said):
    path = write_itk(make_head(n_slices=10, size=60, pixel=3.6, step=8.0), tmp_path / f"a{ending}")
    assert said in refusal(with_line(path, line))


def test_units_of_the_axes_of_a_nrrd(tmp_path):
    path = tmp_path / "a.nrrd"
    lines = ["NRRD0004", "type: short", "dimension: 4", "sizes: 8 8 8 1", "encoding: raw", "endian: little"]
    for units, refused in (('"mm" "mm" "mm" "s"', False), ('"mm" "mm" "cm" "s"', True)):
        header = "\n".join([*lines, "spacings: 1 1 5 nan", f"units: {units}"]) + "\n\n"
        path.write_bytes(header.encode() + bytes(1024))
        if refused:
            assert "its unit of length is cm" in refusal(path)
        else:
            assert read(path).n_slices == 8


def test_colour_files(tmp_path):
    import SimpleITK

    SimpleITK.WriteImage(SimpleITK.Image([8, 8, 8], SimpleITK.sitkVectorUInt8, 3), str(tmp_path / "a.nrrd"))
    assert "values a voxel" in refusal(tmp_path / "a.nrrd")
    rgb = np.zeros((8, 8, 8), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    nibabel.save(nibabel.Nifti1Image(rgb, np.eye(4)), tmp_path / "a.nii")
    assert "coloured" in refusal(tmp_path / "a.nii")


def test_geometry_of_zeros(tmp_path):
    path = tmp_path / "a.nii"
    image = nibabel.Nifti1Image(np.zeros((8, 8, 8), np.int16), np.eye(4))
    image.header["srow_x"] = 0
    image.header["sform_code"] = 1
    with path.open("wb") as stream:
        image.header.write_to(stream)
        stream.write(bytes(4 + 2 * 512))
    assert "no usable geometry" in refusal(path)


def test_npy(tmp_path):
    volume = tmp_path / "a.npy"
    np.save(volume, np.zeros((4, 8, 8), np.int16))
    assert "spacing" in refusal(volume)
    assert "positive" in refusal(volume, (5, 0, 1))
    assert "positive" in refusal(volume, (5, 1))
    objects = tmp_path / "o.npy"
    np.save(objects, np.array([{}, None], dtype=object))
    assert "not opened for safety" in refusal(objects, (5, 1, 1))
    np.save(tmp_path / "c.npy", np.zeros((4, 8, 8), complex))
    assert "array of Hounsfield units is needed" in refusal(tmp_path / "c.npy", (5, 1, 1))
    np.save(tmp_path / "5.npy", np.zeros((1, 2, 4, 8, 8)))
    assert "array of Hounsfield units is needed" in refusal(tmp_path / "5.npy", (5, 1, 1))
    volume.write_bytes(volume.read_bytes()[:200])
    assert "incomplete or damaged" in refusal(volume, (5, 1, 1))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"Modality": "MR"}, "not a CT (MR)"),
        ({"Modality": "PT"}, "not a CT (PT)"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "colour or screen picture"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "colour or screen picture"),
        ({"ImageType": ["DERIVED", "SECONDARY", "MIP"]}, "mip"),
        ({"ImagePositionPatient": None}, "do not state their position"),
        ({"PixelSpacing": None}, "do not state their position"),
        ({"ImageOrientationPatient": None}, "do not state their position"),
    ],
)
def test_dicom_that_is_no_head_ct(changes, expected, tmp_path):
    folder = write_dicom(make_head(n_slices=8, step=20.0), tmp_path / "d", **changes)
    assert expected in refusal(folder)


def test_rgb_dicom(tmp_path):
    picture = dicom_slice(make_head(n_slices=1), 0, SamplesPerPixel=3, PhotometricInterpretation="RGB", BitsAllocated=8)
    picture.save_as(tmp_path / "rgb.dcm", enforce_file_format=True)
    assert "colour" in refusal(tmp_path / "rgb.dcm")


def test_dicom_without_images(tmp_path):
    report = dicom_slice(make_head(n_slices=1), 0, Modality="SR")
    del report.PixelData, report.Rows, report.Columns
    report.save_as(tmp_path / "sr.dcm", enforce_file_format=True)
    assert "without images" in refusal(tmp_path / "sr.dcm")
    assert "no DICOM images" in refusal(tmp_path)
