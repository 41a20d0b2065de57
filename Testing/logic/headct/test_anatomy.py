"""Anatomy against header: turned, stretched and rescaled scans are refused or reported; ordinary ones are not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from make_scans import make_head, write_dicom, write_nifti
from scipy import ndimage

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct import check, read
from MidlineShiftLogic.headct.anatomy import air_behind_middle
from MidlineShiftLogic.headct.density import brain_hu
from MidlineShiftLogic.headct.head_shape import head_shape
from MidlineShiftLogic.headct.orientation import orientation_evidence


def codes(ct):
    return {flag.code: flag.severity for flag in (*ct.quality, *check(ct))}


@pytest.fixture(scope="module")
def base():
    """A head that ends in a broad base, as scans do."""
    head = make_head()
    return replace(head, hu=head.hu[8:], origins=head.origins[8:], thickness=head.thickness[8:])


def inside_of_head(ct):
    """(slice, row, column) bool: all that the skin encloses, on the scan's own grid."""
    return np.stack([ndimage.binary_fill_holes(plane > -500) for plane in ct.hu])


@pytest.fixture(scope="module")
def samples():
    """Both sample scans, which have the anatomy that the ellipsoid lacks."""
    folder = Path(__file__).parents[3] / "Resources" / "SampleScans"
    return [read(path) for path in sorted(folder.glob("*.nii.gz"))]


def test_an_ordinary_head_is_not_flagged(head):
    assert codes(head) == {}
    shape = head_shape(head)
    assert brain_hu(shape) == pytest.approx(35, abs=3)
    assert air_behind_middle(shape)[1] < -0.2


def test_front_to_back(head):
    assert codes(replace(head, hu=head.hu[:, ::-1]))["front-back"] == "fatal"
    turned = replace(head, hu=head.hu[:, ::-1, ::-1])
    assert codes(turned)["front-back"] == "fatal", "turned by 180 degrees"
    assert "front-back" not in codes(replace(head, hu=head.hu[:, :, ::-1])), "left and right look the same"


@pytest.mark.parametrize("air", [True, False])
def test_the_samples_turned(samples, air):
    """Also without any air inside, forehead, skull base and vertex still say front and up."""
    ct = samples[air]
    if not air:
        ct = replace(ct, hu=np.where(inside_of_head(ct) & (ct.hu < -200), 0, ct.hu).astype(np.float32))
    assert not {"front-back", "upside-down"} & set(codes(ct))
    assert "front-back" in codes(replace(ct, hu=ct.hu[:, ::-1])), "mirrored"
    assert "front-back" in codes(replace(ct, hu=ct.hu[:, ::-1, ::-1])), "turned by 180 degrees"
    assert codes(replace(ct, hu=ct.hu[::-1]))["upside-down"] == "warning"
    both = codes(replace(ct, hu=ct.hu[::-1, ::-1]))
    assert {"front-back", "upside-down"} & set(both), "turned about the axis through the ears"


def test_evidence_changes_its_sign_when_the_scan_is_turned(samples):
    ct = samples[0]
    shape = head_shape(ct)
    turned = replace(shape, hu=shape.hu[:, ::-1], head=shape.head[:, ::-1], brain=shape.brain[:, ::-1])
    evidence, other = orientation_evidence(ct.heights, shape), orientation_evidence(ct.heights, turned)
    assert evidence.front_back > 0.3
    assert other.front_back == pytest.approx(-evidence.front_back, abs=0.1)


def test_no_evidence_without_brain(base):
    shape = head_shape(base)
    assert orientation_evidence(base.heights, replace(shape, brain=np.zeros_like(shape.brain))) is None


def test_upside_down(base):
    assert "upside-down" not in codes(base)
    assert codes(replace(base, hu=base.hu[::-1]))["upside-down"] == "warning"


def test_upside_down_without_air_inside(base):
    filled = np.where((base.hu < -900) & inside_of_head(base), 35, base.hu).astype(np.float32)
    assert "upside-down" not in codes(replace(base, hu=filled))
    assert codes(replace(base, hu=filled[::-1]))["upside-down"] == "warning"


@pytest.mark.parametrize("factor", [(1.4, 1.0), (1.0, 1.4), (1.1, 1.0)])
def test_pixels_that_are_not_square(head, factor):
    row, column = head.pixel_spacing
    assert codes(replace(head, pixel_spacing=(row * factor[0], column * factor[1])))["spacing"] == "warning"


def test_a_stretched_head(head):
    stretched = replace(head, pixel_spacing=(head.pixel_spacing[0] * 1.3, head.pixel_spacing[1]))
    assert codes(stretched)["head-shape"] == "warning"
    for factor in (0.35, 2):
        assert codes(replace(head, origins=head.origins * [1, 1, factor]))["head-shape"] == "warning", factor
    large = replace(head, pixel_spacing=(head.pixel_spacing[0] * 1.5, head.pixel_spacing[1] * 1.5))
    assert codes(large)["head-size"] == "warning"


@pytest.mark.parametrize(
    ("slope", "offset", "severity"),
    [
        (2, 0, "warning"),
        (1, 60, "fatal"),
        (1, 30, "warning"),
        (1, -30, "warning"),
        (1.25, 0, "warning"),
        (0.75, 0, "fatal"),
        (1.4, 0, "warning"),
        (2.5, 0, "fatal"),
    ],
)
def test_rescaled_values(head, slope, offset, severity):
    noisy = head.hu + np.random.default_rng(0).normal(0, 8, head.hu.shape)
    found = codes(replace(head, hu=(noisy * slope + offset).astype(np.float32)))
    fatal = [code for code, level in found.items() if level == "fatal"]
    assert found.get("hu-scale") == severity or (severity == "fatal" and fatal), found


def test_floors_of_air_that_writers_use(head):
    """-1024 (cut), -900 (rebuilt from a picture), and padding outside the field of view, are not reported."""
    noisy = (head.hu + np.random.default_rng(0).normal(0, 8, head.hu.shape)).astype(np.float32)
    for floor in (-1024, -900):
        assert codes(replace(head, hu=np.where(noisy < -850, floor, noisy).astype(np.float32))) == {}, floor
    padded = noisy.copy()
    padded[:, :20] = padded[:, -20:] = -3024
    assert codes(replace(head, hu=padded)) == {}
    assert codes(replace(head, hu=np.where(noisy < -850, -1250, noisy).astype(np.float32))) == {"hu-scale": "warning"}


def test_brain_without_fluid_is_reported(head):
    """An infant's brain of 25, and an intercept that adds 25: the brain passes, its fluid does not."""
    infant = head.hu + np.where((head.hu > 30) & (head.hu < 45), -10, 0)
    noise = np.random.default_rng(0).normal(0, 8, head.hu.shape)
    assert "hu-scale" not in codes(replace(head, hu=(infant + noise).astype(np.float32)))
    assert codes(replace(head, hu=(infant + noise + 25).astype(np.float32)))["hu-scale"] == "warning"


def test_values_that_no_scanner_writes(head):
    hu = head.hu.copy()
    hu[16] = 1e30
    assert codes(replace(head, hu=hu)) == {"hu-range": "fatal"}


def test_a_stack_sheared_beyond_any_gantry(head, tmp_path):
    import nibabel

    image = nibabel.load(write_nifti(head, tmp_path / "a.nii"))
    affine = image.affine.copy()
    affine[1, 2] = 8.0
    nibabel.save(nibabel.Nifti1Image(np.asarray(image.dataobj), affine), tmp_path / "b.nii")
    assert codes(read(tmp_path / "b.nii"))["sheared"] == "fatal"


@pytest.mark.parametrize(
    "sizes", [(0, 0, 0), (-1, -1, -1), (0, 1.4, 5), (1.4, 1.4, -5), (np.nan, 1, 1), (np.inf, 1, 1)]
)
def test_nifti_with_a_qform_and_no_voxel_size(head, tmp_path, sizes):
    path = write_nifti(head, tmp_path / "a.nii", codes=(0, 1))
    content = bytearray(path.read_bytes())
    content[80:92] = np.array(sizes, "<f4").tobytes()
    path.write_bytes(content)
    with pytest.raises(InputError, match="no usable geometry"):
        read(path)


def test_nifti_whose_two_voxel_sizes_differ(head, tmp_path):
    path = write_nifti(head, tmp_path / "a.nii", codes=(1, 0))
    content = bytearray(path.read_bytes())
    content[80:84] = np.array([2.0], "<f4").tobytes()
    path.write_bytes(content)
    assert codes(read(path)) == {"spacing-conflict": "warning"}


def test_monochrome1_and_bits_stored_are_reported(head, tmp_path):
    small = make_head(n_slices=12, step=12.0, size=64, pixel=3.4)
    assert codes(read(write_dicom(small, tmp_path / "a", PhotometricInterpretation="MONOCHROME1")))["monochrome1"]
    bright = replace(small, hu=np.where(small.hu > 1000, 3500, small.hu).astype(np.float32))
    assert codes(read(write_dicom(bright, tmp_path / "b", BitsStored=12, HighBit=11)))["bits-stored"] == "warning"
    assert "bits-stored" not in codes(read(write_dicom(small, tmp_path / "c", BitsStored=12, HighBit=11)))


def test_mixed_patients_and_studies_are_refused(tmp_path):
    small = make_head(n_slices=12, step=12.0, size=64, pixel=3.4)
    for change in ({"PatientID": "OTHER"}, {"StudyInstanceUID": "1.2.3"}):
        folder = tmp_path / next(iter(change))
        write_dicom(small, folder / "one")
        write_dicom(small, folder / "two", SeriesInstanceUID="1.2.4", **change)
        with pytest.raises(InputError, match=r"patients|studies") as caught:
            read(folder)
        assert caught.value.code == "mixed-studies"
    from MidlineShiftLogic import measure

    with pytest.raises(InputError, match="patients"):
        measure(tmp_path / "PatientID")


def moved(ct, millimetres):
    """The scan with slices that its header moves to the left by so much each."""
    return replace(ct, origins=ct.origins + np.outer(millimetres, [1.0, 0, 0]))


@pytest.mark.parametrize("side", [1, -1])
def test_positions_that_jump_sideways(base, side):
    """Each slice's midline would be measured beside that of the others."""
    index = np.arange(base.n_slices)
    for wrong in (4.0 * (index % 2), 6.0 * (index > 10), 8.0 * (index == 12)):
        assert codes(moved(base, side * wrong))["slice-places"] == "fatal"
    for right in (0.2 * (index % 2), 1.0 * index):
        assert "slice-places" not in codes(moved(base, side * right)), "rounded, or a stack that runs obliquely"


def test_a_field_of_view_that_jumps_with_the_head(base):
    pixels = np.where(np.arange(base.n_slices) > 10, 4, 0)
    hu = np.stack([np.roll(plane, -count, axis=1) for plane, count in zip(base.hu, pixels, strict=True)])
    recentred = moved(replace(base, hu=hu), pixels * base.pixel_spacing[1])
    assert "slice-places" not in codes(recentred)


def test_other_names_with_one_number_or_none(head, tmp_path):
    def write(folder, number, names):
        for half, name in enumerate(names):
            write_dicom(
                head, tmp_path / folder, range(half, 32, 2), prefix=str(half), PatientID=number, PatientName=name
            )
        return tmp_path / folder

    assert "patient-names" not in codes(read(write("one", "1", ["Doe^Jane", "DOE JANE=x"])))
    assert codes(read(write("two", "1", ["Doe^Jane", "Roe^Mary"])))["patient-names"] == "warning"
    assert "patient-names" not in codes(read(write("none", "", ["Doe^Jane", "Doe^Jane"])))
    with pytest.raises(InputError, match="2 patients"):
        read(write("mixed", "", ["Doe^Jane", "Roe^Mary"]))
