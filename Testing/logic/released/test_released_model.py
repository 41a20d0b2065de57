"""The released model on the shipped samples: the right side, and the same number however the scan is stored or turned."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from MidlineShiftLogic import measure
from MidlineShiftLogic.headct import read
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.models import load_model

SAMPLES = Path(__file__).resolve().parents[3] / "Resources" / "SampleScans"


@cache
def scan(name: str) -> HeadCT:
    return read(SAMPLES / f"sample_{name}.nii.gz")


@cache
def shift(name: str) -> float:
    return measure(scan(name), device="cpu").signed_shift_mm


def mirrored(ct: HeadCT) -> HeadCT:
    """The patient's left and right exchanged."""
    return replace(ct, hu=np.ascontiguousarray(ct.hu[:, :, ::-1]))


def turned(ct: HeadCT, degrees: float) -> HeadCT:
    hu = ndimage.rotate(ct.hu, degrees, axes=(2, 1), reshape=False, order=1, mode="constant", cval=-1000)
    return replace(ct, hu=hu.astype(np.float32))


def test_the_shifted_sample_reads_its_true_shift_and_side():
    import json

    truth = json.loads((SAMPLES / "truth.json").read_text())
    assert shift("shifted") == pytest.approx(truth["sample_shifted"]["signed_shift_mm"], abs=1.5)
    assert abs(shift("unshifted")) < 1.5


def test_mirroring_the_patient_changes_the_side_only():
    assert measure(mirrored(scan("shifted")), device="cpu").signed_shift_mm == pytest.approx(-shift("shifted"), abs=0.3)


@pytest.mark.parametrize("degrees", [10, -10])
def test_turning_the_head_hardly_changes_the_number(degrees):
    found = measure(turned(scan("shifted"), degrees), device="cpu").signed_shift_mm
    assert found == pytest.approx(shift("shifted"), abs=0.5)


def test_the_number_does_not_depend_on_the_storage_order(tmp_path):
    import nibabel

    image = nibabel.load(SAMPLES / "sample_shifted.nii.gz")
    for codes in ("RAS", "PIL"):
        turn = nibabel.orientations.ornt_transform(
            nibabel.io_orientation(image.affine), nibabel.orientations.axcodes2ornt(codes)
        )
        path = tmp_path / f"{codes}.nii.gz"
        nibabel.save(image.as_reoriented(turn), path)
        assert measure(path, device="cpu").signed_shift_mm == pytest.approx(shift("shifted"), abs=1e-3)


def test_the_same_scan_gives_the_same_answer():
    again = measure(scan("shifted"), device="cpu")
    assert again.signed_shift_mm == shift("shifted")


def test_landmarks_are_in_the_patient_and_make_the_number():
    ct, m = scan("shifted"), measure(scan("shifted"), device="cpu")
    case = next(s for s in m.slices if s.index == m.slice)
    assert case.signed_shift_mm == m.signed_shift_mm
    for name, point in case.landmarks_lps_mm.items():
        assert ct.to_pixels(case.index, point) == pytest.approx(case.landmarks_px[name], abs=1e-6)
    lps = case.landmarks_lps_mm
    offset = lps["shifted"] - lps["ideal"]
    assert np.linalg.norm(offset) == pytest.approx(abs(m.signed_shift_mm), abs=1e-6)
    assert np.sign(offset @ ct.column_axis) == np.sign(m.signed_shift_mm)
    ends = lps["posterior_falx"] - lps["anterior_falx"]
    assert abs(offset @ ends) < 1e-6 * np.linalg.norm(ends)


def test_authors_readout_is_reported_only_on_request():
    assert measure(scan("unshifted"), device="cpu").authors_readout_mm is None
    m = measure(scan("unshifted"), device="cpu", authors_readout=True)
    assert m.authors_readout_mm >= max(s.authors_readout_mm for s in m.slices) > 0
    for s in m.slices:  # no displacement is much smaller than the midline's own
        assert s.authors_readout_mm >= abs(s.signed_shift_mm) - 2.0


def test_the_model_is_small_and_says_where_it_comes_from():
    model = load_model()
    assert sum(p.stat().st_size for p in model.folder.iterdir()) < 20e6
    described = model.description
    assert "phantom" in described.trained_on
    assert described.licence == "Apache-2.0"
    assert (model.folder / "README.md").exists()


@pytest.mark.real
def test_real_scans_are_measured(shared_data):
    names = ("ctich/ctich_094.nii.gz", "ctich/ctich_075.nii.gz", "ge_gantry_tilt")
    found = [measure(shared_data / "data" / name, device="cpu") for name in names]
    assert all(m.refused is None for m in found), [m.refused for m in found]
    # two readers saw 12.6 mm to the right and 8.6 mm to the left
    assert [m.side for m in found[:2]] == ["right", "left"]
