"""Each check refuses or warns for its own reason, and lets unusual but true heads through."""

import time
from dataclasses import replace

import numpy as np
import pytest
from make_scans import head_hu, make_head

from MidlineShiftLogic.headct import check


def codes(ct):
    return {flag.code: flag.severity for flag in check(ct)}


def with_values(ct, change):
    return replace(ct, hu=change(ct.hu).astype(np.float32))


def test_ordinary_head_passes(head, tilted):
    assert check(head) == ()
    assert check(tilted) == ()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda hu: np.rint(np.clip((hu + 20) / 120, 0, 1) * 255), "hu-8bit"),
        (lambda hu: np.clip(hu, -20, 100), "hu-window"),
        (lambda hu: np.clip(hu, 0, 80), "hu-window"),
        (lambda hu: np.clip(hu / 80, 0, 1), "hu-window"),
        (lambda hu: np.clip(hu, 0, 80) / 40 - 1, "hu-window"),
        (lambda hu: np.clip(hu, -160, 240), "hu-window"),
        (lambda hu: hu + 1024, "hu-missing-rescale"),
        (lambda hu: hu + 1000, "hu-missing-rescale"),
        (lambda hu: hu - 1024, "hu-missing-rescale"),
        (lambda hu: np.clip(hu, -200, None) + np.linspace(0, 30, hu.shape[2]), "hu-no-air"),
        (lambda hu: np.clip(hu, -650, None) + np.linspace(0, 30, hu.shape[2]), "hu-no-air"),
        (lambda hu: np.clip(hu, None, 150), "hu-no-bone"),
        (lambda hu: np.full_like(hu, -1000), "no-head"),
        (lambda hu: np.zeros_like(hu), "no-head"),
        (lambda hu: np.full_like(hu, np.nan), "hu-nan"),
    ],
)
def test_values_that_are_not_hounsfield_units(change, code, head):
    assert codes(with_values(head, change)) == {code: "fatal"}


def test_offset_is_reported(head):
    assert "+1024" in check(with_values(head, lambda hu: hu + 1024))[0].message
    assert "-1024" in check(with_values(head, lambda hu: hu - 1024))[0].message


@pytest.mark.parametrize("floor", [-800, -900, -1024, -3024])
def test_floors_of_rebuilt_and_padded_scans_pass(floor, head):
    def change(hu):
        return np.where(hu <= -1000, floor, hu)

    assert codes(with_values(head, change)) == {}


def test_noise_does_not_matter(head):
    noise = np.random.default_rng(0).normal(0, 8, head.hu.shape)
    assert codes(with_values(head, lambda hu: hu + noise)) == {}


def test_mr_is_not_ct(head):
    rng = np.random.default_rng(0)

    def mr(hu):
        tissue = np.where((hu > -500) & (hu < 300), 300 + rng.gamma(4, 120, hu.shape), 0)
        return np.rint(tissue + np.abs(rng.normal(0, 10, hu.shape)))

    assert codes(with_values(head, mr)) == {"not-ct": "fatal"}


def test_undefined_values_in_the_head(head):
    hu = head.hu.copy()
    hu[16, 80, 80:83] = np.nan
    flags = check(replace(head, hu=hu))
    assert flags[0].code == "hu-nan" and flags[0].message.startswith("3 values")


def test_undefined_padding_is_air(head, tmp_path):
    from MidlineShiftLogic.headct import read

    hu = head.hu.copy()
    hu[:, np.hypot(*(np.indices((160, 160)) - 79.5)) > 79] = np.nan
    path = tmp_path / "a.nii"
    import nibabel

    nibabel.save(nibabel.Nifti1Image(hu.transpose(2, 1, 0), np.diag([-1.4, -1.4, 5, 1])), path)
    ct = read(path)
    assert {flag.code: flag.severity for flag in ct.quality} == {"nan-padding": "warning"}
    np.testing.assert_array_equal(ct.hu, head.hu)


def part(ct, members):
    members = list(members)
    return replace(ct, hu=ct.hu[members], origins=ct.origins[members], thickness=ct.thickness[members])


@pytest.mark.parametrize("members", [[16], [15, 16, 17], range(14, 19), range(0, 5)])
def test_too_few_slices(members, head):
    flags = codes(part(head, members))
    assert "fatal" in flags.values()
    assert set(flags) & {"too-few-slices", "no-head", "head-size"}


def test_single_slice_says_so(head):
    flag = check(part(head, [16]))[0]
    assert flag.code == "too-few-slices"
    assert "whole series" in flag.message


def test_vertex_or_base_missing(head):
    assert codes(part(head, range(19))) == {"incomplete-coverage": "warning"}
    assert "vertex" in check(part(head, range(19)))[0].message
    assert "base" in check(part(head, range(13, 32)))[0].message


@pytest.mark.parametrize(("scale", "severity"), [(0.5, "warning"), (1.5, "warning"), (0.3, "fatal"), (2.1, "fatal")])
def test_wrong_voxel_size_is_seen_by_the_head_size(scale, severity, head):
    scaled = replace(head, pixel_spacing=(head.pixel_spacing[0] * scale, head.pixel_spacing[1] * scale))
    assert codes(scaled)["too-coarse" if scale == 2.1 else "head-size"] == severity


@pytest.mark.parametrize(
    ("spacing", "code", "severity"),
    [
        ((0.0, 1.0), "spacing", "fatal"),
        ((-1.0, 1.0), "spacing", "fatal"),
        ((float("nan"), 1.0), "spacing", "fatal"),
        ((1.6, 1.6), "spacing", "warning"),
        ((2.6, 2.6), "too-coarse", "fatal"),
        ((5.0, 0.5), "not-axial", "fatal"),
    ],
)
def test_pixel_size(spacing, code, severity, head):
    assert codes(replace(head, pixel_spacing=spacing))[code] == severity


def test_slices_in_disorder(head):
    assert codes(replace(head, origins=head.origins[::-1])) == {"slice-order": "fatal"}


def test_thick_steps():
    assert codes(make_head(n_slices=14, step=12.0)) == {"thick-slices": "warning"}


def cropped(ct, columns):
    """The scan without its first columns: the patient's right is outside the picture."""
    return replace(ct, hu=ct.hu[:, :, columns:], origins=ct.origins + columns * ct.pixel_spacing[1] * ct.column_axis)


def test_head_cut_off(head):
    # The head begins at column 26; scalp and skull are 11 mm, 8 columns.
    assert codes(cropped(head, 20)) == {}
    assert codes(cropped(head, 29)) == {"head-cut-off": "warning"}
    assert codes(cropped(head, 48)) == {"head-cut-off": "fatal"}


def test_head_cut_off_by_the_round_field_of_view():
    narrow = make_head(size=112, pixel=1.4)
    outside = np.hypot(*(np.indices((112, 112)) - 55.5)) > 56
    hu = narrow.hu.copy()
    hu[:, outside] = -1000
    assert codes(replace(narrow, hu=hu))["head-cut-off"] == "fatal"


def test_upside_down(head):
    flipped = replace(part(head, range(4, 32)), hu=head.hu[4:][::-1])
    assert codes(flipped)["upside-down"] == "warning"


def infant(gap):
    """A small head with a thin skull that is open over ``gap`` mm at the front of the midline."""
    ct = make_head(n_slices=26, size=160, pixel=1.0)
    points = np.stack(
        [
            ct.origins[k] + np.stack(np.meshgrid(np.arange(160.0), np.arange(160.0), [0.0]), -1)[:, :, 0]
            for k in range(26)
        ]
    )
    hu = head_hu(points / 0.65)
    hu[hu == 1200] = 400
    hu[(hu == 400) & (np.abs(points[..., 0]) < gap / 2) & (points[..., 1] < 0)] = 30
    return replace(ct, hu=hu)


@pytest.mark.parametrize("gap", [0, 4, 20, 45])
def test_infants_pass(gap):
    flags = codes(infant(gap))
    assert "fatal" not in flags.values(), flags
    assert set(flags) <= {"skull-open"}
    if gap == 45:
        assert "skull-open" in flags


def test_craniectomy_passes(head):
    columns = np.indices(head.hu.shape)[2]
    rows = np.indices(head.hu.shape)[1]
    removed = (head.hu == 1200) & (columns < 60) & (np.abs(rows - 75) < 35)
    flags = codes(with_values(head, lambda hu: np.where(removed, 40, hu)))
    assert set(flags) <= {"skull-open"}


def test_body_is_no_head():
    """A trunk: 320 mm wide, a spine, lungs or not."""
    ct = make_head(n_slices=20, size=200, pixel=2.0)
    y, x = np.indices((200, 200))
    trunk = ((x - 100) / 90) ** 2 + ((y - 100) / 60) ** 2 < 1
    spine = ((x - 100) / 10) ** 2 + ((y - 140) / 10) ** 2 < 1
    hu = np.where(spine, 500, np.where(trunk, 40, -1000))
    assert "fatal" in codes(replace(ct, hu=np.repeat(hu[None], 20, axis=0).astype(np.float32))).values()


def test_water_phantom_without_bone_is_refused(head):
    assert codes(with_values(head, lambda hu: np.where(hu > -500, 0, -1000))) == {"hu-no-bone": "fatal"}


def test_strange_arrays_do_not_raise(head):
    for shape in ((1, 1, 1), (3, 2, 5), (40, 1, 160), (6, 16, 16)):
        rng = np.random.default_rng(0)
        ct = replace(
            head,
            hu=rng.choice([-1000.0, 40.0, 1000.0], shape).astype(np.float32),
            origins=head.origins[0] + np.arange(shape[0])[:, None] * [0, 0, 5.0],
            thickness=np.full(shape[0], 5.0),
        )
        assert "fatal" in codes(ct).values()
        assert "check-failed" not in codes(ct), check(ct)


def test_broken_scan_is_refused_not_raised(head):
    assert codes(replace(head, hu=None)) == {"check-failed": "fatal"}


def test_quick(head):
    large = replace(
        part(head, range(30)),
        hu=np.repeat(np.repeat(head.hu[:30], 3, axis=1), 3, axis=2),
        pixel_spacing=(1.4 / 3, 1.4 / 3),
    )
    check(large)
    begun = time.process_time()
    assert check(large) == ()
    assert time.process_time() - begun < 2.0
