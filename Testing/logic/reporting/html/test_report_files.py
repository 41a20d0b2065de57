"""``report.html`` and ``report.pdf`` in a case's folder, and the results and models they are made from."""

import json
import re
import zlib
from dataclasses import replace

import pytest

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.patient import Patient
from MidlineShiftLogic.measurement.review import Review
from MidlineShiftLogic.models.locate import find_model
from MidlineShiftLogic.quality import Quality
from MidlineShiftLogic.reporting.html import pdf, read_result, report_html, write_report
from MidlineShiftLogic.reporting.html.model_line import model_line
from MidlineShiftLogic.reporting.html.write import ReportOptions
from MidlineShiftLogic.reporting.measurement_json import to_json
from MidlineShiftLogic.reporting.write_case import write_case


@pytest.fixture
def folder(case, tmp_path):
    """The drawn case's folder as ``measure`` writes it."""
    return write_case(tmp_path / "", "case", case[1], case[0], case[2])


@pytest.fixture(scope="session")
def weasyprint():
    try:
        pdf.require_pdf()
    except InputError as error:
        pytest.skip(str(error))


def pdf_objects(content: bytes) -> bytes:
    """All of a PDF, its compressed streams unpacked."""
    parts = [content]
    for match in re.finditer(rb"stream\r?\n(.*?)endstream", content, re.DOTALL):
        try:
            parts.append(zlib.decompress(match[1]))
        except zlib.error:
            continue
    return b"\n".join(parts)


def pages(content: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b(?!s)", pdf_objects(content)))


def crowded(measurement):
    """As much as a report can have to say, and more."""
    sentence = "The slices wobble about a lot and something is very odd with this scan so please look. " * 8
    return replace(
        measurement, case_id="W" * 300, interval_mm=(-12.0, 1.5), p_over_5mm=0.8, authors_readout_mm=12.3,
        quality=tuple(Quality(f"a-code-{i}", kind, sentence) for i in range(20) for kind in ("warning", "info")),
        review=Review("rejected", "Dr. " + "Long Name " * 30, "2026-11-24T10:00:00+01:00", sentence),
        slices=tuple(replace(measurement.slices[i % 10], index=i, edited=True) for i in range(90)), slice=40,
        input={"acquired": "2026-11-24T09:00:00", "format": "DICOM", "shape": [90, 512, 512], "spacing_mm": [1.6, 0.4, 0.4],
               "reformatted": sentence, "sha256": "a" * 64},
        software={"name": "midlineshift", "version": "0.1.0"},
    )  # fmt: skip


@pytest.mark.parametrize("paper", ["A4", "letter"])
@pytest.mark.parametrize("much", [False, True])
def test_prints_on_two_pages_at_most(case, folder, weasyprint, paper, much):
    measurement = crowded(case[1]) if much else case[1]
    priors = [replace(measurement, input={"acquired": f"2026-10-{day:02d}"}) for day in range(1, 20)] if much else []
    patient = Patient("Y" * 300, "1" * 300, "1956-03-02") if much else None
    overlay = (folder / "overlay.png").read_bytes()
    model = "many words " * 100 if much else ""
    html = report_html(measurement, overlay_png=overlay, priors=priors, patient=patient, model=model)
    content = pdf.to_pdf(html, paper)
    assert pages(content) == 2
    wide = re.sub(r"(font: 16px/[\d.]+) [^;]*;", r'\1 "DejaVu Sans";', html)
    assert wide != html and pages(pdf.to_pdf(wide, paper)) == 2, "the widest of the usual typefaces"
    whole = pdf_objects(content)
    assert b"/StructTreeRoot" in whole and b"/Lang" in whole, "tagged for screen readers"
    width = {"A4": b"595", "letter": b"612"}[paper]
    assert re.search(rb"/MediaBox\s*\[\s*0 0 " + width, whole)


def test_pdf_fetches_nothing(weasyprint, tmp_path):
    (tmp_path / "x.png").write_bytes(b"secret")
    html = f'<html lang="en"><body><img src="{(tmp_path / "x.png").as_uri()}" alt="x"><p>text</p></body></html>'
    opened = []
    import builtins

    original = builtins.open
    try:
        builtins.open = lambda *a, **k: opened.append(str(a[0])) or original(*a, **k)
        assert pages(pdf.to_pdf(html)) == 1
    finally:
        builtins.open = original
    assert not [name for name in opened if name.endswith("x.png")]


def test_without_weasyprint_it_is_reported_what_to_do(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with pytest.raises(InputError, match=r"pip install weasyprint.*print it"):
        pdf.to_pdf("<p>")


def test_writes_beside_the_other_files_and_replaces_an_older_one(folder, case, weasyprint):
    first = write_report(folder, case[1], ReportOptions(pdf=True))
    assert [path.name for path in first] == ["report.html", "report.pdf"]
    assert first[1].read_bytes().startswith(b"%PDF")
    write_report(folder, replace(case[1], case_id="another name"))
    assert "another name" in (folder / "report.html").read_text(encoding="utf-8")
    assert not (folder / "report.pdf").exists(), "it was of the older report"
    assert [path.name for path in folder.parent.iterdir()] == ["case"]
    # a folder with a report is still a result of ours, and can be measured again
    write_case(folder.parent, "case", case[1], case[0], case[2])
    assert not (folder / "report.html").exists()


def test_failing_writer_keeps_the_older_report(folder, case, monkeypatch):
    write_report(folder, case[1])
    before = (folder / "report.html").read_bytes()
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        write_report(folder, replace(case[1], case_id="new"))
    assert (folder / "report.html").read_bytes() == before
    assert [path.name for path in folder.parent.iterdir()] == ["case"]


def test_reads_a_result_by_its_folder_or_its_file(folder, case, tmp_path):
    assert to_json(read_result(folder)) == to_json(read_result(folder / "measurement.json")) == to_json(case[1])
    (tmp_path / "other.json").write_text("{}")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    for wrong in ("other.json", "binary.json", "nowhere"):
        with pytest.raises(InputError, match=wrong):
            read_result(tmp_path / wrong)


def test_model_line_is_of_the_very_model_that_measured(tmp_path):
    folder = find_model()
    content = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    digests = {name: part["sha256"] for name, part in content["components"].items()}
    provenance = {"name": content["name"], "version": content["version"], "sha256": digests}
    line = model_line(provenance)
    assert line.startswith(f"{content['name']} {content['version']}. Trained on {content['trained_on']}. Mean error ")
    assert f"{content['accuracy']['readings']['mae_mm']:.1f} mm on" in line
    unknown = model_line(provenance | {"sha256": digests | {"pose": "0" * 64}})
    assert unknown.startswith(f"{content['name']} {content['version']}. Its card is not installed")
    assert model_line({}) == ""
    own = content | {"name": "own", "accuracy": {"phantoms": {"mae_mm": "<b>", "cases": "1", "refused": 0}}}
    (tmp_path / "model.json").write_text(json.dumps(own))
    line = model_line(provenance | {"name": "own"}, [tmp_path])
    assert line == f"own {content['version']}. Trained on {content['trained_on']}."
