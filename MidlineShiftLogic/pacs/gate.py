"""Is a received series a whole head CT to measure? Asked of the headers, before anything heavy is started."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from MidlineShiftLogic.errors import InputError

WIDE_GAP = 1.5
"""A step between slices this many times the usual one around it, where instance numbers are missing too, is a hole."""
AROUND = 3
"""Steps on either side that tell what is usual there: many series change their step once."""


@dataclass(frozen=True)
class Objection:
    """Why a series is not measured; ``incomplete`` ones are kept, since the rest may come."""

    sentence: str
    incomplete: bool = False


def objection(folder: Path) -> Objection | None:
    """Why the series in a folder is not to be measured automatically; None if it is.

    Stricter than ``midlineshift measure``, where a person chose the series: here every series of a study comes by, and
    one that was meant for bone, or cut along another plane, is left alone.
    """
    from MidlineShiftLogic.headct.series import find_series, why_not

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
    holes = missing_slices(info.frames)
    if holes:
        return Objection(f"it is incomplete: {holes} of its slices are missing", incomplete=True)
    return None


def missing_slices(frames) -> int:
    """How many slices are missing inside a series: where the step is too wide and instance numbers are skipped as well.

    A wide step with consecutive numbers was scanned so. Missing ends do not show here; the checks on the voxels see them.

    Args:
        frames: ``headct.frames.Frame`` of one series, with positions and normals.
    """
    ordered = sorted(frames, key=lambda frame: float(frame.position @ frames[0].normal))
    places = np.array([float(frame.position @ frames[0].normal) for frame in ordered])
    numbers = [frame.order[1:] for frame in ordered]
    steps = np.diff(places)
    holes = 0
    for index, step in enumerate(steps):
        nearby = np.delete(steps[max(index - AROUND, 0) : index + AROUND + 1], min(index, AROUND))
        usual = float(np.median(nearby)) if len(nearby) else 0.0
        skipped = max(abs(numbers[index + 1][axis] - numbers[index][axis]) for axis in (0, 1)) - 1
        if usual > 0 and step > WIDE_GAP * usual and skipped > 0:
            holes += min(skipped, max(1, round(step / usual) - 1))
    return holes
