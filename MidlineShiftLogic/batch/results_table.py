"""Record the cases of a batch in ``results.csv``, and leave unchanged cases of an earlier run alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from MidlineShiftLogic import exit_codes
from MidlineShiftLogic.batch.case import Case
from MidlineShiftLogic.batch.input_fingerprint import input_fingerprint
from MidlineShiftLogic.batch.measure_case import BatchSettings, CaseOutcome
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.measurement.results import Measurement
from MidlineShiftLogic.reporting.case_folder import READERS_WORK, refuse_readers_work
from MidlineShiftLogic.reporting.cohort_summary import CohortSummary
from MidlineShiftLogic.reporting.results_csv import (
    ERROR,
    MADE_WITH_COLUMNS,
    MEASURED,
    REFUSED,
    TABLE_FILE,
    CohortTable,
    Row,
    case_cell,
    error_row,
    measured_row,
)

EXIT_CODES = {MEASURED: exit_codes.MEASURED, REFUSED: exit_codes.REFUSED}


@dataclass
class ResultsTable:
    """Keep the rows of a batch.

    Attributes:
        out: Folder of all results.
        table: Where the rows go.
        made_with: Values of ``results_csv.MADE_WITH_COLUMNS`` that all rows share.
        files: Files that the folder of a measured case must hold; ``refused_files`` those of a refused one.
        summary: What became of the cases so far.
    """

    out: Path
    table: CohortTable
    made_with: dict[str, str]
    files: frozenset[str]
    refused_files: frozenset[str]
    summary: CohortSummary = field(default_factory=CohortSummary)
    _started: dict[str, dict[str, str]] = field(default_factory=dict, repr=False)

    def select_cases(self, cases: Iterable[Case], resume: bool) -> tuple[list[Case], list[int]]:
        """Return the cases to measure, whose old rows are dropped, and the exit codes of the cases left alone.

        With ``resume`` a case is left alone if its row says that it was measured or refused with the same software,
        model, options and input as now, and its folder still holds the files. Cases that ended in an error are tried
        again. The row of a case that a reader corrected or signed stays: measuring will not replace the result either.
        """
        cases = list(cases)
        names = {case_cell(case.name) for case in cases}
        rows = {row["case"]: row for row in self.table.rows() if row["case"] in names} if resume else {}
        left, codes = [], []
        for case in cases:
            row = rows.get(case_cell(case.name))
            if row is not None and self._is_current(case, row):
                self.summary.add(row, unchanged=True)
                codes.append(EXIT_CODES[row["status"]])
            else:
                left.append(case)
        self.table.drop(case.name for case in left if not self._holds_readers_work(case))
        return left, codes

    def adopt_results(self, cases: Iterable[Case]) -> None:
        """Add the rows of results that are there but not in the table, as if they had been made just now."""
        from MidlineShiftLogic.reporting.html import read_result

        known = {row["case"] for row in self.table.rows()}
        for case in cases:
            if case_cell(case.name) in known or not (self.out / case.name / "measurement.json").is_file():
                continue
            try:
                measurement = read_result(self.out / case.name)
            except InputError:
                continue  # damaged: it is measured again
            self.table.add(measured_row(measurement, str(case.source), self._made_with(case)))

    def start(self, case: Case) -> None:
        """Note the state of the input before the scan is read: if it changes meanwhile, the next run sees that."""
        self._started[case.name] = self._made_with(case)

    def record(self, outcome: CaseOutcome) -> None:
        """Write the row of a case."""
        case = outcome.case
        made_with = self._started.pop(case.name, None) or self._made_with(case)
        if outcome.measurement is not None:
            row = measured_row(outcome.measurement, str(case.source), made_with)
        else:
            row = error_row(case.name, str(case.source), outcome.code, outcome.message, made_with)
        self.summary.add(row)
        kept = self._row_of_reader(case) if outcome.code == READERS_WORK else row
        if kept is not None:
            self.table.add(kept)

    def _row_of_reader(self, case: Case) -> Row | None:
        """Return the row of a result that a reader corrected or signed, where the table has none; else None."""
        from MidlineShiftLogic.reporting.html import read_result

        name = case_cell(case.name)
        if any(row["case"] == name and row["status"] != ERROR for row in self.table.rows()):
            return None
        try:
            measurement = read_result(self.out / case.name)
        except InputError:
            return None
        return measured_row(measurement, str(case.source), made_with_of(measurement))

    def _holds_readers_work(self, case: Case) -> bool:
        try:
            refuse_readers_work(self.out / case.name)
        except InputError:
            return True
        return False

    def _is_current(self, case: Case, row: Row) -> bool:
        wanted = {MEASURED: self.files, REFUSED: self.refused_files}.get(row["status"])
        return (
            wanted is not None
            and row["source"] == case_cell(str(case.source))
            and all(row[name] == case_cell(value) for name, value in self._made_with(case).items())
            and all((self.out / case.name / name).is_file() for name in wanted)
        )

    def _made_with(self, case: Case) -> dict[str, str]:
        """Return the values of ``MADE_WITH_COLUMNS`` for one case as its files are now."""
        options = self.made_with["options"]
        if case.spacing is not None:
            options = f"{options} spacing={','.join(f'{mm:g}' for mm in case.spacing)}".strip()
        return self.made_with | {"options": options, "input_stamp": input_fingerprint(case.source, case.priors)}


def made_with_of(measurement: Measurement) -> dict[str, str]:
    """Return what a result itself knows of ``MADE_WITH_COLUMNS``; the other values are empty."""
    known = {
        "model": str(measurement.model.get("name", "")),
        "model_version": str(measurement.model.get("version", "")),
        "software_version": str(measurement.software.get("version", "")),
    }
    return dict.fromkeys(MADE_WITH_COLUMNS, "") | known


def open_results_table(settings: BatchSettings) -> ResultsTable:
    """Open the table of the results in ``settings.out``.

    Raises:
        InputError: The file there is not such a table, or there is no such model.
    """
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
    return ResultsTable(settings.out, CohortTable(settings.out / TABLE_FILE), made_with, measured, refused)
