"""Define the exit codes of the ``midlineshift`` command (``docs/adr/0003-exit-codes.md``)."""

from __future__ import annotations

from collections.abc import Iterable

from MidlineShiftLogic.errors import OUTPUT_ERRORS, MidlineShiftError

MEASURED = 0
INTERNAL_ERROR = 1
BAD_INPUT = 2
REFUSED = 3
INTERRUPTED = 130
TERMINATED = 143
"""Interrupted and terminated are 128 + the number of the signal (SIGINT, SIGTERM), as shells report it."""

WORST_FIRST = (INTERNAL_ERROR, BAD_INPUT, REFUSED, MEASURED)


def worst(codes: Iterable[int]) -> int:
    """Return the exit code of a run over several cases: the worst of ``codes``, ``MEASURED`` if there are none."""
    return min(codes, key=WORST_FIRST.index, default=MEASURED)


def of(error: BaseException) -> int:
    """Return the exit code of a case that ended with ``error``."""
    if isinstance(error, OSError) and error.errno in OUTPUT_ERRORS:
        return BAD_INPUT
    return error.exit_code if isinstance(error, MidlineShiftError) else INTERNAL_ERROR
