"""A reader's corrections: the same function makes the number again, the midline follows, everything can be undone."""

import json
from dataclasses import replace

import jsonschema
import numpy as np
import pytest
from synthetic_case import drawn_head, measured

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.measurement.distance import CaseRule
from MidlineShiftLogic.measurement.edit import add_slice, move_landmarks, restore, slice_of
from MidlineShiftLogic.measurement.review import accept
from MidlineShiftLogic.reporting.measurement_json import SCHEMA_FILE, from_json, to_dict, to_json

INDEX = 12


@pytest.fixture(scope="module")
def case():
    ct = drawn_head(shape=(24, 120, 100), spacing=(5.0, 1.6, 1.8))
    measurement, _ = measured(ct)
    return ct, replace(measurement, case_rule=CaseRule(quantile=1.0), interval_mm=(6.0, 10.0), p_over_5mm=0.98)


def place(measurement, name, index=INDEX):
    return slice_of(measurement, index).landmarks_lps_mm[name]


def perpendicular(a, b, p):
    """Signed distance by the cross product, another formula than the one tested; + toward the patient's left."""
    d = b - a
    return float((d[1] * (p - a)[0] - d[0] * (p - a)[1]) / np.hypot(d[0], d[1]))


@pytest.mark.parametrize("name", ["anterior_falx", "posterior_falx", "shifted"])
def test_number_follows_each_landmark(case, name):
    ct, before = case
    target = place(before, name) + np.array((3.7, -2.2, 0.0))
    after = move_landmarks(before, ct, INDEX, {name: target})
    one = slice_of(after, INDEX)
    a, b, s, i = (one.landmarks_lps_mm[key] for key in ("anterior_falx", "posterior_falx", "shifted", "ideal"))
    np.testing.assert_allclose(one.landmarks_lps_mm[name], target, atol=1e-9)
    assert one.signed_shift_mm == pytest.approx(perpendicular(a, b, s), abs=1e-9)
    assert (s - i) @ (b - a) == pytest.approx(0, abs=1e-9) and np.linalg.norm(s - i) == pytest.approx(
        abs(one.signed_shift_mm)
    )
    assert one.edited and after.edited and not slice_of(before, INDEX).edited
    for key in one.landmarks_px:
        np.testing.assert_allclose(ct.to_lps(INDEX, one.landmarks_px[key]), one.landmarks_lps_mm[key], atol=1e-9)


def test_nothing_moved_is_the_same_number_and_the_same_midline(case):
    ct, before = case
    one, again = (
        slice_of(m, INDEX) for m in (before, move_landmarks(before, ct, INDEX, {"shifted": place(before, "shifted")}))
    )
    assert again.signed_shift_mm == pytest.approx(one.signed_shift_mm, abs=1e-9)
    # the drawn midline starts and ends a little off its attachments, which the midline of an edit does not
    inner = slice(30, 50)
    np.testing.assert_allclose(
        np.interp(one.midline_px[inner, 1], again.midline_px[:, 1], again.midline_px[:, 0]),
        one.midline_px[inner, 0],
        atol=0.05,
    )


def test_midline_goes_from_attachment_through_landmark_to_attachment_without_a_corner(case):
    ct, before = case
    moved = {
        "shifted": place(before, "shifted") + np.array((5.0, 8.0, 0)),
        "anterior_falx": place(before, "anterior_falx") + np.array((-3.0, 4.0, 0)),
    }
    one = slice_of(move_landmarks(before, ct, INDEX, moved), INDEX)
    mm = np.array([ct.pixel_spacing[1], ct.pixel_spacing[0]])
    line = one.midline_px * mm
    np.testing.assert_allclose(line[0], one.landmarks_px["anterior_falx"] * mm, atol=1e-9)
    np.testing.assert_allclose(line[-1], one.landmarks_px["posterior_falx"] * mm, atol=1e-9)
    assert np.abs(line - one.landmarks_px["shifted"] * mm).sum(1).min() < 1e-9
    assert np.abs(one.midline_shift_mm - one.signed_shift_mm).min() < 1e-9
    steps = np.diff(line, axis=0)
    steps = steps[np.linalg.norm(steps, axis=1) > 0.5]
    turns = np.degrees(np.diff(np.unwrap(np.arctan2(steps[:, 1], steps[:, 0]))))
    assert np.abs(turns).max() < 8.0
    old = slice_of(before, INDEX).midline_px[-12:] * mm  # behind the reach of the corrections
    np.testing.assert_allclose(np.interp(old[:, 1], line[:, 1], line[:, 0]), old[:, 0], atol=0.1)


@pytest.mark.parametrize("quantile", [0.0, 0.75, 1.0])
def test_case_number_follows_the_edit_and_the_models_interval_goes(case, quantile):
    ct, before = case
    before = replace(before, case_rule=CaseRule(quantile))
    push = {"shifted": place(before, "shifted") + np.array((9.0, 0, 0))}
    after = move_landmarks(accept(before, "Dr A"), ct, INDEX, push)
    assert after.slice == INDEX and after.signed_shift_mm == slice_of(after, INDEX).signed_shift_mm
    assert after.review is None, "a review is of other numbers"
    assert after.model_slice == before.slice and after.case_rule == before.case_rule
    assert before.interval_mm is not None and before.p_over_5mm is not None
    assert after.interval_mm is None and after.p_over_5mm is None


def test_same_place_is_the_same_result_however_it_was_dragged_there(case):
    ct, before = case
    there, home = place(before, "shifted") + np.array((12.0, 20.0, 0)), place(before, "shifted")
    wandered = move_landmarks(before, ct, INDEX, {"shifted": there}, before)
    wandered = move_landmarks(wandered, ct, INDEX, {"shifted": home}, before)
    direct = move_landmarks(before, ct, INDEX, {"shifted": home}, before)
    np.testing.assert_allclose(
        slice_of(wandered, INDEX).midline_px, slice_of(direct, INDEX).midline_px, atol=1e-9, rtol=0
    )


def test_a_slice_without_a_midline_is_bent_from_a_straight_one(case):
    """A structured report may have landmarks alone."""
    ct, before = case
    one = replace(slice_of(before, INDEX), midline_px=np.empty((0, 2)), midline_shift_mm=np.empty(0))
    bare = replace(before, slices=tuple(one if other.index == INDEX else other for other in before.slices))
    after = slice_of(move_landmarks(bare, ct, INDEX, {"shifted": place(before, "shifted") + 3.0}), INDEX)
    assert len(after.midline_px) > 2
    shown = np.abs(after.midline_shift_mm).max()
    assert shown == pytest.approx(abs(after.signed_shift_mm), abs=0.01), "through the landmark"


def test_ideal_point_slides_the_line_sideways(case):
    ct, before = case
    number = slice_of(before, INDEX).signed_shift_mm
    after = slice_of(
        move_landmarks(before, ct, INDEX, {"ideal": place(before, "ideal") + np.array((2.0, 15.0, 0))}), INDEX
    )
    assert after.signed_shift_mm == pytest.approx(number - 2.0, abs=1e-6)
    for name in ("anterior_falx", "posterior_falx", "ideal"):
        np.testing.assert_allclose(after.landmarks_lps_mm[name], place(before, name) + np.array((2.0, 0, 0)), atol=1e-6)


def test_points_off_the_plane_fall_back_on_it_and_pixels_say_the_same(case):
    ct, before = case
    target = place(before, "shifted") + np.array((2.0, 1.0, 0.0))
    above = move_landmarks(before, ct, INDEX, {"shifted": target + 4.0 * ct.normal})
    pixels = move_landmarks(before, ct, INDEX, {"shifted": ct.to_pixels(INDEX, target)}, space="px")
    for after in (above, pixels):
        np.testing.assert_allclose(place(after, "shifted"), target, atol=1e-9)


@pytest.mark.parametrize(
    ("index", "landmarks", "says"),
    [
        (0, {"shifted": np.zeros(3)}, "no landmarks"),
        (INDEX, {"pineal": np.zeros(3)}, "pineal"),
        (INDEX, {"anterior_falx": "posterior"}, "are on one another"),
    ],
)
def test_what_cannot_be_done_is_reported(case, index, landmarks, says):
    ct, before = case
    if "anterior_falx" in landmarks:
        landmarks = {"anterior_falx": place(before, "posterior_falx")}
    with pytest.raises(InputError, match=says):
        move_landmarks(before, ct, index, landmarks)


def test_add_starts_from_the_neighbours(case):
    ct, full = case
    before = replace(full, slices=tuple(one for one in full.slices if one.index != INDEX))
    one = slice_of(add_slice(before, ct, INDEX), INDEX)
    for name in ("anterior_falx", "posterior_falx", "shifted"):
        around = (place(before, name, INDEX - 1) + place(before, name, INDEX + 1)) / 2
        np.testing.assert_allclose(one.landmarks_lps_mm[name], around, atol=1e-9)
    truth = slice_of(full, INDEX)
    assert one.height_mm == pytest.approx(truth.height_mm) and one.z_mm == truth.z_mm
    assert one.edited and one.midline_shift_mm.max() == pytest.approx(one.signed_shift_mm)
    top = full.slices[-1].index + 1
    assert place(add_slice(full, ct, top), "shifted", top)[2] == pytest.approx(ct.heights[top])


def test_add_with_landmarks_of_the_reader(case):
    ct, before = case
    index = before.slices[-1].index + 1
    given = {name: place(before, name) for name in ("anterior_falx", "posterior_falx", "shifted")}
    after = add_slice(before, ct, index, given)
    assert slice_of(after, index).signed_shift_mm == pytest.approx(slice_of(before, INDEX).signed_shift_mm)
    assert [one.index for one in after.slices] == sorted(one.index for one in after.slices)
    for wrong, says in ((INDEX, "already"), (99, "no slice 99")):
        with pytest.raises(InputError, match=says):
            add_slice(before, ct, wrong, given)
    with pytest.raises(InputError, match="missing"):
        add_slice(before, ct, index, {"shifted": given["shifted"]})


def test_added_slice_stands_for_the_case_only_within_the_rules_window(case):
    ct, before = case
    index = before.slices[-1].index + 1
    height = slice_of(add_slice(before, ct, index), index).height_mm
    for window, inside in (((height - 1, height + 1), True), ((height + 1, height + 9), False)):
        ruled = replace(before, case_rule=CaseRule(1.0, window))
        assert slice_of(add_slice(ruled, ct, index), index).in_case_window is inside


def test_restore_one_all_and_an_added_slice(case):
    ct, before = case
    other = INDEX + 1
    edited = move_landmarks(before, ct, INDEX, {"shifted": place(before, "shifted") + np.array((9, 0, 0))})
    both = move_landmarks(edited, ct, other, {"shifted": place(before, "shifted", other) + np.array((-4, 0, 0))})
    one_left = restore(both, before, INDEX)
    assert not slice_of(one_left, INDEX).edited and slice_of(one_left, other).edited
    assert to_json(one_left) == to_json(
        move_landmarks(before, ct, other, {"shifted": place(both, "shifted", other)})
    ), "the case's number is that of the slices that are left"
    assert restore(one_left, before, other) is before and restore(both, before) is before
    added = add_slice(before, ct, before.slices[-1].index + 1)
    assert restore(added, before, added.slices[-1].index) is before


def test_edit_and_rule_survive_the_file(case):
    ct, before = case
    edited = move_landmarks(before, ct, INDEX, {"shifted": place(before, "shifted") + np.array((3, 0, 0))})
    signed = accept(edited, "Dr A", "seen")
    data = json.loads(to_json(signed))
    jsonschema.validate(data, json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))
    again = from_json(to_json(signed))
    assert to_json(again) == to_json(signed) and again.edited
    assert again.case_rule == before.case_rule and again.review == signed.review


def test_files_of_versions_without_rule_and_review_still_read(case):
    _, before = case
    data = to_dict(before)
    del data["review"], data["case"]["rule"], data["case"]["rule_text"]
    jsonschema.validate(data, json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))
    old = from_json(json.dumps(data))
    assert old.case_rule is None and old.review is None and old.slice == before.slice
