"""Once a reader edits or pins a slice the case's number follows the hand: it never falls when a landmark moves outward."""

import json
from dataclasses import replace

import jsonschema
import numpy as np
import pytest
from synthetic_case import drawn_head, measured

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.measurement.distance import CaseRule, case_slice
from MidlineShiftLogic.measurement.edit import add_slice, move_landmarks, pin_slice, restore, slice_of, unpin_slice
from MidlineShiftLogic.measurement.history import LONGEST, EditHistory, slice_to_show
from MidlineShiftLogic.measurement.review import ACCEPTED_WITH_EDITS, accept
from MidlineShiftLogic.reporting.formatting import rule_text
from MidlineShiftLogic.reporting.measurement_json import SCHEMA_FILE, from_json, to_json

RULES = (CaseRule(0.75, (0.0, 20.0), 0.0), CaseRule(0.75, (0.0, 20.0), 1.0), CaseRule(0.5), CaseRule(1.0))
SHIFTS_MM = (8.2, -8.2, 1.5, -14.0, 0.3)
STEPS_MM = (0.4, 1.0, 2.5, 6.0)


def ruled(measurement, rule):
    """The measurement with its case chosen by a rule, as the pipeline chooses it."""
    slices = measurement.slices
    window = np.array([one.in_case_window for one in slices])
    case = slices[case_slice(np.array([one.signed_shift_mm for one in slices]), window, rule)]
    return replace(measurement, case_rule=rule, slice=case.index, signed_shift_mm=case.signed_shift_mm)


def noisy(ct, measurement, seed):
    """Every slice moved by up to 3 mm to either side, as the networks' slices differ among themselves."""
    rng = np.random.default_rng(seed)
    plain = measurement
    for one in plain.slices:
        push = ct.column_axis * rng.uniform(-3.0, 3.0)
        plain = move_landmarks(plain, ct, one.index, {"shifted": one.landmarks_lps_mm["shifted"] + push})
    slices = tuple(replace(one, edited=False) for one in plain.slices)
    return replace(measurement, slices=slices)


def outward(ct, one, step_mm):
    """The shifted landmark farther out on its own side; one without a shift goes to the patient's left."""
    side = -1.0 if one.signed_shift_mm < 0 else 1.0
    return {"shifted": one.landmarks_lps_mm["shifted"] + side * step_mm * ct.column_axis}


def never_falls(ct, measurement):
    """Move each slice outward step by step, from the model's result and on top of earlier edits."""
    running = measurement
    for one in measurement.slices:
        alone = measurement
        for step in STEPS_MM:
            before = alone.shift_mm
            alone = move_landmarks(alone, ct, one.index, outward(ct, slice_of(alone, one.index), step), measurement)
            assert alone.shift_mm >= before - 1e-6, (one.index, step)
        before = running.shift_mm
        running = move_landmarks(running, ct, one.index, outward(ct, slice_of(running, one.index), 1.0), measurement)
        assert running.shift_mm >= before - 1e-6, one.index
    assert running.shift_mm > measurement.shift_mm


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("shift_mm", SHIFTS_MM)
def test_moving_outward_never_lowers_the_number(rule, shift_mm):
    ct = drawn_head(shift_mm, (18, 60, 50), (5.0, 3.2, 3.6))
    never_falls(ct, ruled(noisy(ct, measured(ct, shift_mm)[0], seed=abs(hash(shift_mm)) % 1000), rule))


@pytest.mark.real
@pytest.mark.parametrize(("name", "side"), [("ctich_094", "right"), ("ctich_075", "left")])
def test_moving_outward_never_lowers_the_number_of_a_real_scan(shared_data, name, side):
    """Measured by the released model and its own rule."""
    from MidlineShiftLogic.api import measure
    from MidlineShiftLogic.headct import read

    path = shared_data / "data" / "ctich" / f"{name}.nii.gz"
    measurement = measure(path, device="cpu")
    assert measurement.side == side
    never_falls(read(str(path)), measurement)


@pytest.fixture(scope="module")
def case():
    ct = drawn_head(8.0, (18, 60, 50), (5.0, 3.2, 3.6))
    return ct, ruled(measured(ct, 8.0)[0], CaseRule(0.75))


def test_the_issues_own_example(case):
    """Dragging the landmark of the case's slice from 8 to 14 mm gives 14 mm, whatever the other slices say."""
    ct, before = case
    own = slice_of(before, before.slice)
    after = move_landmarks(before, ct, own.index, outward(ct, own, 6.0))
    assert after.slice == own.index and after.shift_mm == pytest.approx(before.shift_mm + 6.0, abs=1e-6)
    assert rule_text(after) == "edited by the reader"


def test_correcting_the_models_slice_inward_lowers_the_number(case):
    ct, before = case
    own = slice_of(before, before.slice)
    after = move_landmarks(before, ct, own.index, outward(ct, own, -6.0))
    assert after.slice == own.index and after.shift_mm == pytest.approx(before.shift_mm - 6.0, abs=1e-6)


def test_an_edit_of_a_smaller_slice_leaves_the_models(case):
    ct, before = case
    small = min(before.slices, key=lambda one: abs(one.signed_shift_mm))
    after = move_landmarks(before, ct, small.index, outward(ct, small, 0.5))
    assert (after.slice, after.shift_mm) == (before.slice, before.shift_mm) and after.edited
    assert (
        after.interval_mm is None and rule_text(after) == "the model's slice, larger than 1 slice edited by the reader"
    )


def test_a_pinned_slice_stands_for_the_case(case):
    _, before = case
    small = min(before.slices, key=lambda one: abs(one.signed_shift_mm))
    pinned = pin_slice(accept(before, "Dr A"), small.index)
    assert pinned.slice == small.index and pinned.signed_shift_mm == small.signed_shift_mm
    assert pinned.edited and pinned.review is None and pinned.model_slice == before.slice
    assert rule_text(pinned) == "pinned by the reader" and not slice_of(pinned, small.index).edited
    assert accept(pinned, "Dr A").review.decision == ACCEPTED_WITH_EDITS
    both = pin_slice(pinned, before.slice)
    assert both.slice == before.slice and rule_text(both) == "largest of 2 slices edited or pinned by the reader"
    assert unpin_slice(both, before, before.slice).slice == small.index
    assert unpin_slice(pinned, before, small.index) is before


def test_the_largest_to_either_side_stands_for_the_case(case):
    ct, before = case
    own, other = slice_of(before, before.slice), before.slices[0]
    far_right = {"shifted": other.landmarks_lps_mm["ideal"] - 12.0 * ct.column_axis}
    after = move_landmarks(move_landmarks(before, ct, own.index, outward(ct, own, 1.0)), ct, other.index, far_right)
    assert after.slice == other.index and after.signed_shift_mm == pytest.approx(-12.0) and after.side == "right"


def test_restoring_keeps_what_is_left_of_the_reader(case):
    ct, before = case
    pinned = pin_slice(before, before.slices[0].index)
    edited = move_landmarks(pinned, ct, before.slice, outward(ct, slice_of(before, before.slice), 2.0))
    left = restore(edited, before, before.slice)
    assert left.slice == before.slices[0].index and restore(left, before, left.slice) is before


def test_what_cannot_be_pinned_is_said(case):
    _, before = case
    for action in (lambda: pin_slice(before, 0), lambda: unpin_slice(before, before, 0)):
        with pytest.raises(InputError, match="Slice 0 has no landmarks"):
            action()


def test_pins_and_the_rule_survive_the_file(case):
    ct, before = case
    pinned = pin_slice(move_landmarks(before, ct, before.slice, outward(ct, slice_of(before, before.slice), 1)), 6)
    data = json.loads(to_json(pinned))
    jsonschema.validate(data, json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))
    assert data["case"]["rule_text"] == rule_text(pinned) and data["case"]["model_slice"] == before.slice
    assert [one["index"] for one in data["slices"] if one.get("pinned")] == [6]
    again = from_json(to_json(pinned))
    assert to_json(again) == to_json(pinned) and slice_of(again, 6).pinned and again.model_slice == before.slice


def test_an_edited_result_of_an_older_version_goes_on_by_the_readers_slices(case):
    ct, before = case
    edited = move_landmarks(before, ct, 6, outward(ct, slice_of(before, 6), 1.0))
    old = replace(edited, model_slice=None)
    after = move_landmarks(old, ct, 6, outward(ct, slice_of(old, 6), 1.0))
    assert after.slice == 6


@pytest.mark.parametrize(
    ("rule", "shifts", "window", "says"),
    [
        (CaseRule(0.75), (4, 5, 6, 7, 8, 9), 6, "upper quartile of 6 slices near the septum"),
        (CaseRule(0.75, agreement=1.0), (-9, 1, 9), 3, "median of 3 slices near the septum, which disagree"),
        (CaseRule(0.25, agreement=1.0), (-9, 1, 9), 3, "lower quartile of 3 slices near the septum, which disagree"),
        (CaseRule(0.85), (4, 5), 0, "85 % quantile of 2 slices measured"),
        (CaseRule(1.0), (4,), 1, "largest of 1 slice near the septum"),
        (None, (4, 5), 2, ""),
    ],
)
def test_the_models_rule_in_words(case, rule, shifts, window, says):
    slices = tuple(
        replace(one, signed_shift_mm=float(shift), in_case_window=number < window)
        for number, (one, shift) in enumerate(zip(case[1].slices, shifts, strict=False))
    )
    assert rule_text(replace(case[1], slices=slices, case_rule=rule)) == says


def test_a_refused_scan_has_no_rule(case):
    assert rule_text(replace(case[1], signed_shift_mm=None, slice=None, slices=())) == ""


def test_undo_and_redo_step_by_step(case):
    ct, first = case
    second = add_slice(first, ct, first.slices[-1].index + 1)
    third = pin_slice(second, second.slices[-1].index)
    history = EditHistory().record(first).record(second)
    assert history.can_undo and not history.can_redo
    back, history = history.undo(third)
    assert back is second and history.can_redo
    back, history = history.undo(back)
    assert back is first and not history.can_undo
    again, history = history.redo(back)
    assert again is second
    assert history.redo(again)[0] is third
    assert not history.record(again).can_redo, "another edit ends what could be made again"
    long = EditHistory()
    for _ in range(LONGEST + 5):
        long = long.record(first)
    assert len(long.past) == LONGEST


def test_a_step_is_shown_where_it_is_seen(case):
    ct, first = case
    low, middle, high = (first.slices[place].index for place in (0, len(first.slices) // 2, -1))
    pinned = pin_slice(first, middle)
    for before, after in ((first, pinned), (pinned, first)):
        assert slice_to_show(before, after, low) == middle
    added = add_slice(first, ct, high + 1)
    assert slice_to_show(added, first, low) == high + 1
    one = slice_of(first, middle)
    moved = move_landmarks(first, ct, middle, {"shifted": one.landmarks_lps_mm["shifted"] + ct.column_axis})
    assert slice_to_show(moved, from_json(to_json(first)), high) == middle
    both = pin_slice(moved, high)
    assert slice_to_show(first, both, middle) == middle, "the shown one changed, too"
    assert slice_to_show(first, from_json(to_json(first)), low) == low
