"""Decide from the headers alone whether a received series is a complete head CT to measure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from MidlineShiftLogic.errors import InputError

WIDE_GAP = 1.5
"""A step this many times the median of the steps around it, with instance numbers missing as well, is a gap."""
NEIGHBOURS = 3
"""Steps on either side that define the usual step: many series change their step once."""


@dataclass(frozen=True)
class Objection:
    """The reason for not measuring a series. Images of ``incomplete`` ones are kept, since the rest may arrive later."""

    sentence: str
    incomplete: bool = False


def find_objection(folder: Path) -> Objection | None:
    """Return why the series in a folder must not be measured automatically, or None if it may be.

    The rules are stricter than those of ``midlineshift measure``, where a person chose the series: the listener receives
    every series of a study, also those reconstructed for bone or along another plane.
    """
    from MidlineShiftLogic.headct.dicom_folder import find_series
    from MidlineShiftLogic.headct.series import why_not

    try:
        info = find_series(folder)[0]
    except InputError:
        return Objection("it holds no images that can be read")
    reason = why_not(info)
    if reason:
        return Objection(f"it is no head CT: {reason}")
    if info.orientation != "axial":
        return Objection(f"its images are {info.orientation}, not axial")
    if info.sharp:
        return Objection("it was made with a bone or lung kernel; the soft-tissue series is measured")
    gaps = missing_slices(info.frames)
    if gaps:
        return Objection(f"it is incomplete: it lacks {gaps} of its slices", incomplete=True)
    return None


def missing_slices(frames) -> int:
    """Count the slices missing inside a series: the step is too wide and instance numbers are skipped as well.

    A wide step with consecutive numbers was acquired that way. Missing ends are not found here, but by ``headct.check``.

    Args:
        frames: ``headct.frames.Frame`` of one series, with positions and normals.
    """
    ordered = sorted(frames, key=lambda frame: float(frame.position @ frames[0].normal))
    places = np.array([float(frame.position @ frames[0].normal) for frame in ordered])
    numbers = [frame.order[1:] for frame in ordered]
    steps = np.diff(places)
    gaps = 0
    for index, step in enumerate(steps):
        nearby = np.delete(steps[max(index - NEIGHBOURS, 0) : index + NEIGHBOURS + 1], min(index, NEIGHBOURS))
        usual = float(np.median(nearby)) if len(nearby) else 0.0
        skipped = max(abs(numbers[index + 1][axis] - numbers[index][axis]) for axis in (0, 1)) - 1
        if usual > 0 and step > WIDE_GAP * usual and skipped > 0:
            gaps += min(skipped, max(1, round(step / usual) - 1))
    return gaps
