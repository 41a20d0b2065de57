"""Define the events that a batch reports to its caller."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from MidlineShiftLogic.measurement.results import Measurement
from MidlineShiftLogic.reporting.cohort_summary import CohortSummary


class BatchOutput(Protocol):
    """Receive the events of a batch; ``cli.progress_output`` prints them.

    First ``selected``. For each case: ``start``, ``progress`` any number of times, then ``result`` (a measurement),
    ``healthy`` (a pseudo-healthy image) or ``error``. ``summary`` comes at the end of several cases.
    """

    def selected(self, kept: int, left: int) -> None:
        """Receive how many cases of an earlier run are left alone, and how many are measured now."""

    def start(self, case: str, number: int, of: int) -> None:
        """Receive that a case is begun, the ``number``-th of so many."""

    def progress(self, done: int, total: int, what: str) -> None:
        """Receive how far the case is, and what is done."""

    def result(self, measurement: Measurement, folder: Path) -> None:
        """Receive a case's measurement, or refusal, and the folder that was written."""

    def healthy(self, slices: list[int], model: dict, seconds: float, folder: Path) -> None:
        """Receive that the pseudo-healthy image of these slices was written, by which model and in how many seconds."""

    def error(self, case: str, sentence: str, code: str, exit_code: int) -> None:
        """Receive why a case could not be measured, with the code of the error and the exit code it stands for."""

    def summary(self, summary: CohortSummary, table: Path, of: int) -> None:
        """Receive the sum over all cases, the table of results, and how many cases were selected."""
