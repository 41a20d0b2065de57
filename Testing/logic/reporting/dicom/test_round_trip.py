"""Report -> measurement: what was written comes back; what is not ours is refused in one sentence."""

import json
import os
from dataclasses import replace

import numpy as np
import pydicom
import pytest
from dicom_case import KINDS, differences, named

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.reporting.dicom import read_report
from MidlineShiftLogic.reporting.measurement_json import to_dict


@pytest.fixture
def saved(case, tmp_path):
    def save(measurement=None, change=None):
        report = case.report(measurement)
        if change:
            change(report)
        report.save_as(tmp_path / "sr.dcm", enforce_file_format=True)
        return tmp_path / "sr.dcm"

    return save


@pytest.mark.parametrize("kind", KINDS)
def test_everything_comes_back(case, saved, kind):
    before = KINDS[kind](case)
    after = read_report(saved(before))
    assert differences(to_dict(before), to_dict(after)) == {}
    assert after.review == before.review and after.edited == before.edited
    for one, other in zip(before.slices, after.slices, strict=True):
        for name, point in one.landmarks_lps_mm.items():
            np.testing.assert_allclose(other.landmarks_lps_mm[name], point, atol=1e-4)
            np.testing.assert_allclose(other.landmarks_px[name], one.landmarks_px[name], atol=1e-3)
        np.testing.assert_allclose(other.midline_px, one.midline_px, atol=1e-3)
        np.testing.assert_allclose(other.midline_shift_mm, one.midline_shift_mm, atol=1e-3)


def test_sparse_measurement_comes_back(case, saved):
    """No interval, no rule, nothing of the authors', a slice without a midline."""
    bare = tuple(
        replace(one, authors_readout_mm=None, midline_px=np.empty((0, 2)), midline_shift_mm=np.empty(0))
        for one in case.measurement.slices
    )
    before = replace(
        case.measurement,
        slices=bare,
        interval_mm=None,
        p_over_5mm=None,
        authors_readout_mm=None,
        case_rule=None,
        quality=(),
    )
    assert differences(to_dict(before), to_dict(read_report(saved(before)))) == {}


def test_an_edit_goes_on_after_the_round_trip(case, saved):
    from MidlineShiftLogic.measurement.edit import move_landmarks

    index = case.measurement.slices[2].index
    target = {"shifted": case.measurement.slices[2].landmarks_lps_mm["shifted"] + (2, 0, 0)}
    before = move_landmarks(case.measurement, case.ct, index, target)
    after = move_landmarks(read_report(saved()), case.ct, index, target)
    assert differences(to_dict(before), to_dict(after)) == {}


def test_coded_numbers_are_what_is_read(saved):
    def change(report):
        for item in named(report, "SIGNED"):
            item.MeasuredValueSequence[0].NumericValue = "-3.5"

    measurement = read_report(saved(change=change))
    assert (measurement.signed_shift_mm, measurement.side) == (-3.5, "right")


def test_another_programs_report_is_refused(case, saved):
    def foreign(report):
        report.Manufacturer = "Somebody"
        for group in named(report, "125007"):
            kept = [one for one in group.ContentSequence if one.ConceptNameCodeSequence[0].CodeValue != "PROVENANCE"]
            group.ContentSequence = kept

    path = saved(change=foreign)
    with pytest.raises(InputError, match="not a report of midlineshift") as caught:
        read_report(path)
    assert "'Somebody'" in str(caught.value) and str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_another_version_is_refused(saved):
    def later(report):
        (item,) = named(report, "PROVENANCE")
        item.TextValue = json.dumps({**json.loads(item.TextValue), "format": "midlineshift-sr/9"})

    with pytest.raises(InputError, match="midlineshift-sr/9"):
        read_report(saved(change=later))


@pytest.mark.parametrize("code", ["SIGNED", "DECISION", "SHIFTED", "WINDOW"])
def test_a_damaged_report_is_refused_or_read_without_what_is_gone(case, saved, code):
    def damage(report):
        for item in named(report, code):
            item.ConceptNameCodeSequence[0].CodeValue = "ELSE"

    path = saved(KINDS["accepted"](case), change=damage)
    if code == "DECISION":
        assert read_report(path).review is None
    else:
        with pytest.raises(InputError, match="damaged or changed"):
            read_report(path)


def test_files_that_are_no_report(case, tmp_path):
    def refusal(path):
        with pytest.raises(InputError) as caught:
            read_report(path)
        assert str(path) in str(caught.value)
        return str(caught.value)

    assert "no file" in refusal(tmp_path / "none.dcm")
    (tmp_path / "text.dcm").write_text("hello")
    assert "not a DICOM file" in refusal(tmp_path / "text.dcm")
    assert "not a DICOM file" in refusal(tmp_path)
    assert "no structured report" in refusal(next(case.folder.iterdir()))
    path = tmp_path / "sr.dcm"
    case.report().save_as(path, enforce_file_format=True)
    whole = path.read_bytes()
    for keep in (200, len(whole) // 2, len(whole) * 9 // 10):
        path.write_bytes(whole[:keep])
        refusal(path)


def test_reading_needs_no_highdicom(saved):
    import subprocess
    import sys

    code = (
        "import sys\nsys.modules['highdicom'] = None\n"
        "from MidlineShiftLogic.reporting.dicom import read_report\nprint(read_report(sys.argv[1]).side)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(saved())], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "left"


def test_report_in_another_transfer_syntax(case, saved, tmp_path):
    """As archives send it on: implicit VR."""
    path = saved()
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
    dataset.save_as(tmp_path / "implicit.dcm", implicit_vr=True, little_endian=True, enforce_file_format=True)
    assert differences(to_dict(read_report(path)), to_dict(read_report(tmp_path / "implicit.dcm"))) == {}


def _items(item):
    for child in item.get("ContentSequence", ()):
        yield child
        yield from _items(child)


def _first(report, kind):
    return next(one for one in _items(report) if one.ValueType == kind)


def _drop(kind, name):
    def change(report):
        delattr(_first(report, kind), name)

    return change


def _number(text):
    def change(report):
        for item in _items(report):
            if item.ValueType == "NUM":
                item.MeasuredValueSequence[0].NumericValue = text

    return change


def _provenance(text):
    def change(report):
        for item in _items(report):
            if item.ValueType == "TEXT" and str(item.TextValue).startswith("{"):
                item.TextValue = text

    return change


@pytest.mark.parametrize(
    "change",
    [
        _drop("NUM", "ValueType"),
        _drop("NUM", "MeasuredValueSequence"),
        _drop("CONTAINER", "ContentSequence"),
        _number("1e30"),
        _provenance("[" * 100_000),
    ],
)
def test_a_changed_report_is_one_sentence(saved, change):
    with pytest.raises(InputError) as caught:
        read_report(saved(change=change))
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="makes a named pipe")
def test_a_pipe_is_no_report(tmp_path):
    os.mkfifo(tmp_path / "sr.dcm")
    with pytest.raises(InputError, match="not a DICOM file"):
        read_report(tmp_path / "sr.dcm")
