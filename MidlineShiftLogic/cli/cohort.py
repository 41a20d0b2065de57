"""Many cases: each a row of ``results.csv``, those of an earlier run left alone if nothing changed, and a summary."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from MidlineShiftLogic.cli import exit_codes
from MidlineShiftLogic.cli.fingerprint import input_stamp
from MidlineShiftLogic.cli.reporter import Reporter
from MidlineShiftLogic.cli.worklist import Case
from MidlineShiftLogic.measurement.results import Measurement
from MidlineShiftLogic.reporting.cohort_summary import CohortSummary
from MidlineShiftLogic.reporting.results_csv import (
    MEASURED,
    REFUSED,
    CohortTable,
    Row,
    case_cell,
    error_row,
    measured_row,
)

if TYPE_CHECKING:
    from MidlineShiftLogic.cli.measure import Run, Settings

TABLE_FILE = "results.csv"
CODES = {MEASURED: exit_codes.MEASURED, REFUSED: exit_codes.REFUSED}


@dataclass
class Cohort:
    """A run over many cases.

    Attributes:
        table: where the rows go.
        made_with: what is the same for all rows of ``cohort_table.MADE_WITH_COLUMNS``.
        files: what the folder of a measured case holds; of a refused one, those of ``refused_files``.
        summary: what came of the cases so far.
    """

    table: CohortTable
    made_with: dict[str, str]
    files: frozenset[str]
    refused_files: frozenset[str]
    summary: CohortSummary = field(default_factory=CohortSummary)

    def to_do(self, cases: Iterable[Case], out: Path, resume: bool) -> tuple[list[Case], list[int]]:
        """The cases to measure, whose old rows are dropped, and the exit codes of those that need not be.

        With ``resume`` a case is left alone if its row tells of a number or a refusal made with the same software, model,
        options and input as now, and its folder still holds the files. Cases that ended in an error are tried again.
        """
        cases = list(cases)
        names = {case_cell(case.name) for case in cases}
        rows = {row["case"]: row for row in self.table.rows() if row["case"] in names} if resume else {}
        left, codes = [], []
        for case in cases:
            row = rows.get(case_cell(case.name))
            if row is not None and self._current(case, row, out):
                self.summary.add(row, unchanged=True)
                codes.append(CODES[row["status"]])
            else:
                left.append(case)
        self.table.drop(case.name for case in left)
        return left, codes

    def _current(self, case: Case, row: Row, out: Path) -> bool:
        wanted = {MEASURED: self.files, REFUSED: self.refused_files}.get(row["status"])
        return (
            wanted is not None
            and row["source"] == case_cell(str(case.source))
            and all(row[name] == case_cell(value) for name, value in self.made_with_of(case).items())
            and all((out / case.name / name).is_file() for name in wanted)
        )

    def made_with_of(self, case: Case) -> dict[str, str]:
        """Values of ``cohort_table.MADE_WITH_COLUMNS`` for one case as its files are now."""
        options = self.made_with["options"]
        if case.spacing is not None:
            options = f"{options} spacing={','.join(f'{mm:g}' for mm in case.spacing)}".strip()
        return self.made_with | {"options": options, "input_stamp": input_stamp(case.source, case.priors)}


class RecordingReporter:
    """Tells another reporter, and writes each case's row as its result or error comes."""

    def __init__(self, inner: Reporter, cohort: Cohort, cases: Iterable[Case]):
        self._inner = inner
        self._cohort = cohort
        self._cases = {case.name: case for case in cases}
        self._made_with: dict[str, dict[str, str]] = {}

    def start(self, case: str, number: int, of: int) -> None:
        # Before the scan is read: if it changes meanwhile, the next run sees that.
        self._made_with[case] = self._cohort.made_with_of(self._cases[case])
        self._inner.start(case, number, of)

    def progress(self, done: int, total: int, what: str) -> None:
        self._inner.progress(done, total, what)

    def result(self, measurement: Measurement, folder: Path) -> None:
        name = measurement.case_id
        self._record(measured_row(measurement, str(self._cases[name].source), self._made_with.pop(name)))
        self._inner.result(measurement, folder)

    def error(self, case: str, sentence: str, code: str, exit_code: int) -> None:
        known = self._cases.get(case)
        if known is not None:
            made_with = self._made_with.pop(case, None) or self._cohort.made_with_of(known)
            self._record(error_row(case, str(known.source), code, sentence, made_with))
        self._inner.error(case, sentence, code, exit_code)

    def _record(self, row: Row) -> None:
        self._cohort.table.add(row)
        self._cohort.summary.add(row)


def measure_cohort(run: Run, cases: list[Case], workers: int, resume: bool) -> int:
    """Measure the cases of one command; the exit code over all of them, those left alone too.

    Raises:
        InputError: the table in the results' folder is not ours, or there is no such model.
    """
    settings = run.settings
    cohort = open_cohort(settings)
    left, codes = cohort.to_do(cases, settings.out, resume)
    reporter = RecordingReporter(run.reporter, cohort, left)
    try:
        if workers > 1 and len(left) > 1:
            from MidlineShiftLogic.cli.measure import serve
            from MidlineShiftLogic.cli.workers import measure_in_processes

            codes += measure_in_processes(serve, settings, left, workers, reporter, len(cases))
        else:
            here = replace(run, reporter=reporter)
            codes += map(here.measure, left)
    finally:
        # Also of a run that was stopped: what is in the table by now.
        run.reporter.summary(cohort.summary, cohort.table.path, len(cases))
    return exit_codes.worst(codes)


def open_cohort(settings: Settings) -> Cohort:
    """The cohort whose results lie in ``settings.out``; errors as ``measure_cohort``."""
    from MidlineShiftLogic.models.fingerprint import model_identity
    from MidlineShiftLogic.software import package_version

    identity = model_identity(settings.model)
    made_with = {
        "model": identity["name"],
        "model_version": identity["version"],
        "model_digest": identity["digest"],
        "software_version": package_version(),
        "options": "authors-readout" if settings.authors_readout else "",
    }
    asked = {"report.html": settings.report, "report.pdf": settings.pdf, "sr.dcm": settings.dicom}
    refused = frozenset({"measurement.json", *(name for name, wanted in asked.items() if wanted)})
    measured = refused | {"overlay.png", "slices.png"} | ({"fields.npz"} if settings.fields else set())
    return Cohort(CohortTable(settings.out / TABLE_FILE), made_with, measured, refused)
