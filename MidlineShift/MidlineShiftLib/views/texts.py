"""A measurement in the panel's words and colours."""

from dataclasses import dataclass

from MidlineShiftLogic.reporting.formatting import certainty_text

NONE, MILD, MODERATE, SEVERE = "#bfe3bf", "#f6e58d", "#f5b971", "#ee8a80"
ARROWS = {"left": "to the left →", "right": "← to the right", "none": "no side"}
"""Pictures are radiological: the patient's left is on the right of the screen."""


@dataclass(frozen=True)
class ResultTexts:
    """What the labels say."""

    shift: str
    interval: str
    warnings: str
    review: str

    def where(self, shown: int | None, edited: bool) -> str:
        """Which slice is shown."""
        return "" if shown is None else f"Slice {shown}{' (edited)' if edited else ''}"


def severityColour(signedMm: float, limitsMm: tuple[float, float, float]) -> str:
    """``#RRGGBB`` for a shift to either side, by where its size lies among the limits (mild, moderate, severe)."""
    size = round(abs(signedMm), 1)  # as it is shown, so that a shown 5.0 has the colour of 5
    mild, moderate, severe = limitsMm
    return SEVERE if size >= severe else MODERATE if size >= moderate else MILD if size >= mild else NONE


def resultTexts(measurement) -> ResultTexts:
    """The texts of a measurement; of None, those of an empty panel."""
    if measurement is None:
        return ResultTexts("–", "", "", "")
    shift = f"{measurement.shift_mm:.1f} mm  {ARROWS[measurement.side]}"
    warnings = [flag.message for flag in measurement.quality if flag.severity == "warning"]
    return ResultTexts(
        shift, intervalText(measurement), "\n".join(f"⚠ {text}" for text in warnings), review(measurement)
    )


def intervalText(measurement) -> str:
    """The slice of the case, and the interval and probability where the model gives them."""
    parts = [f"slice {measurement.slice}", certainty_text(measurement)]
    if measurement.edited:
        count = sum(one.edited for one in measurement.slices)
        parts.append(f"{count} slice{'s' if count > 1 else ''} edited by a reader")
    return ", ".join(part for part in parts if part)


def review(measurement) -> str:
    """Who decided what and when."""
    if measurement.review is None:
        return "Not reviewed yet."
    one = measurement.review
    reason = f": {one.reason}" if one.reason else ""
    return f"{one.decision.capitalize()} by {one.reader}, {one.time.replace('T', ' ')}{reason}"
