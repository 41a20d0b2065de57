"""What the commands that work on scans share: their options' types, and a case's failure that does not stop the others."""

from __future__ import annotations

import contextlib
import logging
import sys
import traceback
import warnings
from collections.abc import Callable

import click

from MidlineShiftLogic.cli import exit_codes
from MidlineShiftLogic.cli.format_error import explain
from MidlineShiftLogic.cli.reporter import Reporter
from MidlineShiftLogic.cli.worklist import parse_spacing


class Spacing(click.ParamType):
    """``Z,Y,X``: three positive millimetres."""

    name = "Z,Y,X"

    def convert(self, value, param, ctx) -> tuple[float, float, float]:
        try:
            return parse_spacing(str(value))
        except ValueError:
            self.fail(f"{value!r} is not three positive millimetres such as 5,0.5,0.5.", param, ctx)


class SliceList(click.ParamType):
    """``14``, ``10-18`` or ``3,10-18``: slice numbers, 0 the lowest."""

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
            if not 0 <= low <= high < 10_000:
                self.fail(f"{value!r} is not a list of slices such as 14 or 10-18 or 3,10-18.", param, ctx)
            numbers.update(range(low, high + 1))
        return tuple(sorted(numbers))


def guarded(work: Callable[[], int], case: str, reporter: Reporter, debug: bool) -> int:
    """The exit code of ``work`` on one case, whatever happens in it: the other cases go on."""
    try:
        return work()
    except BrokenPipeError:
        raise
    except Exception as error:
        if debug:
            traceback.print_exc(file=sys.stderr)
        code = exit_codes.of(error)
        reporter.error(case, explain(error), getattr(error, "code", "internal"), code)
        return code


@contextlib.contextmanager
def hushed(debug: bool):
    """What libraries print must not come between the lines a program reads, and their warnings about odd files are not
    for the user (unless for debugging): what matters of them is in the result's flags."""
    previous = logging.root.manager.disable
    with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
        if not debug:
            logging.disable(logging.CRITICAL)
            warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logging.disable(previous)
