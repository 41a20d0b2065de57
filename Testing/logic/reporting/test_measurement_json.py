"""The JSON holds what the issue promises, follows its schema, and reads back to the same measurement."""

import json
from dataclasses import replace

import jsonschema
import numpy as np
import pytest

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.measurement.results import Measurement
from MidlineShiftLogic.quality import Quality
from MidlineShiftLogic.reporting.measurement_json import (
    RESEARCH_USE_ONLY,
    SCHEMA_FILE,
    from_dict,
    from_json,
    to_dict,
    to_json,
)

SCHEMA = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))


def refused() -> Measurement:
    return Measurement(
        case_id="Schädel 1",
        signed_shift_mm=None,
        slice=None,
        quality=(Quality("few-slices", "fatal", "Only 3 slices."),),
        refused={"code": "few-slices", "message": "Only 3 slices."},
        software={"name": "midlineshift"},
    )


def test_schema_itself_is_valid():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_measured_case_follows_the_schema(case):
    data = json.loads(to_json(case[1]))
    jsonschema.validate(data, SCHEMA)
    assert data["research_use_only"] == RESEARCH_USE_ONLY
    assert data["case"]["side"] == "right"
    assert data["case"]["shift_mm"] == pytest.approx(8.0, abs=0.1) == -data["case"]["signed_shift_mm"]
    assert [flag["code"] for flag in data["quality"]] == ["tilt"]
    assert data["case"]["source_slices"] == [2 * data["case"]["slice"], 2 * data["case"]["slice"] + 1]


def test_refused_case_follows_the_schema():
    data = json.loads(to_json(refused()))
    jsonschema.validate(data, SCHEMA)
    assert data["refused"]["code"] == "few-slices"
    assert data["case"]["shift_mm"] is data["case"]["side"] is data["case"]["slice"] is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data["case"].pop("side"),
        lambda data: data["case"].update(signed_shift_mm=None),
        lambda data: data.update(slices=[]),
        lambda data: data["slices"][0]["landmarks"].pop("ideal"),
        lambda data: data.update(patient_name="Doe^Jane"),
        lambda data: data["case"].update(interval_mm=[1.0]),
        lambda data: data["case"].update(p_over_5mm=1.2),
    ],
)
def test_schema_rejects_what_is_not_a_measurement(case, spoil):
    data = to_dict(case[1])
    spoil(data)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, SCHEMA)


@pytest.mark.parametrize(
    ("name", "code"), [("inconsistent-side", "both-sides"), ("field-and-map-disagree", "readings-differ")]
)
def test_two_flags_are_written_under_their_first_code_and_read_by_either(case, name, code):
    flags = tuple(Quality(one, "warning", "Look.") for one in (name, code))
    assert flags[0] == flags[1] and (flags[0].code, flags[0].name) == (code, name)
    data = to_dict(replace(case[1], quality=flags[:1]))
    assert [flag["code"] for flag in data["quality"]] == [code]
    data["quality"][0]["code"] = name
    assert from_dict(data).quality == flags[:1]


def test_reads_back_to_the_same_measurement(case):
    measurement = case[1]
    again = from_json(to_json(measurement))
    assert to_json(again) == to_json(measurement)
    first, first_again = measurement.slices[0], again.slices[0]
    assert first_again.source_slices == first.source_slices != ()
    assert again.case_id == measurement.case_id and again.quality == measurement.quality
    assert first_again.midline_px.shape == first.midline_px.shape
    np.testing.assert_allclose(first_again.landmarks_lps_mm["shifted"], first.landmarks_lps_mm["shifted"], atol=1e-4)
    assert from_json(to_json(refused())) == refused()


def test_interval_and_probability_are_kept_and_may_be_missing(case):
    sure = replace(case[1], interval_mm=(-9.25, -6.5), p_over_5mm=0.97)
    data = json.loads(to_json(sure))
    jsonschema.validate(data, SCHEMA)
    assert data["case"]["interval_mm"] == [-9.25, -6.5] and data["case"]["p_over_5mm"] == 0.97
    again = from_dict(data)
    assert again.interval_mm == (-9.25, -6.5) and again.p_over_5mm == 0.97
    assert to_dict(case[1])["case"]["interval_mm"] is None
    for name in ("interval_mm", "p_over_5mm"):
        del data["case"][name]
    jsonschema.validate(data, SCHEMA)
    older = from_dict(data)
    assert older.interval_mm is older.p_over_5mm is None


def test_pixels_and_lps_name_the_same_place(case):
    ct, measurement, _ = case
    for one in to_dict(measurement)["slices"]:
        for point in one["landmarks"].values():
            np.testing.assert_allclose(ct.to_lps(one["index"], point["pixel"]), point["lps_mm"], atol=1e-3)


def test_numbers_that_do_not_exist_become_null(case):
    measurement = replace(case[1], authors_readout_mm=float("nan"), input={"spacing_mm": np.array([np.inf, 1.0])})
    text = to_json(measurement)
    assert "NaN" not in text and "Infinity" not in text
    data = json.loads(text)
    assert data["case"]["authors_readout_mm"] is None
    assert data["input"]["spacing_mm"] == [None, 1.0]


def test_text_is_kept_as_it_is(case):
    odd = "[\n1, 2\n] Kopf-Ä [ 3 ]"
    assert json.loads(to_json(replace(case[1], case_id=odd)))["case"]["id"] == odd


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": "other/1"}', '{"schema": "midlineshift-measurement/1"}'])
def test_other_json_is_reported_in_one_sentence(text):
    with pytest.raises(InputError, match=r"not JSON|is not a|is damaged"):
        from_json(text)


def _at(data, place):
    for key in place[:-1]:
        data = data[key]
    return data, place[-1]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("case", "signed_shift_mm"), "5"),
        (("case", "signed_shift_mm"), None),
        (("case", "signed_shift_mm"), True),
        (("case", "slice"), 99),
        (("case", "slice"), [1]),
        (("case", "id"), 7),
        (("case", "p_over_5mm"), "high"),
        (("case", "interval_mm"), ["a", "b"]),
        (("case", "rule"), {"quantile": 0.75, "window_mm": ["0", "20"]}),
        (("case", "rule"), {"quantile": 0.75, "window_mm": [0, 20, 30]}),
        (("slices", 0, "index"), "0"),
        (("slices", 0, "index"), -1),
        (("slices", 0, "index"), 1e308),
        (("slices", 0, "signed_shift_mm"), None),
        (("slices", 0, "height_mm"), {}),
        (("slices", 0, "in_case_window"), "yes"),
        (("slices", 0, "source_slices"), ["a"]),
        (("slices", 0, "landmarks", "shifted", "lps_mm"), [1, 2]),
        (("slices", 0, "midline", "shift_mm"), [1]),
        (("slices", 0, "midline", "pixel"), [[1e300, 0]]),
        (("input",), "none"),
        (("input", "spacing_mm"), ["a"]),
        (("model",), []),
        (("seconds",), "3"),
        (("device",), None),
        (("quality",), [{"code": 1, "severity": "info", "message": ""}]),
        (("refused",), "no"),
        (("refused",), {"code": "x", "message": "y"}),
    ],
)
def test_a_value_of_another_kind_is_one_sentence(case, place, value):
    """Else it would fail far away, where it is drawn or written, or be shown as a number."""
    data = json.loads(to_json(case[1]))
    inside, key = _at(data, place)
    inside[key] = value
    with pytest.raises(InputError, match="damaged"):
        from_dict(data)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "9" * 5000])
def test_numbers_that_are_none(case, number):
    text = to_json(case[1]).replace('"seconds": ', f'"seconds": {number}, "was": ')
    with pytest.raises(InputError, match=r"damaged|not JSON"):
        from_json(text)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000])
def test_nesting_without_end_is_one_sentence(text):
    with pytest.raises(InputError, match="nested too deeply"):
        from_json(text)
