"""Whatever the format and storage order, the canonical scan is the same and the marker is on the patient's left."""

from itertools import permutations, product

import nibabel
import numpy as np
import pytest
from make_scans import MARKER_HU, MARKER_LPS, make_head, with_line, write_dicom, write_enhanced, write_itk, write_nifti

from MidlineShiftLogic.headct import check, read

ALL_ORIENTATIONS = [
    "".join(letters) for order in permutations((("L", "R"), ("P", "A"), ("S", "I"))) for letters in product(*order)
]


def same(ct, expected, tolerance=1e-3):
    assert ct.hu.dtype == np.float32
    np.testing.assert_array_equal(ct.hu, expected.hu)
    np.testing.assert_allclose(ct.origins, expected.origins, atol=tolerance)
    np.testing.assert_allclose(ct.column_axis, expected.column_axis, atol=1e-5)
    np.testing.assert_allclose(ct.row_axis, expected.row_axis, atol=1e-5)
    np.testing.assert_allclose(ct.pixel_spacing, expected.pixel_spacing, atol=1e-5)
    np.testing.assert_allclose(ct.thickness, expected.thickness, atol=1e-3)


def codes(ct):
    return {flag.code: flag.severity for flag in (*ct.quality, *check(ct))}


def marker_lps(ct):
    """LPS mm of the middle of the marker, from the pixels."""
    slices, rows, columns = np.nonzero(ct.hu == MARKER_HU)
    return np.mean(
        [ct.to_lps(k, np.array([column, row])) for k, row, column in zip(slices, rows, columns, strict=True)], axis=0
    )


def test_there_are_48_orientations():
    assert len(set(ALL_ORIENTATIONS)) == 48


@pytest.mark.parametrize("axcodes", ALL_ORIENTATIONS)
def test_nifti_in_every_storage_order_is_the_same_scan(axcodes, tmp_path):
    head = make_head(n_slices=10, size=60, pixel=3.6, step=8.0, column_pixel=3.0)
    same(read(write_nifti(head, tmp_path / "a.nii", axcodes)), head)


@pytest.mark.parametrize("axcodes", ["LPS", "RAS", "LAS", "RPI", "SLP", "PIR"])
def test_marker_is_on_the_left(axcodes, head, tmp_path):
    ct = read(write_nifti(head, tmp_path / "a.nii.gz", axcodes))
    np.testing.assert_allclose(marker_lps(ct), MARKER_LPS, atol=1.5)
    marked = np.nonzero(ct.hu == MARKER_HU)
    assert marked[2].mean() > ct.hu.shape[2] / 2 + 15
    assert marked[1].mean() < ct.hu.shape[1] / 2


@pytest.mark.parametrize(("unit", "mm"), [("meter", 1000.0), ("micron", 0.001)])
@pytest.mark.parametrize("sform", [0, 1])
def test_nifti_in_metres_and_micrometres_is_the_same_scan(unit, mm, sform, head, tmp_path):
    image = nibabel.load(write_nifti(head, tmp_path / "a.nii"))
    affine = image.affine.copy()
    affine[:3] /= mm
    image = nibabel.Nifti1Image(np.asarray(image.dataobj), affine)
    image.set_sform(affine, sform)
    image.set_qform(affine, 1)
    image.header.set_xyzt_units(unit)
    nibabel.save(image, tmp_path / "b.nii")
    same(read(tmp_path / "b.nii"), head)


@pytest.mark.parametrize("axcodes", ["LPS", "RAS", "AIR"])
def test_sheared_nifti_keeps_the_tilted_plane(axcodes, tilted, tmp_path):
    ct = read(write_nifti(tilted, tmp_path / "a.nii", axcodes, codes=(1, 0)))
    same(ct, tilted, tolerance=1e-2)
    np.testing.assert_allclose(marker_lps(ct), MARKER_LPS, atol=3)
    assert codes(ct) == {"gantry-tilt": "info"}


def test_ordinary_scan_raises_no_flag(head, tmp_path):
    ct = read(write_nifti(head, tmp_path / "a.nii.gz"))
    assert codes(ct) == {}
    assert ct.source["format"] == "NIfTI"
    assert ct.source["stored_shape"] == [160, 160, 32]
    assert ct.source["stored_spacing_mm"] == [1.4, 1.4, 5.0]
    assert ct.source["reformatted"] is None
    assert len(ct.source["sha256"]) == 64
    assert ct.source_slices == tuple((index,) for index in range(32))


def test_source_slices_are_indices_of_the_file(head, tmp_path):
    ct = read(write_nifti(head, tmp_path / "a.nii", "ILP"))
    assert ct.source["slice_axis"] == 0
    assert ct.source_slices[0] == (31,)
    assert ct.source_slices[31] == (0,)


def test_digest_distinguishes_scans_not_formats(head, tmp_path):
    digest = read(write_nifti(head, tmp_path / "a.nii")).source["sha256"]
    assert read(write_itk(head, tmp_path / "a.nrrd")).source["sha256"] == digest
    assert read(write_dicom(head, tmp_path / "dicom")).source["sha256"] == digest
    other = make_head()
    other.hu[3, 4, 5] += 1
    assert read(write_nifti(other, tmp_path / "b.nii")).source["sha256"] != digest


def test_lps_round_trip(tilted, tmp_path):
    ct = read(write_nifti(tilted, tmp_path / "a.nii", "RAS", codes=(1, 0)))
    pixels = np.array([[0.0, 0.0], [10.5, 20.25], [159.0, 3.0]])
    for index in (0, 7, 31):
        np.testing.assert_allclose(ct.to_pixels(index, ct.to_lps(index, pixels)), pixels, atol=1e-9)


@pytest.mark.parametrize("ending", [".nrrd", ".nhdr", ".mha", ".mhd"])
@pytest.mark.parametrize(
    ("order", "flips"), [((0, 1, 2), (1, 1, 1)), ((2, 0, 1), (-1, 1, -1)), ((1, 2, 0), (1, -1, 1))]
)
def test_nrrd_and_metaimage(ending, order, flips, head, tmp_path):
    ct = read(write_itk(head, tmp_path / f"a{ending}", order, flips))
    same(ct, head)
    assert codes(ct) == {}


def test_nrrd_in_ras_space(tmp_path, head):
    """Slicer writes LPS; others write RAS."""
    path = write_itk(head, tmp_path / "a.nrrd")
    text = path.read_bytes()
    assert b"space: left-posterior-superior" in text
    ras = text.replace(b"space: left-posterior-superior", b"space: right-anterior-superior")
    path.write_bytes(ras)
    ct = read(path)
    # The same header numbers in RAS are the head turned by 180 degrees about the long axis: the marker goes along.
    np.testing.assert_allclose(marker_lps(ct), MARKER_LPS * [-1, -1, 1], atol=1.5)


@pytest.mark.parametrize(
    ("ending", "line"),
    [
        (".nrrd", 'space units: "mm" "mm" "mm"'),
        (".nrrd", 'space units: "" "" ""'),
        (".mha", "DistanceUnits = mm"),
        (".mha", "DistanceUnits = ?"),
        (".mha", "ElementToIntensityFunctionSlope = 1.0"),
        (".mha", "ElementToIntensityFunctionOffset = 0"),
    ],
)
def test_millimetres_and_unscaled_values_may_be_stated(ending, line, head, tmp_path):
    same(read(with_line(write_itk(head, tmp_path / f"a{ending}"), line)), head)


def test_npy_is_taken_as_canonical(head, tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, head.hu)
    ct = read(path, spacing=(5.0, 1.4, 1.4))
    np.testing.assert_array_equal(ct.hu, head.hu)
    np.testing.assert_allclose(np.diff(ct.heights), 5.0)
    assert ct.pixel_spacing == (1.4, 1.4)
    assert codes(ct) == {"npy-order": "info"}


def test_dicom_series(head, tmp_path):
    ct = read(write_dicom(head, tmp_path / "dicom"))
    same(ct, head)
    assert codes(ct) == {}
    assert ct.sop_instance_uids[0] == ("1.2.826.0.1.3680043.8.498.1.1",)
    assert ct.sop_instance_uids[31] == ("1.2.826.0.1.3680043.8.498.1.32",)


def test_enhanced_multi_frame(tilted, tmp_path):
    ct = read(write_enhanced(tilted, tmp_path / "enhanced.dcm"))
    same(ct, tilted)
    assert codes(ct) == {"gantry-tilt": "info"}
    assert ct.sop_instance_uids[0] == ct.sop_instance_uids[31]


@pytest.mark.parametrize("name", ["a", "a.dat", "a.nrrd", "scan.NII.GZ"])
def test_format_is_found_by_content(name, head, tmp_path):
    written = write_nifti(head, tmp_path / "written.nii.gz")
    path = written.rename(tmp_path / name)
    same(read(path), head)


@pytest.mark.parametrize("kind", ["nii.gz", "nrrd", "mha", "mhd", "npy", "dicom"])
def test_paths_with_spaces_and_other_letters(kind, head, tmp_path):
    folder = tmp_path / "Größe 頭部 ct"
    folder.mkdir()
    path = folder / f"Kopf é 1.{kind}"
    spacing = None
    if kind == "nii.gz":
        write_nifti(head, path)
    elif kind == "npy":
        np.save(path, head.hu)
        spacing = (5.0, 1.4, 1.4)
    elif kind == "dicom":
        write_dicom(head, path)
    else:
        write_itk(head, path)
    ct = read(str(path), spacing)
    np.testing.assert_array_equal(ct.hu, head.hu)


def test_nifti_slope_and_intercept(head, tmp_path):
    path = tmp_path / "scaled.nii"
    image = nibabel.Nifti1Image(
        ((head.hu + 1024) / 2).transpose(2, 1, 0).astype(np.uint16), np.diag([-1.4, -1.4, 5, 1])
    )
    image.header.set_slope_inter(2.0, -1024.0)
    nibabel.save(image, path)
    raw = nibabel.load(path)
    np.testing.assert_allclose(read(path).hu, raw.get_fdata().transpose(2, 1, 0), atol=0.5)


def test_nifti_without_orientation_is_reported(head, tmp_path):
    path = tmp_path / "a.nii"
    image = nibabel.Nifti1Image(head.hu.transpose(2, 1, 0).astype(np.int16), None)
    image.header.set_zooms((1.4, 1.4, 5.0))
    image.set_sform(None, 0)
    image.set_qform(None, 0)
    nibabel.save(image, path)
    assert codes(read(path))["no-orientation"] == "warning"


def test_nifti_with_two_orientations_is_reported(head, tmp_path):
    path = write_nifti(head, tmp_path / "a.nii")
    image = nibabel.load(path)
    mirrored = image.affine @ np.diag([-1, 1, 1, 1])
    image.set_qform(mirrored, 1)
    nibabel.save(image, tmp_path / "b.nii")
    assert codes(read(tmp_path / "b.nii"))["orientation-conflict"] == "warning"


def test_four_dimensional_with_one_volume_is_read(head, tmp_path):
    image = nibabel.Nifti1Image(head.hu.transpose(2, 1, 0)[..., None].astype(np.int16), np.diag([-1.4, -1.4, 5, 1]))
    nibabel.save(image, tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(read(tmp_path / "a.nii.gz").hu, head.hu)


def test_spacing_for_other_formats_is_reported_to_be_ignored(head, tmp_path):
    ct = read(write_nifti(head, tmp_path / "a.nii"), spacing=(1.0, 1.0, 1.0))
    same(ct, head)
    assert codes(ct) == {"spacing-ignored": "warning"}


def test_progress_is_reported(head, tmp_path):
    reported = []
    read(write_nifti(head, tmp_path / "a.nii"), progress=lambda *step: reported.append(step))
    assert reported[-1][:2] == (32, 32)
    assert all(isinstance(what, str) and what for _, _, what in reported)
