"""Describe one scan to measure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from MidlineShiftLogic.errors import InputError

Millimetres = tuple[float, float, float]
"""Spacing in mm between (slices, rows, columns)."""

LARGEST_SPACING_MM = 100
"""No head CT is coarser; a larger number is a spacing in other units."""


@dataclass(frozen=True)
class Case:
    """Hold one scan to measure.

    Attributes:
        number: Position in the batch, from 1.
        name: Name of the case and of its result folder.
        source: The scan.
        spacing: Spacing in mm for ``.npy``, or None.
        priors: Earlier results of the same patient, for the report.
        problem: Why the scan must not be loaded, or ``""``.
        code: Stable code of the problem.
    """

    number: int
    name: str
    source: Path
    spacing: Millimetres | None = None
    priors: tuple[Path, ...] = ()
    problem: str = ""
    code: str = ""

    def check(self) -> None:
        """Raise InputError if the scan must not be loaded."""
        if self.problem:
            raise InputError(self.problem, self.code)


def parse_spacing(text: str) -> Millimetres:
    """Parse ``Z,Y,X`` in mm.

    Raises:
        ValueError: The text is not three positive millimetres.
    """
    numbers = tuple(float(part) for part in text.split(","))
    if len(numbers) != 3 or not all(0 < number < LARGEST_SPACING_MM for number in numbers):
        raise ValueError(text)
    return numbers
