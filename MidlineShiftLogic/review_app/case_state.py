"""Describe an opened case for the page: numbers, slices, what can be done."""

from __future__ import annotations

from typing import Any, Protocol

from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.measurement.edit import slice_of
from MidlineShiftLogic.measurement.history import EditHistory
from MidlineShiftLogic.measurement.results import Measurement
from MidlineShiftLogic.measurement.slice_names import number_of, slice_name
from MidlineShiftLogic.reporting.formatting import certainty_text, rule_text, shift_text
from MidlineShiftLogic.review_app.cases import ReviewCase
from MidlineShiftLogic.review_app.readings import ReaderFolder, status_of
from MidlineShiftLogic.scene import MeasurementNodes

PATIENTS_SIDES = (" to the patient's left", " to the patient's right")


class OpenedCase(Protocol):
    """What is described of an opened case; ``case_session.CaseSession`` has it."""

    case: ReviewCase
    folder: ReaderFolder
    blind: bool
    writable: bool
    ct: HeadCT
    history: EditHistory
    nodes: MeasurementNodes

    @property
    def measurement(self) -> Measurement:
        """The measurement as the reader has edited it."""

    @property
    def shown(self) -> int:
        """The slice in the views."""

    def landmark_places(self) -> dict[str, tuple[float, float]]:
        """Return where the landmarks of the shown slice are in the scan's view, as fractions."""

    def pending_places(self) -> list[tuple[float, float]]:
        """Return where the points are that were clicked and are no landmarks yet, as fractions."""


def describe_case(session: OpenedCase) -> dict[str, Any]:
    """Return the state of a session, ready for JSON; places are fractions of the scan's view."""
    measurement, shown = session.measurement, session.shown
    one = slice_of(measurement, shown)
    sources = session.ct.source_slices[shown] if session.ct.source_slices else ()
    decided = measurement if measurement.edited or measurement.review is not None else None
    return {
        "type": "state",
        "name": session.case.name,
        "reader": session.folder.reader,
        "blind": session.blind,
        "writable": session.writable,
        "status": status_of(decided),
        "review": None if measurement.review is None else measurement.review.to_dict(),
        "number": _number(measurement),
        "signed_shift_mm": _rounded(measurement.signed_shift_mm),
        "certainty": certainty_text(measurement),
        "rule": rule_text(measurement) if measurement.slice is not None else "",
        "case_slice": measurement.slice,
        "slice": shown,
        "slice_name": slice_name(measurement, shown, sources),
        "case_slice_name": "" if measurement.slice is None else slice_name(measurement, measurement.slice),
        "slices_count": session.ct.n_slices,
        "slice_text": "no landmarks" if one is None else shift_text(one.signed_shift_mm, (" L", " R")),
        "has_landmarks": one is not None,
        "edited": one is not None and one.edited,
        "pinned": one is not None and one.pinned,
        "slices": [
            {
                "index": each.index,
                "number": number_of(measurement, each.index),
                "height_mm": _rounded(each.height_mm, 1),
                "shift_mm": _rounded(each.signed_shift_mm),
                "window": each.in_case_window,
                "edited": each.edited,
                "pinned": each.pinned,
            }
            for each in measurement.slices
        ],
        "interval": None if measurement.interval_mm is None else [_rounded(end) for end in measurement.interval_mm],
        "warnings": [] if session.blind else [f.message for f in measurement.quality if f.severity == "warning"],
        "can_undo": session.history.can_undo,
        "can_redo": session.history.can_redo,
        "displacement": session.nodes.warped is not None,
        "landmarks": session.landmark_places(),
        "pending": session.pending_places(),
    }


def _number(measurement: Measurement) -> str:
    if measurement.signed_shift_mm is None:
        return "not measured yet"
    return shift_text(measurement.signed_shift_mm, PATIENTS_SIDES)


def _rounded(value: float | None, digits: int = 2) -> float | None:
    return None if value is None else round(float(value), digits)
