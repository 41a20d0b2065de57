"""A scan and a measurement in the panel's words and colours."""

from dataclasses import dataclass
from datetime import datetime

from slicer.i18n import tr as _

from MidlineShiftLogic.measurement.slice_names import slice_name
from MidlineShiftLogic.reporting.formatting import certainty_text, rule_text

NONE, MILD, MODERATE, SEVERE = "#bfe3bf", "#f6e58d", "#f5b971", "#ee8a80"
UNCERTAIN = "#d5d5d5"
CONTRADICTIONS = ("inconsistent-side", "field-and-map-disagree")
"""Warnings that leave the number without a colour: 0.0 mm between 4 mm to the right and 6 mm to the left is not "none"."""


def arrows() -> dict[str, str]:
    """Return the side in words with an arrow. Pictures are radiological: the patient's left is on the right of the screen."""
    return {"left": _("to the left →"), "right": _("← to the right"), "none": _("no side")}


@dataclass(frozen=True)
class ResultTexts:
    """What the labels of a result say.

    Attributes:
        shift: the number with its side. rule: the slice of the case and the rule in force.
        interval: interval and probability; empty where there are none. warnings: one a line. review: who decided what.
    """

    shift: str
    rule: str
    interval: str
    warnings: str
    review: str


def severityColour(signedMm: float, limitsMm: tuple[float, float, float]) -> str:
    """Return ``#RRGGBB`` for a shift to either side, by where its size is among the limits (mild, moderate, severe)."""
    size = round(abs(signedMm), 1)  # as it is shown, so that a shown 5.0 has the colour of 5
    mild, moderate, severe = limitsMm
    return SEVERE if size >= severe else MODERATE if size >= moderate else MILD if size >= mild else NONE


def headlineColour(measurement, limitsMm: tuple[float, float, float]) -> str:
    """Return ``#RRGGBB`` for the case's number: ``UNCERTAIN`` where slices contradict and no reader has edited or decided."""
    undecided = measurement.review is None and not measurement.edited
    if undecided and any(flag.name in CONTRADICTIONS for flag in measurement.quality):
        return UNCERTAIN
    return severityColour(measurement.signed_shift_mm, limitsMm)


def resultTexts(measurement, moved: bool = False) -> ResultTexts:
    """Return the texts of a measurement; of None, those of an empty panel.

    Args:
        moved: whether the scan is elsewhere than where it was measured.
    """
    if measurement is None:
        return ResultTexts("–", "", "", "", "")
    rule = rule_text(measurement)
    warnings = [flag.message for flag in measurement.quality if flag.severity == "warning"]
    if moved:
        text = _("The scan was moved after it was measured, so landmarks and pictures are not where it is now. ")
        warnings.append(text + _("Take it out of its transform, or measure it again."))
    return ResultTexts(
        shift=f"{measurement.shift_mm:.1f} mm  {arrows()[measurement.side]}",
        rule=slice_name(measurement, measurement.slice).capitalize() + (f": {rule}" if rule else ""),
        interval=certainty_text(measurement),
        warnings="\n".join(f"⚠ {text}" for text in warnings),
        review=reviewText(measurement),
    )


def reviewText(measurement) -> str:
    """Return who decided what, and when by the clock of this computer."""
    one = measurement.review
    if one is None:
        return _("Not reviewed yet.")
    time = datetime.fromisoformat(one.time).astimezone().strftime("%Y-%m-%d %H:%M")
    text = _("{decision} by {reader}, {time}").format(decision=one.decision.capitalize(), reader=one.reader, time=time)
    return f"{text}: {one.reason}" if one.reason else text


def scanLine(ct) -> str:
    """Write size and checks of a ``HeadCT`` in one line: the worst flag is shown, others are counted."""
    row, column = ct.pixel_spacing
    step = abs(ct.heights[-1] - ct.heights[0]) / max(ct.n_slices - 1, 1)
    size = _("{count} slices of {columns} × {rows}, {across:.2f} × {along:.2f} × {step:.1f} mm.").format(
        count=ct.n_slices, columns=ct.hu.shape[2], rows=ct.hu.shape[1], across=column, along=row, step=step
    )
    fatal = [flag for flag in ct.quality if flag.severity == "fatal"]
    warnings = [flag for flag in ct.quality if flag.severity == "warning"]
    if fatal:
        return f"{size} " + _("Cannot be measured: {reason}").format(reason=fatal[0].message)
    if warnings:
        more = " " + _("(and {count} more)").format(count=len(warnings) - 1) if len(warnings) > 1 else ""
        return f"{size} " + _("Look at it first: {reason}").format(reason=warnings[0].message) + more
    return f"{size} " + _("All checks passed.")
