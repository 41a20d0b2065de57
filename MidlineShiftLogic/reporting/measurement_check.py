"""Check the values of a measurement that came from a file: everything after it takes them as what they are called."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from MidlineShiftLogic.measurement.results import LANDMARK_NAMES, Measurement, SliceMeasurement
from MidlineShiftLogic.measurement.slice_names import INSTANCE_NUMBERS

LARGEST = 1e9
"""No length in mm, time in seconds or index is as large; figures of such a number could not be drawn."""


def require_sound(measurement: Measurement) -> None:
    """Check the kind and size of every value.

    Raises:
        ValueError: One is of another kind, not finite or absurd, or the number's own slice is missing; the text names it.
    """
    _text(measurement.case_id, "case.id")
    _text(measurement.device, "device")
    for name in ("model", "software", "input"):
        _kind(getattr(measurement, name), dict, name)
    _number(measurement.seconds, "seconds")
    _input(measurement.input)
    _case(measurement)
    for flag in measurement.quality:
        for value in (flag.code, flag.severity, flag.message):
            _text(value, "quality")
    for one in measurement.slices:
        _slice(one, f"slices, index {one.index!s:.20}")
    if measurement.slice is not None:
        measurement.measured_slice()


def _case(measurement: Measurement) -> None:
    if measurement.refused is None:
        # A blind review has neither number nor slice before the reader has placed landmarks.
        if measurement.slice is not None or measurement.signed_shift_mm is not None:
            _number(measurement.signed_shift_mm, "case.signed_shift_mm")
            _whole(measurement.slice, "case.slice")
    else:
        _kind(measurement.refused, dict, "refused")
        for key in ("code", "message"):
            _text(measurement.refused.get(key), f"refused.{key}")
        if measurement.signed_shift_mm is not None or measurement.slice is not None:
            raise ValueError("case.signed_shift_mm or case.slice is given, and the scan is refused")
    for name in ("slice", "model_slice"):
        if getattr(measurement, name) is not None:
            _whole(getattr(measurement, name), f"case.{name}")
    for name in ("authors_readout_mm", "p_over_5mm"):
        if getattr(measurement, name) is not None:
            _number(getattr(measurement, name), f"case.{name}")
    for end in measurement.interval_mm or ():
        _number(end, "case.interval_mm")
    if (rule := measurement.case_rule) is not None:
        if len(rule.window_mm) != 2:
            raise ValueError("case.rule.window_mm is not two numbers")
        for value in (rule.quantile, rule.agreement, *rule.window_mm):
            _number(value, "case.rule")


def _input(described: dict[str, Any]) -> None:
    """Check what is computed with; the rest is shown as text."""
    for name in ("shape", "spacing_mm", INSTANCE_NUMBERS):
        for value in _kind(described.get(name) or [], list | tuple, f"input.{name}"):
            if value is not None or name == INSTANCE_NUMBERS:
                _number(value, f"input.{name}")


def _slice(one: SliceMeasurement, where: str) -> None:
    _whole(one.index, f"{where}: index")
    for index in one.source_slices:
        _whole(index, f"{where}: source_slices")
    for name in ("z_mm", "signed_shift_mm"):
        _number(getattr(one, name), f"{where}: {name}")
    for name in ("height_mm", "confidence", "authors_readout_mm"):
        if getattr(one, name) is not None:
            _number(getattr(one, name), f"{where}: {name}")
    for name in ("in_case_window", "edited", "pinned"):
        _kind(getattr(one, name), bool, f"{where}: {name}")
    for name in LANDMARK_NAMES:
        _points(one.landmarks_px[name], (2,), f"{where}: {name}")
        _points(one.landmarks_lps_mm[name], (3,), f"{where}: {name}")
    _points(one.midline_px, (len(one.midline_px), 2), f"{where}: midline")
    _points(one.midline_shift_mm, (len(one.midline_px),), f"{where}: midline")


def _points(values: np.ndarray, shape: tuple[int, ...], what: str) -> None:
    """Check an array of numbers, NaN where a value is missing."""
    if values.shape != shape or np.any(np.abs(values) > LARGEST):
        raise ValueError(f"{what} is of another size than possible")


def _number(value: Any, what: str) -> None:
    _kind(value, (int, float), what)
    if isinstance(value, bool) or not math.isfinite(value) or abs(value) > LARGEST:
        raise ValueError(f"{what} is {value!s:.40}, which is no such number")


def _whole(value: Any, what: str) -> None:
    _number(value, what)
    if value != int(value) or value < 0:
        raise ValueError(f"{what} is {value}, which is no index")


def _text(value: Any, what: str) -> None:
    _kind(value, str, what)


def _kind(value: Any, kind: Any, what: str) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"{what} is of the wrong type ({type(value).__name__})")
    return value
