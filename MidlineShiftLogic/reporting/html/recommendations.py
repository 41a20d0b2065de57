"""Recommend what to do about a refused scan, by the code of the refusal (``docs/reference/quality-codes.md``)."""

from __future__ import annotations

_EXPORT_AGAIN = "Export the scan again from the original DICOM images, in Hounsfield units, and measure that."
_OTHER_SERIES = "Look whether the examination has another axial soft-tissue series of the whole head, and measure that."
_WRONG_FILE = "Check that the right file or series was given."

RECOMMENDATIONS = {
    "check-failed": "Please report this to the developers, without patient data.",
    "head-cut-off": "Ask for a reconstruction with a larger field of view; the raw data often allow one.",
    "head-size": f"{_WRONG_FILE} If it is the right one, its voxel size is wrong: {_EXPORT_AGAIN[0].lower()}{_EXPORT_AGAIN[1:]}",
    "herniation": "Read the shift by hand, and describe the herniation: a distance from the midline does not say it.",
    "hu-8bit": _EXPORT_AGAIN,
    "hu-missing-rescale": _EXPORT_AGAIN,
    "hu-nan": _EXPORT_AGAIN,
    "hu-no-air": _EXPORT_AGAIN,
    "hu-no-bone": f"{_EXPORT_AGAIN} A scan whose skull was removed cannot be measured.",
    "hu-range": _EXPORT_AGAIN,
    "hu-scale": _EXPORT_AGAIN,
    "hu-window": _EXPORT_AGAIN,
    "motion": "Repeat the scan if the patient's care calls for it, or measure another series of the examination.",
    "no-head": _WRONG_FILE,
    "no-midline": f"{_OTHER_SERIES} Otherwise read the shift by hand.",
    "not-axial": _OTHER_SERIES,
    "not-ct": f"{_WRONG_FILE} Only CT in Hounsfield units can be measured.",
    "sheared": "Measure the original scan, not one that was warped by a registration.",
    "slice-order": _EXPORT_AGAIN,
    "slice-places": _EXPORT_AGAIN,
    "spacing": _EXPORT_AGAIN,
    "too-coarse": "Measure the scan at its original resolution.",
    "too-few-slices": f"{_OTHER_SERIES} Check that no images are missing.",
}


def recommendation(code: str) -> str:
    """Return one or two sentences for the code of a refusal."""
    return RECOMMENDATIONS.get(code, f"{_WRONG_FILE} {_OTHER_SERIES}")
