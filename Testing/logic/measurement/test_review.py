"""A review names its reader and time, and says what was decided."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from synthetic_case import drawn_head, measured

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.measurement.edit import move_landmarks
from MidlineShiftLogic.measurement.results import Measurement
from MidlineShiftLogic.measurement.review import ACCEPTED, ACCEPTED_WITH_EDITS, REJECTED, Review, accept, reject

NOW = datetime(2026, 11, 24, 9, 30, 15, 123, tzinfo=timezone(timedelta(hours=1)))


@pytest.fixture(scope="module")
def case():
    ct = drawn_head(shape=(16, 60, 50), spacing=(5.0, 3.2, 3.6))
    return ct, measured(ct)[0]


def test_decisions(case):
    ct, measurement = case
    accepted = accept(measurement, " Dr Ä ", now=NOW).review
    assert accepted == Review(ACCEPTED, "Dr Ä", "2026-11-24T09:30:15+01:00")
    edited = move_landmarks(
        measurement, ct, measurement.slice, {"shifted": measurement.slices[0].landmarks_lps_mm["ideal"]}
    )
    assert accept(edited, "Dr B").review.decision == ACCEPTED_WITH_EDITS
    rejected = reject(measurement, "Dr B", "motion", NOW).review
    assert (rejected.decision, rejected.reason) == (REJECTED, "motion")
    assert Review.from_dict(rejected.to_dict()) == rejected
    assert datetime.fromisoformat(accept(measurement, "Dr B").review.time).tzinfo is not None


def test_a_later_decision_replaces_the_earlier(case):
    both = reject(accept(case[1], "Dr A"), "Dr B", "wrong side")
    assert both.review.reader == "Dr B" and both.signed_shift_mm == case[1].signed_shift_mm


def test_what_is_missing_is_reported(case):
    measurement = case[1]
    with pytest.raises(InputError, match="name"):
        accept(measurement, "  ")
    with pytest.raises(InputError, match="why"):
        reject(measurement, "Dr A", " ")
    with pytest.raises(InputError, match="no number"):
        accept(replace(measurement, signed_shift_mm=None, slice=None, slices=()), "Dr A")
    refused = Measurement("x", None, None, refused={"code": "few-slices", "message": "Only 3 slices."})
    assert reject(refused, "Dr A", "incomplete").review.decision == REJECTED
    with pytest.raises(InputError, match="maybe"):
        Review("maybe", "Dr A", NOW.isoformat())
    for time in ("yesterday", "2026-11-24T09:30:15"):
        with pytest.raises(InputError, match="zone"):
            Review(ACCEPTED, "Dr A", time)
