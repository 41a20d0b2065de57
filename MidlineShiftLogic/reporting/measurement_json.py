"""Convert a ``Measurement`` to JSON and back. ``measurement.schema.json`` has the layout; ``schema`` names its version.

Coordinates: ``pixel`` is [column, row] of the canonical slice (0-based, pixel centres are whole numbers; see
``HeadCT``), ``lps_mm`` is DICOM patient millimetres (+ left, + posterior, + superior). Signed shifts are positive
toward the patient's left. Numbers that do not exist are ``null``, never NaN.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.measurement.distance import CaseRule
from MidlineShiftLogic.measurement.results import LANDMARK_NAMES, SCHEMA, Measurement, SliceMeasurement
from MidlineShiftLogic.measurement.review import Review
from MidlineShiftLogic.quality import Quality
from MidlineShiftLogic.reporting.formatting import rule_text
from MidlineShiftLogic.reporting.measurement_check import require_sound
from MidlineShiftLogic.text import parse_json

RESEARCH_USE_ONLY = "Research use only; not a medical device; not for diagnosis or treatment."
DECIMALS = 4
NUMBERS = re.compile(r"\[\n((?:[\s\d.,eE+-]|null)+)\]")
"""A list of nothing but numbers; the line break keeps text inside strings out, where JSON escapes it."""
SCHEMA_FILE = Path(__file__).with_name("measurement.schema.json")


def to_dict(measurement: Measurement) -> dict[str, Any]:
    """Return the measurement as JSON-ready dicts, lists, numbers and strings; floats rounded to 0.0001."""
    of_case = next((one.source_slices for one in measurement.slices if one.index == measurement.slice), ())
    return _plain(
        {
            "schema": measurement.schema,
            "research_use_only": RESEARCH_USE_ONLY,
            "case": {
                "id": measurement.case_id,
                "shift_mm": measurement.shift_mm,
                "signed_shift_mm": measurement.signed_shift_mm,
                "side": measurement.side,
                "slice": measurement.slice,
                "source_slices": of_case,
                "authors_readout_mm": measurement.authors_readout_mm,
                "interval_mm": measurement.interval_mm,
                "p_over_5mm": measurement.p_over_5mm,
                "rule": None if measurement.case_rule is None else asdict(measurement.case_rule),
                **_optional("rule_text", rule_text(measurement)),
                **_optional("model_slice", measurement.model_slice),
            },
            "review": None if measurement.review is None else measurement.review.to_dict(),
            "refused": measurement.refused,
            "quality": [flag.to_dict() for flag in measurement.quality],
            "slices": [_slice_to_dict(one) for one in measurement.slices],
            "model": measurement.model,
            "software": measurement.software,
            "device": measurement.device,
            "seconds": measurement.seconds,
            "input": measurement.input,
        }
    )


def to_json(measurement: Measurement) -> str:
    """Return the measurement as JSON text for people too: one field a line, a point's numbers on one."""
    text = json.dumps(to_dict(measurement), ensure_ascii=False, allow_nan=False, indent=2)
    return NUMBERS.sub(lambda match: f"[{', '.join(match[1].replace(',', ' ').split())}]", text) + "\n"


def from_dict(data: dict[str, Any]) -> Measurement:
    """Return the measurement that ``to_dict`` was given, to the rounding of its numbers.

    Raises:
        InputError: another schema, or a field is missing or of the wrong kind.
    """
    found = data.get("schema") if isinstance(data, dict) else None
    if found != SCHEMA:
        raise InputError(f"This is not a {SCHEMA} result (its schema is {repr(found)[:60]}).", "json")
    try:
        case = data["case"]
        measurement = Measurement(
            case_id=case["id"],
            signed_shift_mm=case["signed_shift_mm"],
            slice=case["slice"],
            slices=tuple(_slice_from_dict(one) for one in data["slices"]),
            quality=tuple(Quality(**flag) for flag in data["quality"]),
            refused=data["refused"],
            authors_readout_mm=case["authors_readout_mm"],
            model=data["model"],
            software=data["software"],
            device=data["device"],
            seconds=data["seconds"],
            input=data["input"],
            case_rule=None if case.get("rule") is None else CaseRule.from_dict(case["rule"]),
            interval_mm=_interval(case.get("interval_mm")),
            p_over_5mm=case.get("p_over_5mm"),
            model_slice=case.get("model_slice"),
            review=None if data.get("review") is None else Review.from_dict(data["review"]),
        )
        require_sound(measurement)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"This {SCHEMA} result is damaged ({type(error).__name__}: {str(error)[:200]}).", "json"
        ) from error
    return measurement


def from_json(text: str) -> Measurement:
    """Return ``from_dict`` of JSON text; raise InputError for text that is not JSON."""
    try:
        data = parse_json(text)
    except ValueError as error:
        raise InputError(f"This is not JSON ({error}).", "json") from error
    return from_dict(data)


def _slice_to_dict(one: SliceMeasurement) -> dict[str, Any]:
    return {
        "index": one.index,
        "source_slices": one.source_slices,
        "z_mm": one.z_mm,
        "height_mm": one.height_mm,
        "signed_shift_mm": one.signed_shift_mm,
        "confidence": one.confidence,
        "in_case_window": one.in_case_window,
        "authors_readout_mm": one.authors_readout_mm,
        "edited": one.edited,
        **_optional("pinned", one.pinned or None),
        "landmarks": {
            name: {"lps_mm": one.landmarks_lps_mm[name], "pixel": one.landmarks_px[name]} for name in LANDMARK_NAMES
        },
        "midline": {"pixel": one.midline_px, "shift_mm": one.midline_shift_mm},
    }


def _optional(name: str, value: Any) -> dict[str, Any]:
    """Return ``{name: value}``; nothing without a value, so that results without it stay as older versions wrote them."""
    return {} if value is None or value == "" else {name: value}


def _interval(data: list[float] | None) -> tuple[float, float] | None:
    if data is None:
        return None
    low, high = data
    return low, high


def _slice_from_dict(data: dict[str, Any]) -> SliceMeasurement:
    landmarks = data["landmarks"]
    return SliceMeasurement(
        index=data["index"],
        z_mm=data["z_mm"],
        signed_shift_mm=data["signed_shift_mm"],
        landmarks_px={name: np.array(point["pixel"], dtype=float) for name, point in landmarks.items()},
        landmarks_lps_mm={name: np.array(point["lps_mm"], dtype=float) for name, point in landmarks.items()},
        midline_px=np.array(data["midline"]["pixel"], dtype=float).reshape(-1, 2),
        midline_shift_mm=np.array(data["midline"]["shift_mm"], dtype=float),
        height_mm=data["height_mm"],
        confidence=data["confidence"],
        in_case_window=data["in_case_window"],
        authors_readout_mm=data["authors_readout_mm"],
        edited=data["edited"],
        pinned=data.get("pinned", False),
        source_slices=tuple(data["source_slices"]),
    )


def _plain(value: Any) -> Any:
    """Convert arrays and NumPy scalars to Python's own; round floats; turn what is not finite into None."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if type(value) is float:  # nearly all of a measurement
        return round(value, DECIMALS) if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return round(float(value), DECIMALS) if math.isfinite(value) else None
    return value if value is None else str(value)
