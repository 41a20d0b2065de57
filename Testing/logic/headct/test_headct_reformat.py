"""Thin, sagittal and coronal scans become axial slabs of about 5 mm."""

import subprocess
import sys

import numpy as np
import pytest
from make_scans import MARKER_LPS, make_head, sagittal_dicom, write_dicom, write_nifti
from test_headct_formats import codes

from MidlineShiftLogic.headct import read
from MidlineShiftLogic.headct.slabs import group_slices


def middle_of_marker(ct):
    """LPS mm of the middle of everything as bright as the marker, slabs at its ends included in part."""
    slices, rows, columns = np.nonzero((ct.hu > 60) & (ct.hu < 100))
    points = np.array(
        [ct.to_lps(k, np.array([column, row])) for k, row, column in zip(slices, rows, columns, strict=True)]
    )
    near = np.abs(points - MARKER_LPS).max(axis=1) < 15
    return points[near].mean(axis=0)


@pytest.mark.parametrize(
    ("step", "members"), [(0.625, 8), (1.0, 5), (1.25, 4), (2.5, 2), (3.0, 2), (3.5, 1), (4.0, 1), (5.0, 1), (10.0, 1)]
)
def test_slab_size(step, members):
    heights = np.arange(40) * step
    groups = group_slices(heights, np.full(40, step))
    assert len(groups[0]) == members
    assert [index for group in groups for index in group] == list(range(40))


def test_overlapping_and_gapped_slices():
    assert len(group_slices(np.arange(40) * 0.625, np.full(40, 1.25))[0]) == 7
    assert len(group_slices(np.arange(10) * 5.0, np.full(10, 1.0))[0]) == 1
    assert len(group_slices(np.arange(10) * 2.5, np.full(10, 5.0))[0]) == 1


def test_slabs_do_not_span_a_gap():
    heights = np.concatenate([np.arange(12), 30 + np.arange(12)]) * 1.0
    for group in group_slices(heights, np.ones(24)):
        assert max(group) < 12 or min(group) >= 12


def test_thin_slices_are_averaged(tmp_path):
    thin = make_head(n_slices=160, step=1.0, size=110, pixel=2.0)
    ct = read(write_nifti(thin, tmp_path / "a.nii"))
    assert ct.n_slices == 32
    np.testing.assert_allclose(ct.hu[10], thin.hu[50:55].mean(axis=0), atol=1e-3)
    np.testing.assert_allclose(ct.origins[10], thin.origins[52], atol=1e-4)
    np.testing.assert_allclose(ct.thickness, 5.0, atol=1e-5)
    assert ct.source_slices[10] == (50, 51, 52, 53, 54)
    assert "160 slices" in ct.source["reformatted"]
    assert codes(ct) == {"reformatted": "info", "spacing": "warning"}
    np.testing.assert_allclose(middle_of_marker(ct), MARKER_LPS, atol=2)


def test_thin_dicom_slabs_name_their_instances(tmp_path):
    thin = make_head(n_slices=64, step=2.5, size=110, pixel=2.0)
    ct = read(write_dicom(thin, tmp_path / "d"))
    assert ct.n_slices == 32
    assert [uid.rsplit(".", 1)[1] for uid in ct.sop_instance_uids[0]] == ["1", "2"]


def test_tilted_thin_slices_are_laid_over_one_another_in_place(tmp_path):
    thin = make_head(n_slices=170, step=1.0, size=200, pixel=1.0, tilt=25.0)
    ct = read(write_nifti(thin, tmp_path / "a.nii", codes=(1, 0)))
    assert {"reformatted", "gantry-tilt"} <= set(codes(ct))
    np.testing.assert_allclose(middle_of_marker(ct), MARKER_LPS, atol=2)
    # An edge along the tilt stays sharp: the marker's front and back are a pixel wide, not the 2 mm the slab drifts.
    middle = int(np.argmin(np.abs(ct.heights - MARKER_LPS @ ct.normal)))
    column, row = np.rint(ct.to_pixels(middle, MARKER_LPS)).astype(int)
    profile = ct.hu[middle, row - 14 : row + 15, column]
    assert ((profile > 36) & (profile < 89)).sum() <= 4


@pytest.mark.parametrize("axcodes", ["PSL", "AIR", "LSP", "RIA"])
def test_sagittal_and_coronal_files(axcodes, tmp_path):
    thin = make_head(n_slices=160, step=1.0, size=110, pixel=2.0)
    axial = read(write_nifti(thin, tmp_path / "axial.nii"))
    other = read(write_nifti(thin, tmp_path / "other.nii", axcodes))
    np.testing.assert_array_equal(other.hu, axial.hu)
    np.testing.assert_allclose(other.origins, axial.origins, atol=1e-3)


@pytest.mark.parametrize("plane_axis", [1, 2])
def test_sagittal_and_coronal_dicom(plane_axis, tmp_path):
    thin = make_head(n_slices=80, step=2.0, size=110, pixel=2.0)
    axial = read(write_nifti(thin, tmp_path / "axial.nii"))
    ct = read(sagittal_dicom(thin, tmp_path / "d", plane_axis))
    np.testing.assert_allclose(ct.hu, axial.hu, atol=1e-3)
    np.testing.assert_allclose(ct.origins, axial.origins, atol=1e-3)
    assert "axial slices cut from 110" in ct.source["reformatted"]
    assert len(ct.sop_instance_uids[0]) == 110


def test_thick_coronal_slices_are_refused(tmp_path):
    thick = make_head(n_slices=200, step=0.8, size=40, pixel=5.0, column_pixel=0.8)
    assert codes(read(write_nifti(thick, tmp_path / "a.nii")))["not-axial"] == "fatal"


def test_coarse_pixels_are_refused(tmp_path):
    assert codes(read(write_nifti(make_head(size=60, pixel=3.6), tmp_path / "a.nii")))["too-coarse"] == "fatal"


def test_steep_slices_are_refused(tmp_path):
    assert codes(read(write_nifti(make_head(tilt=43.0), tmp_path / "a.nii", codes=(1, 0))))["not-axial"] == "fatal"


@pytest.mark.skipif(sys.platform != "linux", reason="counts memory as Linux tells it")
@pytest.mark.parametrize("axcodes", ["LPS", "PSL"])
def test_memory_of_600_thin_slices(axcodes, tmp_path):
    """600 x 512 x 512 of 16 bits is 315 MB in the file; reading it stays well below the 630 MB that floats would add."""
    import nibabel

    shape = (512, 512, 600)
    turned = {"LPS": (0, 1, 2), "PSL": (1, 2, 0)}[axcodes]
    spacing = np.array([0.45, 0.45, 0.3])
    affine = np.zeros((4, 4))
    for axis, anatomical in enumerate(turned):
        affine[anatomical, axis] = spacing[anatomical] * (1 if anatomical == 2 else -1)
    affine[3, 3] = 1
    path = tmp_path / "big.nii"
    image = nibabel.Nifti1Image(np.zeros((1, 1, 1), np.int16), affine)
    image.header.set_data_shape([shape[axis] for axis in turned])
    image.header["vox_offset"] = 352
    with path.open("wb") as stream:
        image.header.write_to(stream)
        stream.truncate(352 + 2 * int(np.prod(shape)))
    code = (
        "import sys; from MidlineShiftLogic.headct import read; ct = read(sys.argv[1]);"
        "assert ct.hu.shape[1:] == (512, 512) and 30 <= len(ct.hu) <= 40, ct.hu.shape;"
        # not getrusage: its maximum starts with the size of the process that started this one
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert int(done.stdout) * 1024 < 0.63e9, f"{int(done.stdout) * 1024 / 1e9:.2f} GB"
