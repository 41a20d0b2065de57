"""Define the option types of the commands that work on scans."""

from __future__ import annotations

import click

from MidlineShiftLogic.batch.case import parse_spacing

HIGHEST_SLICE = 10_000
"""No scan has more slices; a larger number is a typing error."""


class Spacing(click.ParamType):
    """Parse ``Z,Y,X``: three positive millimetres."""

    name = "Z,Y,X"

    def convert(self, value, param, ctx) -> tuple[float, float, float]:
        try:
            return parse_spacing(str(value))
        except ValueError:
            self.fail(f"{value!r} is not three positive millimetres such as 5,0.5,0.5.", param, ctx)


class SliceList(click.ParamType):
    """Parse ``14``, ``10-18`` or ``3,10-18``: slice numbers, 0 the lowest."""

    name = "LIST"

    def convert(self, value, param, ctx) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        numbers: set[int] = set()
        for part in str(value).split(","):
            first, _, last = part.strip().partition("-")
            try:
                low, high = int(first), int(last or first)
            except ValueError:
                low, high = 0, -1
            if not 0 <= low <= high < HIGHEST_SLICE:
                self.fail(f"{value!r} is not a list of slices such as 14 or 10-18 or 3,10-18.", param, ctx)
            numbers.update(range(low, high + 1))
        return tuple(sorted(numbers))
