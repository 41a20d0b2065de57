"""Check whether the values are Hounsfield units, with a sentence for each way in which exported CT are not."""

from __future__ import annotations

import numpy as np

from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.quality import Quality

AIR_CEILING_HU = -780.0
"""Air measures -1000; scans rebuilt from pictures stop at -900 or -800."""

NO_AIR_HU = -500.0
"""Fat, the darkest tissue, is at -120: a scan without anything below this has no air, or is not in Hounsfield units."""

MIN_AIR_SHARE = 0.001
"""Even a picture filled by the head shows the paranasal sinuses or the outside at its corners."""

TISSUE_HU = -200.0
"""Above it is the patient."""

MIN_TISSUE_SHARE = 0.005
"""A head takes 20 to 60 % of the picture; below half a percent there is none."""

BONE_HU = 300.0

MIN_BONE_SHARE = 0.002
"""Of the tissue: adults 8 to 20 %, infants above 2 %."""

MAX_WINDOW_SPAN = 400.0
"""Pictures exported with a brain or stroke window span less than this; CT spans 2000 and more."""

CLIPPED_SHARE = 0.02
"""Of the values at exactly the lowest and of those at exactly the highest value, where a window clipped them."""

RESCALE_OFFSET = 1024.0
RESCALE_TOLERANCE = 110.0
"""Missing rescale intercepts are -1024 or -1000; brain then has its middle at 1060 or 1035 instead of 35."""

BRAIN_PEAK_SHARE = 0.25
"""Of the tissue within 60 units of its middle; brain makes this peak in CT, MR spreads wider."""


def sampled(ct: HeadCT) -> np.ndarray:
    """Return about a million finite values of the scan, each one as stored (not averaged, so clipping shows)."""
    step = max(1, int(np.sqrt(ct.hu.size / 1e6)))
    values = ct.hu[:, ::step, ::step].ravel()
    return values[np.isfinite(values)]


def intensity_flags(ct: HeadCT) -> list[Quality]:
    """Flag what is wrong with the values; empty if they are Hounsfield units of a head (or of anything with bone and air)."""
    values = sampled(ct)
    if values.size == 0:
        return [_fatal("hu-nan", "The scan holds no defined values (all NaN); export it again.")]
    lowest, highest = float(values.min()), float(values.max())
    if lowest == highest:
        return [_fatal("no-head", f"The scan is empty: all values are {lowest:g}; export it again.")]
    offset = _offset(values)
    if offset is not None:
        return [
            _fatal(
                "hu-missing-rescale",
                f"The values are about {offset:+.0f} away from Hounsfield units (the rescale intercept was not applied "
                f"or applied twice); export the scan with its rescaling, or subtract {offset:g}.",
            )
        ]
    if lowest > NO_AIR_HU:
        return [_without_air(values, lowest, highest)]
    flags = []
    if (values < AIR_CEILING_HU).mean() < MIN_AIR_SHARE:
        flags.append(
            _fatal(
                "hu-no-air",
                f"No air was found: the lowest values are {np.percentile(values, 0.1):.0f} instead of about -1000, so "
                "these are not Hounsfield units; export the original CT values.",
            )
        )
    tissue = values[values > TISSUE_HU]
    if tissue.size < MIN_TISSUE_SHARE * values.size:
        return [*flags, _fatal("no-head", "The scan shows nothing but air; choose the head series.")]
    if (tissue > BONE_HU).mean() < MIN_BONE_SHARE:
        flags.append(
            _fatal(
                "hu-no-bone",
                f"No bone was found: the highest values are {np.percentile(values, 99.9):.0f} where a skull has 300 to "
                "2000; the values were clipped, or the skull was removed: give the original CT.",
            )
        )
    return flags


def _without_air(values: np.ndarray, lowest: float, highest: float) -> Quality:
    """Say which kind of export a scan is that has nothing below -500 HU."""
    whole = bool((values == np.rint(values)).all())
    if whole and lowest >= 0 and 200 <= highest <= 255:
        return _fatal(
            "hu-8bit",
            f"The values are grey levels of an 8-bit picture ({lowest:g} to {highest:g}), not Hounsfield units; "
            "export the original CT, not a picture of it.",
        )
    clipped = (values == lowest).mean() > CLIPPED_SHARE and (values == highest).mean() > CLIPPED_SHARE
    if highest - lowest <= MAX_WINDOW_SPAN or clipped:
        return _fatal(
            "hu-window",
            f"The values end at {lowest:g} and {highest:g}: the scan was exported through a display window and lost its "
            "air and bone; export the original Hounsfield units.",
        )
    if lowest >= 0:
        return _fatal(
            "not-ct",
            f"The values ({lowest:g} to {highest:g}) are not Hounsfield units (no air below -500): this looks like an "
            "MR or a rescaled picture; give a head CT.",
        )
    return _fatal(
        "hu-no-air",
        f"No air was found: the lowest value is {lowest:g} instead of about -1000, so the values were clipped or are not "
        "Hounsfield units; export the original CT values.",
    )


def _offset(values: np.ndarray) -> float | None:
    """Distance of the values from Hounsfield units, estimated from the soft-tissue peak and the air below it, or None."""
    lowest = float(np.percentile(values, 0.5))
    # Air is 1000 below tissue wherever zero is; the midpoint separates the two.
    body = values[values > lowest + 500]
    if body.size < MIN_TISSUE_SHARE * values.size:
        return None
    middle = float(np.median(body))
    peaked = (np.abs(body - middle) < 60).mean() > BRAIN_PEAK_SHARE
    for offset in (RESCALE_OFFSET, -RESCALE_OFFSET):
        air = -1000 + offset
        if peaked and abs(middle - 35 - offset) < RESCALE_TOLERANCE and abs(lowest - air) < 2 * RESCALE_TOLERANCE:
            return offset
    return None


def _fatal(code: str, message: str) -> Quality:
    return Quality(code, "fatal", message)
