"""Make the text of ``report.html`` from a ``Measurement``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.measurement.results import Measurement, SliceMeasurement
from MidlineShiftLogic.measurement.review import REJECTED
from MidlineShiftLogic.measurement.slice_names import number_of, slice_name
from MidlineShiftLogic.reporting.figures.image_data import overlay_pictures
from MidlineShiftLogic.reporting.formatting import rule_text
from MidlineShiftLogic.reporting.html import formatting
from MidlineShiftLogic.reporting.html.page_tables import MOST_ROWS, slice_tables, timeline_table
from MidlineShiftLogic.reporting.html.recommendations import recommendation
from MidlineShiftLogic.reporting.measurement_json import RESEARCH_USE_ONLY
from MidlineShiftLogic.reporting.timeline import sort_visits
from MidlineShiftLogic.text import counted

if TYPE_CHECKING:
    from MidlineShiftLogic.headct.patient import Patient

HERE = Path(__file__).parent
MOST_WARNINGS, LONGEST_WARNING = 4, 170
MOST_NOTES, LONGEST_NOTE = 3, 130
LONGEST_NAME, LONGEST_REASON, LONGEST_MODEL = 46, 300, 420
PICTURES_MM = (98.0, 58.0)
"""Heights in print of the picture that was measured on and of the two beside it, where there is little text."""
LINES_BESIDE_PICTURES = 1
"""Lines of warnings, review and name that find room with them on a Letter page; more, and the pictures shrink."""
LETTERS_A_LINE, LINE_MM = 95, 4.6
MANY_LINES = 10
"""More, and the letters are smaller in print too: it has to fit with the widest of the usual typefaces."""


def report_html(
    measurement: Measurement,
    *,
    overlay_png: bytes | None = None,
    priors: Sequence[Measurement] = (),
    patient: Patient | None = None,
    model: str = "",
) -> str:
    """Return the report of one case as one HTML document that needs nothing from outside.

    Args:
        measurement: measured or refused; edits and review in it are shown.
        overlay_png: content of the case's ``overlay.png``; None leaves the picture out and says so.
        priors: earlier measurements of the same patient, in the order to show undated ones in.
        patient: whose scan it is; None keeps the report without a name.
        model: sentence about the model (``model_line``).

    Raises:
        InputError: a prior is of the same scan, ``overlay_png`` is not a picture, or there is neither number nor refusal.
    """
    if not measurement.refused and measurement.slice is None:
        raise InputError("This result has no number: no landmarks were placed in it.", "no-number")
    visits = sort_visits(measurement, priors) if priors else []
    review, warnings = _review(measurement), _flags(measurement, "warning", MOST_WARNINGS, LONGEST_WARNING)
    return _template().render(
        case=formatting.clean(measurement.case_id, LONGEST_NAME),
        research=RESEARCH_USE_ONLY,
        scanned=formatting.format_date(measurement.input.get("acquired")),
        patient=None if patient is None else _patient(patient),
        refusal=_refusal(measurement),
        result=None if measurement.refused else _result(measurement),
        review=review,
        edited=_edited(measurement),
        pictures=_pictures(measurement, overlay_png),
        plot=None if measurement.refused else _slices_plot(measurement),
        warnings=warnings,
        notes=_flags(measurement, "info", MOST_NOTES, LONGEST_NOTE),
        tables=slice_tables(measurement),
        rows_left_out=max(0, len(measurement.slices) - MOST_ROWS),
        timeline=timeline_table(visits) if visits else None,
        model=formatting.clean(model, LONGEST_MODEL),
        provenance=_provenance(measurement),
        rule=formatting.of_the_case(measurement),
        coverage=formatting.COVERAGE_TEXT,
        large=formatting.LARGE_TEXT,
        print_mm=_print_mm(lines := _lines_of_text(warnings, review, patient is not None)),
        crowded=lines > MANY_LINES or (len(visits) > 4 and len(measurement.slices) > 30),
        css=(HERE / "report.css").read_text(encoding="utf-8"),
    )


@cache
def _template():
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    # Names of files, readers and scanners come from outside; all text is escaped.
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("report.html.j2")


def _patient(patient: Patient) -> dict[str, str]:
    return {
        "name": formatting.clean(patient.name, LONGEST_NAME) or "not given",
        "id": formatting.clean(patient.id, LONGEST_NAME) or "not given",
        "born": formatting.format_date(patient.birth_date) or "not given",
    }


def _result(measurement: Measurement) -> dict[str, Any]:
    one = measurement.measured_slice()
    height = one.height_mm or 0.0
    level = f", about {abs(height):.0f} mm {'above' if height >= 0 else 'below'} the anterior commissure (estimated)"
    return {
        "shift": formatting.format_shift(measurement.measured_mm()),
        "side": measurement.side,
        "interval": formatting.format_interval(measurement.interval_mm),
        "probability": formatting.format_probability(measurement.p_over_5mm),
        "slice": _slice_name(measurement) + (level if one.height_mm is not None else ""),
        "images": _images(one),
        "rule": rule_text(measurement),
        "authors": None
        if measurement.authors_readout_mm is None
        else f"{measurement.authors_readout_mm:.1f} mm (of any pixel; the number of Gong et al. 2023)",
    }


def _slice_name(measurement: Measurement) -> str:
    """Return ``15 of 31``: the case's slice as people count it."""
    return slice_name(measurement, measurement.measured_slice().index).removeprefix("slice ")


def _images(one: SliceMeasurement) -> str:
    """Return which slices of the file, counted from 0, a slice was made from, where that says something."""
    if not one.source_slices or one.source_slices == (one.index,):
        return ""
    first, last = min(one.source_slices), max(one.source_slices)
    return f"slice {first} of the file" if first == last else f"slices {first} to {last} of the file"


def _refusal(measurement: Measurement) -> dict[str, str] | None:
    if not measurement.refused:
        return None
    code = str(measurement.refused.get("code", ""))
    message = formatting.clean(measurement.refused.get("message", ""), LONGEST_REASON)
    return {"code": formatting.clean(code, 40), "message": message, "recommendation": recommendation(code)}


def _review(measurement: Measurement) -> dict[str, Any] | None:
    review = measurement.review
    if review is None:
        return None
    return {
        "decision": review.decision,
        "rejected": review.decision == REJECTED,
        "reader": formatting.clean(review.reader, LONGEST_NAME),
        "time": _zoned(review.time),
        "reason": formatting.clean(review.reason, LONGEST_REASON),
    }


def _zoned(time: str) -> str:
    zone = time[19:].lstrip(".0123456789")
    return f"{formatting.format_date(time)} {'UTC' if zone in ('+00:00', 'Z') else 'UTC' + zone}"


def _edited(measurement: Measurement) -> str:
    """Return ``1 slice (14)``: how many slices a reader changed, and the first of them."""
    edited = [number_of(measurement, one.index) for one in measurement.slices if one.edited]
    if not edited:
        return ""
    some = ", ".join(edited[:8]) + (" …" if len(edited) > 8 else "")
    return f"{counted(len(edited), 'slice')} ({some})"


def _pictures(measurement: Measurement, overlay_png: bytes | None) -> list[dict[str, Any]]:
    """Return the pictures with their captions and alternative texts; the first is the one that was measured on."""
    if measurement.refused or overlay_png is None:
        return []
    one = measurement.measured_slice()
    shift = formatting.format_shift(one.signed_shift_mm)
    name = slice_name(measurement, one.index)
    whose = " (the model's, not the edit's)" if measurement.edited else ""
    pictures = overlay_pictures(overlay_png)
    if len(pictures) == 1:
        alt = f"{name.capitalize()} as scanned with the midlines, warped back to normal, and the displacement: {shift}."
        return [{"picture": pictures[0], "caption": name.capitalize(), "alt": alt}]
    texts = (
        (
            f"{name.capitalize()} as scanned, window 0 to 80 HU",
            f"Axial head CT, {name}, the patient's right on the left. The midline found is {shift} of the "
            "ideal midline between the falx attachments.",
        ),
        (
            f"Warped back to normal by the deformation found{whose}",
            f"The same slice with the tissue moved back, so that the midline is on the ideal one ({shift} undone).",
        ),
        (
            f"How far and which way tissue was pushed{whose}",
            f"The same slice with arrows from where tissue would be to where it is; the midline was pushed {shift}.",
        ),
    )
    return [
        {"picture": picture, "caption": caption, "alt": alt}
        for picture, (caption, alt) in zip(pictures, texts, strict=True)
    ]


def _slices_plot(measurement: Measurement) -> dict[str, Any]:
    from MidlineShiftLogic.reporting.figures.plots import slices_plot

    largest = max(measurement.slices, key=lambda one: abs(one.signed_shift_mm))
    return {
        "picture": slices_plot(measurement),
        "alt": f"Shift of {counted(len(measurement.slices), 'slice')} from "
        f"{number_of(measurement, measurement.slices[0].index)} to "
        f"{number_of(measurement, measurement.slices[-1].index)}; largest {formatting.format_shift(largest.signed_shift_mm)} on "
        f"slice {number_of(measurement, largest.index)}. "
        "The table of slices holds the numbers.",
    }


def _lines_of_text(warnings: dict[str, Any], review: dict[str, Any] | None, named: bool) -> int:
    """Estimate how many lines of varying length the first printed page has."""
    texts = [f"{flag['message']} ({flag['code']})" for flag in warnings["shown"]]
    texts += [review["reason"], review["reader"]] if review else []
    return sum(-(-len(text) // LETTERS_A_LINE) for text in texts) + 2 * named + 3 * bool(texts)


def _print_mm(lines: int) -> list[float]:
    """Return heights of the pictures that leave room on the first page for what is written above them."""
    share = 1 - LINE_MM * max(0, lines - LINES_BESIDE_PICTURES) / sum(PICTURES_MM)
    return [round(share * height, 1) for height in PICTURES_MM]


def _flags(measurement: Measurement, severity: str, most: int, longest: int) -> dict[str, Any]:
    refused = (measurement.refused or {}).get("code")
    found = [
        {"code": formatting.clean(flag.name, 40), "message": formatting.clean(flag.message, longest)}
        for flag in measurement.quality
        if flag.severity == severity and flag.code != refused
    ]
    return {"shown": found[:most], "more": max(0, len(found) - most)}


def _provenance(measurement: Measurement) -> list[tuple[str, str]]:
    """Return (what, value) lines of what was measured and by what."""
    described = measurement.input
    shape, spacing = described.get("shape") or [], described.get("spacing_mm") or []
    lines = [
        (
            "Scan",
            f"{described.get('format', '')} {' × '.join(map(str, shape))} (slices, rows, columns)" if shape else "",
        ),
        ("Spacing", f"{' × '.join(f'{float(step):.2f}' for step in spacing)} mm" if spacing else ""),
        ("Re-cut", described.get("reformatted") or ""),
        ("Data digest", str(described.get("sha256") or "")[:16]),
        ("Software", f"{measurement.software.get('name', '')} {measurement.software.get('version', '')}".strip()),
        ("Computed on", f"{measurement.device}, in {measurement.seconds:.1f} s" if measurement.seconds else ""),
    ]
    return [(name, formatting.clean(value, 100)) for name, value in lines if value]
