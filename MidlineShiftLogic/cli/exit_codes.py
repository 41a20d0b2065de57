"""What the ``midlineshift`` command's exit codes mean (``docs/adr/0003-exit-codes.md``)."""

from __future__ import annotations

from collections.abc import Iterable

from MidlineShiftLogic.errors import MidlineShiftError

MEASURED = 0
OUR_FAULT = 1
BAD_INPUT = 2
REFUSED = 3
INTERRUPTED = 130
TERMINATED = 143

WORST_FIRST = (OUR_FAULT, BAD_INPUT, REFUSED, MEASURED)


def worst(codes: Iterable[int]) -> int:
    """The exit code of a run over several cases: a fault of ours, else bad input, else a refusal, else measured."""
    return min(codes, key=WORST_FIRST.index, default=MEASURED)


def of(error: BaseException) -> int:
    """The exit code an error ends its case with."""
    return error.exit_code if isinstance(error, MidlineShiftError) else OUR_FAULT
