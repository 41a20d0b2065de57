"""The report says what was measured, to the right side, to everyone, and gives nobody's name or script away."""

import base64
import io
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import synthetic_case
from html_page import barriers, contrast, parse, reaches_outside
from PIL import Image

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.patient import Patient
from MidlineShiftLogic.measurement.results import Measurement
from MidlineShiftLogic.measurement.review import Review
from MidlineShiftLogic.quality import Quality
from MidlineShiftLogic.reporting.figures import plots
from MidlineShiftLogic.reporting.figures.overlay import write_overlay
from MidlineShiftLogic.reporting.html import page as module
from MidlineShiftLogic.reporting.html import report_html
from MidlineShiftLogic.reporting.html.recommendations import RECOMMENDATIONS

ROOT = Path(__file__).parents[4]
EVIL = '<script>alert(\'x\')</script>" onload="x" {{ 7*7 }} <img src=http://evil.example/x> \u202e&amp;'


@pytest.fixture(scope="session")
def overlay(case, tmp_path_factory):
    path = tmp_path_factory.mktemp("overlay") / "overlay.png"
    write_overlay(path, *case)
    return path.read_bytes()


@pytest.fixture(scope="session")
def measurement(case):
    """8 mm to the patient's right, as sure as a calibrated model is."""
    return replace(case[1], interval_mm=(-9.4, -6.6), p_over_5mm=0.97)


def refused(code="herniation", message="Brain has left the skull."):
    return Measurement("case", None, None, refused={"code": code, "message": message})


def at(measurement, when, signed_mm, name="earlier", **changes):
    return replace(
        measurement, case_id=name, signed_shift_mm=signed_mm, interval_mm=(signed_mm - 1, signed_mm + 1),
        input={"acquired": when, "sha256": f"{name} {when}"}, **changes,
    )  # fmt: skip


def table_after(page, heading):
    section = next(s for s in page.all("section") if s.all("h2") and s.all("h2")[0].text == heading)
    return [[cell.text for cell in row.all() if cell.tag in ("th", "td")] for row in section.all("tbody")[0].all("tr")]


def facts(page):
    return {pair.one("dt").text: pair.one("dd").text for pair in page.all("div") if pair.all("dt") and pair.all("dd")
            and not pair.all("div")}  # fmt: skip


def test_number_side_interval_and_probability(measurement, overlay):
    page = parse(report_html(measurement, overlay_png=overlay))
    assert page.of_class("number")[0].text == "8.0 mm to the patient's right"
    stated = facts(page)
    assert stated["90 % interval"] == "6.6 to 9.4 mm to the right"
    assert stated["Probability of more than 5 mm"] == "97 %"
    assert stated["Read on slice"].startswith(f"{measurement.slice + 1} of 24, about ")
    assert stated["Read on slice"].endswith(
        f"(slices {2 * measurement.slice} to {2 * measurement.slice + 1} of the file)"
    )
    assert stated["Reader"] == "not reviewed by a reader"
    assert "Research use only. Not a medical device." in page.one("header").text
    assert "The head is turned by 21 degrees." in page.of_class("warnings")[0].text


@pytest.mark.parametrize(("signed", "right", "wrong"), [(7.9, "left", "right"), (-7.9, "right", "left")])
def test_sides_are_the_patients_everywhere(measurement, overlay, signed, right, wrong):
    sign = np.sign(signed)
    turned = replace(
        measurement,
        signed_shift_mm=signed,
        interval_mm=tuple(sorted((sign * 6.6, sign * 9.4))),
        slices=tuple(replace(one, signed_shift_mm=sign * abs(one.signed_shift_mm)) for one in measurement.slices),
    )
    prior = at(measurement, "2026-11-01", signed - 3 * sign)
    page = parse(report_html(turned, overlay_png=overlay, priors=[prior]))
    assert page.of_class("number")[0].text == f"7.9 mm to the patient's {right}"
    assert facts(page)["90 % interval"].endswith(f"to the {right}")
    shifts = " ".join(row[2] for row in table_after(page, "Slices"))
    assert right in shifts and wrong not in shifts
    last = table_after(page, "Timeline")[-1]
    assert last[2:5] == [f"7.9 {right}", f"6.6 to 9.4 {right}", f"3.0 mm toward the {right}"]
    for image in page.all("img"):
        if "right on the left" not in image.attributes["alt"]:
            assert wrong not in image.attributes["alt"], image.attributes["alt"]


def test_plot_has_the_patients_left_where_the_pictures_have_it(measurement, monkeypatch):
    drawn = []
    original = plots._svg
    monkeypatch.setattr(plots, "_svg", lambda figure, *a: drawn.append(figure.axes[0]) or original(figure, *a))
    plots.slices_plot(
        replace(measurement, slices=(*measurement.slices[:-1], replace(measurement.slices[-1], edited=True)))
    )
    (axes,) = drawn
    low, high = axes.get_xlim()
    assert low == -high < 0, "the middle of the plot is no shift, and left is to the right"
    labels = {tick.get_text(): x for tick, x in zip(axes.get_xticklabels(), axes.get_xticks(), strict=True)}
    assert labels["5 R"] == -5 and labels["5 L"] == 5
    lines = {line.get_label(): line.get_xydata() for line in axes.lines}
    assert lines["the case's slice"].tolist() == [[pytest.approx(-8.0, abs=0.1), measurement.slice]]
    assert lines["90 % interval"][:, 0].tolist() == [-9.4, -6.6]
    assert lines["edited by the reader"][0, 1] == measurement.slices[-1].index
    assert len(lines["slice"]) == len(measurement.slices) - 2
    assert axes.get_ylim()[0] < axes.get_ylim()[1], "the lowest slice is at the bottom"


def test_pictures_are_the_panels_of_the_overlay_unaltered(measurement, overlay):
    page = parse(report_html(measurement, overlay_png=overlay))
    whole = np.asarray(Image.open(io.BytesIO(overlay)).convert("RGB"))
    pngs = [image for image in page.all("img") if image.attributes["src"].startswith("data:image/png")]
    assert len(pngs) == 3
    first = Image.open(io.BytesIO(base64.b64decode(pngs[0].attributes["src"].partition(",")[2])))
    assert (str(first.width), str(first.height)) == (pngs[0].attributes["width"], pngs[0].attributes["height"])
    panel = np.asarray(first)
    assert np.array_equal(whole[103 : 103 + panel.shape[0], 13 : 13 + panel.shape[1]], panel)


def test_overlay_that_does_not_say_where_its_panels_are_is_shown_whole(measurement):
    buffer = io.BytesIO()
    Image.new("RGB", (60, 30)).save(buffer, "PNG")
    page = parse(report_html(measurement, overlay_png=buffer.getvalue()))
    assert sum(image.attributes["src"].startswith("data:image/png") for image in page.all("img")) == 1
    with pytest.raises(InputError, match=r"overlay\.png"):
        report_html(measurement, overlay_png=b"\x89PNG no picture")
    assert "is missing from this result" in parse(report_html(measurement)).text


def every_kind(measurement, overlay):
    edited = replace(measurement, slices=(replace(measurement.slices[0], edited=True), *measurement.slices[1:]))
    review = Review("rejected", "Dr. R. Eader", "2026-11-24T10:00:00+00:00", "The falx is not where it was drawn.")
    yield report_html(measurement, overlay_png=overlay)
    yield report_html(measurement)
    yield report_html(refused())
    yield report_html(refused(), priors=[at(measurement, "2026-11-01", 2.0)])
    yield report_html(replace(edited, review=review), overlay_png=overlay, priors=[at(measurement, "", 2.0), refused()])
    yield report_html(measurement, overlay_png=overlay, patient=Patient("Jane Doe", "123", "1956-03-02"), model="m 1.")


def test_everyone_can_read_it_and_nothing_is_fetched(measurement, overlay):
    for html in every_kind(measurement, overlay):
        page = parse(html)
        assert barriers(page) == []
        assert reaches_outside(page) == []
        policy = next(m for m in page.all("meta") if m.attributes.get("http-equiv") == "Content-Security-Policy")
        assert policy.attributes["content"].startswith("default-src 'none'")
        for image in page.all("img"):
            kind, _, content = image.attributes["src"].partition(";base64,")
            if kind == "data:image/svg+xml":
                svg = re.sub(rb'xmlns(:\w+)?="[^"]*"|<!DOCTYPE[^>]*>', b"", base64.b64decode(content))
                assert b"http" not in svg and b"<script" not in svg


def test_every_colour_of_letters_can_be_read(measurement):
    css = (ROOT / "MidlineShiftLogic/reporting/html/report.css").read_text(encoding="utf-8")
    letters = set(re.findall(r"(?<![-\w])color: (#[0-9a-f]+)", css))
    grounds = set(re.findall(r"background: (#[0-9a-f]+)", css)) - {"#000"}
    assert len(letters) >= 4 and len(grounds) >= 4
    for letter in letters:
        for ground in grounds:
            assert contrast(letter, ground) >= 4.5, (letter, ground)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


def test_strangers_texts_stay_texts(measurement, overlay):
    flags = (Quality("odd", "warning", EVIL), Quality("odd2", "info", EVIL))
    evil = replace(
        measurement, case_id=EVIL, quality=flags, device=EVIL, software={"name": EVIL, "version": EVIL}, model={"name": EVIL},
        review=Review("accepted", EVIL, "2026-11-24T10:00:00+00:00", EVIL),
        input={"shape": [EVIL], **dict.fromkeys(("acquired", "format", "reformatted", "sha256"), EVIL)},
    )  # fmt: skip
    prior = replace(refused(EVIL, EVIL), case_id=EVIL, input={"acquired": EVIL})
    html = report_html(evil, overlay_png=overlay, priors=[prior], patient=Patient(EVIL, EVIL, EVIL), model=EVIL)
    html += report_html(refused(EVIL, EVIL))
    for half in html.split("</html>")[:2]:
        page = parse(half + "</html>")
        assert reaches_outside(page) == [] and barriers(page) == []
        assert not [name for element in page.all() for name in element.attributes if name.startswith("on")]
    assert "49" not in parse(html.split("</html>")[0] + "</html>").one("title").text
    assert "<script>alert" in parse(html.split("</html>")[0] + "</html>").one("title").text
    assert "\u202e" not in html


@pytest.mark.parametrize("code", ["herniation", "no-such-code"])
def test_refused_case_says_why_and_what_to_do(code):
    page = parse(report_html(refused(code, "Brain has left the skull.")))
    section = page.of_class("refused")[0]
    assert "Not measured" in section.text and "Brain has left the skull." in section.text
    assert "What to do:" in section.text and "says nothing about whether the midline is shifted" in section.text
    assert page.all("img") == [] and not re.search(r"\d mm to the", page.one("main").text)


def test_every_refusal_has_its_recommendation():
    text = (ROOT / "docs" / "reference" / "quality-codes.md").read_text(encoding="utf-8")
    fatal = set(re.findall(r"^\| `([a-z0-9-]+)` \| fatal \|", text, re.MULTILINE))
    assert len(fatal) > 15
    assert fatal - set(RECOMMENDATIONS) == set(), "no recommendation for these"
    assert set(RECOMMENDATIONS) - fatal == set(), "no such refusal"


def test_readers_edits_and_decision(measurement, overlay):
    edited = replace(
        measurement, interval_mm=None, p_over_5mm=None,
        slices=tuple(replace(one, edited=one.index == 12) for one in measurement.slices),
        review=Review("accepted with edits", "Dr. R. Eader", "2026-11-24T10:00:30+01:00", "Ring moved."),
    )  # fmt: skip
    stated = facts(parse(report_html(edited, overlay_png=overlay)))
    assert stated["Reader"] == "accepted with edits by Dr. R. Eader, 2026-11-24 10:00 UTC+01:00: Ring moved."
    assert stated["Edits"] == "landmarks changed by the reader on 1 slice (13)"
    assert stated["90 % interval"] == "none: the number is the reader's"
    assert "Probability of more than 5 mm" not in stated
    rows = {row[0]: row[4] for row in table_after(parse(report_html(edited)), "Slices")}
    assert "edited" in rows["13"] and rows["12"] == ""
    rejected = replace(edited, review=replace(edited.review, decision="rejected", reason="Wrong falx."))
    page = parse(report_html(rejected, overlay_png=overlay))
    assert (
        "do not use this number" in page.of_class("alert")[0].text and "Wrong falx." in page.of_class("alert")[0].text
    )


def test_model_without_calibration_says_so(measurement):
    stated = facts(parse(report_html(replace(measurement, interval_mm=None, p_over_5mm=None))))
    assert stated["90 % interval"] == "none: the model was not calibrated"


def test_timeline_is_in_order_of_time_and_shows_the_change(measurement):
    now = replace(measurement, input={"acquired": "2026-11-04T08:10:00", "sha256": "now"})
    priors = [at(now, "2026-11-03T06:00:00", -5.1, "second"), at(now, "2026-11-02", 0.2, "first"),
              at(now, "2026-11-05T01:00:00", -2.0, "later")]  # fmt: skip
    page = parse(report_html(now, priors=priors))
    rows = table_after(page, "Timeline")
    assert [row[0] for row in rows] == ["2026-11-02", "2026-11-03 06:00", "2026-11-04 08:10", "2026-11-05 01:00"]
    assert [row[1] for row in rows] == ["first", "second", "this scan", "later"]
    assert [row[4] for row in rows] == [
        "–",
        "5.3 mm toward the right",
        "2.9 mm toward the right",
        "6.0 mm toward the left",
    ]
    (plot,) = [image for image in page.all("img") if "over 4 scans" in image.attributes["alt"]]
    assert plot.attributes["src"].startswith("data:image/svg+xml")


def test_timeline_without_dates_keeps_the_order_given(measurement):
    priors = [at(measurement, "", -5.0, "b"), refused(), at(measurement, "2026-11-02", 1, "a")]
    rows = table_after(parse(report_html(measurement, priors=priors)), "Timeline")
    assert [row[1] for row in rows] == ["b", "case", "a", "this scan"]
    assert rows[1][2] == "not measured" and rows[2][4] == "6.0 mm toward the left"


def test_timeline_names_different_models_and_refuses_the_same_scan(measurement):
    other = at(measurement, "2026-11-01", 1.0, model={"name": "other"})
    assert "same model" in parse(report_html(measurement, priors=[other])).text
    assert "same model" not in parse(report_html(measurement, priors=[at(measurement, "2026-11-01", 1.0)])).text
    now = replace(measurement, input={"sha256": "same"})
    with pytest.raises(InputError, match="same scan"):
        report_html(now, priors=[replace(now, case_id="copy")])


def test_nobodys_name_unless_it_is_given(measurement):
    page = parse(report_html(measurement))
    assert "Patient" not in facts(page) and "Born" not in facts(page)
    stated = facts(parse(report_html(measurement, patient=Patient("Jane Doe", "123", "1956-03-02"))))
    assert (stated["Patient"], stated["Patient ID"], stated["Born"]) == ("Jane Doe", "123", "1956-03-02")


def test_many_slices_keep_the_cases_own_and_the_edited(measurement):
    many = tuple(replace(measurement.slices[0], index=k, edited=k == 7, in_case_window=False) for k in range(200))
    page = parse(report_html(replace(measurement, slices=many, slice=150)))
    rows = [row for table in page.of_class("tables")[0].all("tbody") for row in table.all("tr")]
    numbers = [int(row.all("th")[0].text) for row in rows]
    assert len(numbers) == module.MOST_ROWS and {8, 151} <= set(numbers) and numbers == sorted(numbers, reverse=True)
    assert "155 slices are left out here" in page.text


def test_same_report_every_time(measurement, overlay):
    assert report_html(measurement, overlay_png=overlay) == report_html(measurement, overlay_png=overlay)


def test_needs_no_torch_and_nothing_before_it_is_called():
    code = (
        "import sys\nimport MidlineShiftLogic.reporting.html\n"
        "early = [m for m in ('jinja2', 'matplotlib', 'numpy', 'PIL', 'weasyprint') if m in sys.modules]\n"
        "import synthetic_case as s\nfrom MidlineShiftLogic.reporting.html import report_html\n"
        "report_html(s.measured(s.drawn_head())[0])\n"
        "print(early, [m for m in ('torch', 'weasyprint', 'matplotlib.pyplot') if m in sys.modules])"
    )
    helpers = str(Path(synthetic_case.__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.append({helpers!r})\n{code}"], capture_output=True, text=True
    )
    assert done.stdout.strip() == "[] []", done
