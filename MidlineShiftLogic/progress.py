"""Report the progress of long work: one callback type for the command line, the panel and Python."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int, str], None]
"""``progress(done, total, what)``: ``done`` of ``total`` steps of ``what`` (a few words for the user) are finished."""

Cancelled = Callable[[], bool]
"""Asked between slices; True stops the work (``MidlineShiftLogic.errors.Cancelled`` is raised)."""


def silent(done: int, total: int, what: str) -> None:
    """Take no notice of progress."""
