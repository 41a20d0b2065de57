"""``midlineshift report`` and ``midlineshift measure --report``."""

import json
import os
import stat
import sys

import pytest
from html_page import parse
from make_scans import make_head, write_dicom

from MidlineShiftLogic.errors import InputError, RefusedError
from MidlineShiftLogic.reporting.html import pdf


@pytest.fixture(scope="session")
def dicom_head():
    return make_head()


@pytest.fixture
def doe(dicom_head, tmp_path):
    """A DICOM folder of Jane Doe."""
    return write_dicom(
        dicom_head, tmp_path / "scans" / "one", PatientName="Doe^Jane^^Dr.", PatientID="12-3", PatientBirthDate="19560302",
        AcquisitionDate="20261102", AcquisitionTime="130501.5",
    )  # fmt: skip


def page(folder):
    return parse((folder / "report.html").read_text(encoding="utf-8"))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_measure_writes_the_report_with_the_case(midlineshift, fake_pipeline, scan, tmp_path):
    done = midlineshift("measure", scan, "--out", tmp_path / "out", "--report", "--json-lines", "--quiet")
    assert done.code == 0, done
    assert names(tmp_path / "out" / "head") == ["measurement.json", "overlay.png", "report.html", "slices.png"]
    assert json.loads(done.out)["files"]["report.html"]
    assert page(tmp_path / "out" / "head").of_class("number")[0].text == "8.0 mm to the patient's left"


def test_refused_case_has_a_report_too(midlineshift, fake_pipeline, scan, tmp_path, monkeypatch):
    def refuse(*_arguments, **_options):
        raise RefusedError("No midline was found.", "no-midline")

    monkeypatch.setattr(sys.modules["MidlineShiftLogic.inference.pipeline"], "measure_ct", refuse)
    assert midlineshift("measure", scan, "--out", tmp_path / "out", "--report").code == 3
    assert names(tmp_path / "out" / "head") == ["measurement.json", "report.html"]
    assert "No midline was found." in page(tmp_path / "out" / "head").of_class("refused")[0].text


def test_report_of_a_result_that_is_there_with_earlier_ones(midlineshift, fake_pipeline, scan, tmp_path, doe):
    out = tmp_path / "out"
    assert midlineshift("measure", scan, doe, "--out", out).code == 0
    done = midlineshift("report", out / "head", "--prior", out / "one", "--prior", out / "one" / "measurement.json")
    assert done.code == 0 and done.out.split() == [str(out / "head" / "report.html")]
    rows = page(out / "head").of_class("second")[0].all("tbody")[0].all("tr")
    assert [row.all("td")[0].text for row in rows] == ["one", "one", "this scan"]
    assert rows[0].all("th")[0].text == "2026-11-02 13:05"


def test_name_only_where_it_was_asked_for_and_of_the_scan_that_was_measured(
    midlineshift, fake_pipeline, tmp_path, doe, dicom_head
):
    out = tmp_path / "out"
    assert midlineshift("measure", doe, "--out", out, "--report").code == 0
    for file in (out / "one").glob("*.[jh]*"):
        text = file.read_text(encoding="utf-8")
        assert "Jane" not in text and "12-3" not in text and "1956" not in text
    assert json.loads((out / "one" / "measurement.json").read_text())["input"]["acquired"] == "2026-11-02T13:05:01"

    assert midlineshift("report", out / "one", "--identify", doe).code == 0
    assert "Patient Dr. Jane Doe Patient ID 12-3 Born 1956-03-02" in page(out / "one").one("header").text
    assert midlineshift("measure", doe, "--out", out, "--report", "--identify").code == 0
    assert "Dr. Jane Doe" in page(out / "one").one("header").text

    before = (out / "one" / "report.html").read_bytes()
    stranger = write_dicom(make_head(n_slices=30), tmp_path / "stranger", PatientName="Other^One")
    done = midlineshift("report", out / "one", "--identify", stranger)
    assert done.code == 2 and "is not the scan that 'one' was measured on" in done.sentence
    assert (out / "one" / "report.html").read_bytes() == before


def test_a_full_disk_leaves_the_earlier_report_and_no_part(midlineshift, fake_pipeline, scan, tmp_path, monkeypatch):
    """The same code and sentence as of ``midlineshift measure``."""
    out = tmp_path / "out"
    midlineshift("measure", scan, "--out", out, "--report")
    before = (out / "head" / "report.html").read_bytes()

    def full(*_arguments):
        raise OSError(28, "No space left on device", "x")

    monkeypatch.setattr("MidlineShiftLogic.reporting.html.write.os.fdopen", full)
    for command in (["report", out / "head"], ["measure", scan, "--out", out, "--report"]):
        done = midlineshift(*command)
        assert done.code == 2 and "Cannot write x: no space is left on its disk" in done.sentence, done
    assert names(out) == ["head"] and (out / "head" / "report.html").read_bytes() == before


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps permissions elsewhere")
def test_a_report_with_a_name_is_for_its_owner_only(midlineshift, fake_pipeline, doe, tmp_path):
    out = tmp_path / "out"
    for arguments, mode in (["--identify"], 0o600), ([], 0o666 & ~_umask()):
        assert midlineshift("measure", doe, "--out", out, "--report", *arguments).code == 0
        assert stat.S_IMODE((out / "one" / "report.html").stat().st_mode) == mode
    assert midlineshift("report", out / "one", "--identify", doe).code == 0
    assert stat.S_IMODE((out / "one" / "report.html").stat().st_mode) == 0o600


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_name_without_a_report_is_reported(midlineshift, scan, tmp_path):
    done = midlineshift("measure", scan, "--out", tmp_path / "out", "--identify")
    assert done.code == 2 and "add --report" in done.err and not (tmp_path / "out").exists()


def test_name_of_a_file_without_names_is_refused_before_measuring(midlineshift, fake_pipeline, scan, tmp_path):
    done = midlineshift("measure", scan, "--out", tmp_path / "out", "--report", "--identify")
    assert done.code == 2 and "names no patient" in done.sentence and fake_pipeline == []
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("arguments", [["nowhere"], ["out/head", "--prior", "nowhere"], ["out/head", "--prior", "out/head"],
                                       ["out/head", "--identify", "head.nii.gz"]])  # fmt: skip
def test_what_cannot_be_reported_is_reported(midlineshift, fake_pipeline, scan, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    midlineshift("measure", scan, "--out", "out")
    done = midlineshift("report", *arguments)
    assert done.code == 2 and "Traceback" not in done.err and done.sentence.startswith("Error: ")
    assert not (tmp_path / "out" / "head" / "report.html").exists()


def test_pdf_is_asked_for_before_anything_is_measured(midlineshift, fake_pipeline, scan, tmp_path, monkeypatch):
    def missing():
        raise InputError("A PDF needs WeasyPrint.", "pdf")

    monkeypatch.setattr(pdf, "require_pdf", missing)
    done = midlineshift("measure", scan, "--out", tmp_path / "out", "--pdf")
    assert done.code == 2 and "WeasyPrint" in done.sentence and not (tmp_path / "out").exists()


def test_pdf_beside_the_html(midlineshift, fake_pipeline, scan, tmp_path):
    try:
        pdf.require_pdf()
    except InputError as error:
        pytest.skip(str(error))
    assert midlineshift("measure", scan, "--out", tmp_path / "out", "--pdf").code == 0
    assert {"report.html", "report.pdf"} <= set(names(tmp_path / "out" / "head"))
    assert (tmp_path / "out" / "head" / "report.pdf").read_bytes().startswith(b"%PDF")
