"""The shipped sample, spoiled in one way each: refused or flagged for that reason by the whole way of a scan."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from MidlineShiftLogic import measure
from MidlineShiftLogic.headct import read
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.measurement.results import Measurement

SAMPLES = Path(__file__).resolve().parents[3] / "Resources" / "SampleScans"


@cache
def sample() -> HeadCT:
    return read(SAMPLES / "sample_unshifted.nii.gz")


@cache
def unspoiled() -> Measurement:
    return measure(sample(), device="cpu")


def codes(m: Measurement) -> set[str]:
    return {flag.code for flag in m.quality if flag.severity != "info"}


def moved_above(mm: float) -> HeadCT:
    """The slices above the case's own moved to the left: a patient who turned away during the scan."""
    ct = sample()
    hu = ct.hu.copy()
    columns = round(mm / ct.pixel_spacing[1])
    above = unspoiled().slice + 2
    hu[above:] = np.roll(hu[above:], columns, axis=2)
    return replace(ct, hu=hu)


def without_vault(bulge_mm: float = 0.0) -> HeadCT:
    """A large piece of the skull on the patient's left made soft, and brain bulging there."""
    ct = sample()
    room = round(45 / ct.pixel_spacing[1])  # beside the head, for what bulges out
    ct = replace(ct, hu=np.pad(ct.hu, ((0, 0), (0, 0), (0, room)), constant_values=-1000))
    case = next(one for one in unspoiled().slices if one.index == unspoiled().slice)
    middle = (case.landmarks_px["anterior_falx"] + case.landmarks_px["posterior_falx"]) / 2
    column, row = np.meshgrid(np.arange(ct.hu.shape[2]), np.arange(ct.hu.shape[1]))
    x, y = (column - middle[0]) * ct.pixel_spacing[1], (row - middle[1]) * ct.pixel_spacing[0]
    gap = np.abs(np.degrees(np.arctan2(y, x))) < 50
    hu = ct.hu.copy()
    hu[:, gap] = np.where(hu[:, gap] > 90, 40, hu[:, gap])
    for one in hu:
        head = (one > -250) & gap
        if bulge_mm and head.any():
            reach = np.hypot(x, y)
            skin = np.percentile(reach[head], 99)
            one[gap & (reach < skin + bulge_mm)] = 40
    return replace(ct, hu=hu)


def test_the_sample_itself_raises_nothing():
    assert unspoiled().refused is None and codes(unspoiled()) == set()


def test_a_head_that_moved_is_flagged_and_one_that_jumped_is_refused():
    assert "motion" in codes(measure(moved_above(8.0), device="cpu"))
    jumped = measure(moved_above(22.0), device="cpu")
    assert jumped.refused and jumped.refused["code"] == "motion"
    assert jumped.signed_shift_mm is jumped.interval_mm is jumped.p_over_5mm is None


def test_an_open_skull_is_flagged_and_brain_outside_it_is_refused():
    flat = measure(without_vault(), device="cpu")
    assert flat.refused is None and "skull-open" in codes(flat)
    out = measure(without_vault(30.0), device="cpu")
    assert out.refused and out.refused["code"] == "herniation"


def test_a_head_whose_falx_is_cut_off_is_refused():
    ct = sample()
    case = next(one for one in unspoiled().slices if one.index == unspoiled().slice)
    first = round(case.landmarks_px["anterior_falx"][1] + 25 / ct.pixel_spacing[0])
    cut = replace(
        ct, hu=np.ascontiguousarray(ct.hu[:, first:]), origins=ct.origins + first * ct.pixel_spacing[0] * ct.row_axis
    )
    found = measure(cut, device="cpu")
    assert found.refused and found.refused["code"] in ("head-cut-off", "no-midline")


def test_an_infants_head_is_flagged():
    ct = sample()
    scale = 118 / 165
    small = replace(ct, pixel_spacing=tuple(scale * np.array(ct.pixel_spacing)), origins=ct.origins * (scale, scale, 1))
    assert "small-head" in codes(measure(small, device="cpu"))
