"""``midlineshift measure``: scans in; a line, a JSON and two pictures a case out, and a table of many cases."""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from MidlineShiftLogic.cli import exit_codes
from MidlineShiftLogic.cli.cases import Spacing, guarded, hushed
from MidlineShiftLogic.cli.format_error import explain
from MidlineShiftLogic.cli.reporter import JsonLinesReporter, Reporter, TextReporter
from MidlineShiftLogic.cli.worklist import Case, bad_input, cases_of
from MidlineShiftLogic.errors import MidlineShiftError

if TYPE_CHECKING:
    from MidlineShiftLogic.api import CaseResult


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the results.")
@click.option(
    "--model", metavar="NAME|DIR", help="A shipped model's name or a model folder. [default: the shipped one]"
)
@click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda[:N]|mps", help="Where to compute.")
@click.option("--spacing", type=Spacing(), help="Millimetres between slices, rows, columns; needed for .npy.")
@click.option("--authors-readout", is_flag=True, help="Also report the read-out of Gong et al. 2023.")
@click.option("--fields", is_flag=True, help="Also write fields.npz: displacement and scan set back to normal.")
@click.option("--dicom", is_flag=True, help="Also write sr.dcm (structured report) and capture/; DICOM input only.")
@click.option("--report", is_flag=True, help="Also write report.html, for people.")
@click.option("--pdf", is_flag=True, help="Also write report.pdf (needs WeasyPrint); implies --report.")
@click.option("--identify", is_flag=True, help="Put the patient's name on the report (DICOM input only).")
@click.option(
    "--workers", type=click.IntRange(1, 256), default=1, show_default=True, metavar="N", help="Measure in N processes."
)
@click.option("--resume", is_flag=True, help="Leave cases alone that OUT/results.csv holds and that did not change.")
@click.option("--json-lines", is_flag=True, help="Print JSON lines (status, progress, result, error) for programs.")
@click.option("--quiet", is_flag=True, help="Print errors only; with --json-lines, results and errors.")
@click.pass_context
def measure(
    ctx: click.Context,
    inputs: tuple[Path, ...],
    out: Path,
    model: str | None,
    device: str,
    spacing: tuple[float, float, float] | None,
    authors_readout: bool,
    fields: bool,
    dicom: bool,
    report: bool,
    pdf: bool,
    identify: bool,
    workers: int,
    resume: bool,
    json_lines: bool,
    quiet: bool,
) -> int:
    """Measure the midline shift on head CT scans.

    INPUT is a NIfTI, NRRD, MHA or .npy file, a DICOM folder, a folder tree of such, or a CSV list with a column
    'path'. For each case OUT/<case>/ gets measurement.json, overlay.png (the slice the number was read on) and
    slices.png (all measured slices); of several cases OUT/results.csv has a row each.

    Exit code: 0 measured, 2 bad input or usage, 3 read but refused (measurement.json says why), 1 our fault; of
    several cases the worst in the order 1, 2, 3, 0. A failing case does not stop the others.
    """
    if identify and not (report or pdf):
        raise click.UsageError("--identify is of a report; add --report or --pdf.")
    debug = bool((ctx.obj or {}).get("debug"))
    reporter: Reporter = JsonLinesReporter(quiet, sys.stdout) if json_lines else TextReporter(quiet)
    with hushed(debug):
        try:
            settings = Settings(out, model, device, authors_readout, fields, dicom, report or pdf, pdf, identify, debug)
            cases = cases_of(inputs, spacing, out, reporter.progress)
            run = _prepare(settings, len(cases), reporter)
            from MidlineShiftLogic.cli.cohort import TABLE_FILE, measure_cohort

            # A case that has a row already must not differ from it.
            if len(cases) > 1 or resume or (out / TABLE_FILE).exists():
                return measure_cohort(run, cases, workers, resume)
        except MidlineShiftError as error:
            reporter.error("", explain(error), error.code, exit_codes.of(error))
            return exit_codes.of(error)
        return exit_codes.worst(run.measure(case) for case in cases)


@dataclass(frozen=True)
class Settings:
    """What is asked for all cases of one command; can be sent to another process."""

    out: Path
    model: str | None
    device: str
    authors_readout: bool
    fields: bool
    dicom: bool
    report: bool
    pdf: bool
    identify: bool
    debug: bool


@dataclass(frozen=True)
class Run:
    """What all cases of one command share in one process; ``count`` is their number."""

    settings: Settings
    count: int
    open_model: Callable[[], tuple[Any, str]]
    reporter: Reporter

    def measure(self, case: Case) -> int:
        """One case's exit code, whatever happens in it: the other cases go on."""
        work = functools.partial(_measure_one, self, case)
        return guarded(work, case.name, self.reporter, self.settings.debug)


def _prepare(settings: Settings, count: int, reporter: Reporter) -> Run:
    """Check what concerns all cases before any is touched; raises MidlineShiftError."""
    from MidlineShiftLogic.reporting.case_folder import clear_leavings, result_parent

    run = open_run(settings, count, reporter)
    if settings.dicom:
        from MidlineShiftLogic.reporting.dicom import require_highdicom

        require_highdicom()
    if settings.pdf:
        from MidlineShiftLogic.reporting.html.pdf import require_pdf

        require_pdf()
    clear_leavings(result_parent(settings.out))
    return run


def open_run(settings: Settings, count: int, reporter: Reporter) -> Run:
    """What measures the cases in this process. InputError for an unknown device."""
    from MidlineShiftLogic.device import resolve_device

    resolved = resolve_device(settings.device)

    @functools.cache
    def open_model():
        from MidlineShiftLogic.models import load_model
        from MidlineShiftLogic.reporting.drawing import load_library

        threading.Thread(target=load_library).start()  # while networks compute, Python's lock is free
        return load_model(settings.model, resolved), resolved

    return Run(settings, count, open_model, reporter)


def serve(settings: Settings, reporter: Reporter) -> Callable[[Case], int]:
    """What measures a case in a worker's process (``cli.workers``)."""
    run = open_run(settings, 0, reporter)

    def measure_quietly(case: Case) -> int:
        with hushed(settings.debug):
            return run.measure(case)

    return measure_quietly


def _measure_one(run: Run, case: Case) -> int:
    from MidlineShiftLogic.api import measure_case
    from MidlineShiftLogic.reporting.case_folder import refuse_foreign_folder, refuse_readers_work
    from MidlineShiftLogic.reporting.write_case import write_case

    settings = run.settings
    run.reporter.start(case.name, case.number, run.count)
    bad_input(case)
    refuse_foreign_folder(settings.out / case.name)
    refuse_readers_work(settings.out / case.name)
    if settings.dicom:
        from MidlineShiftLogic.headct.load import refuse_other_than_dicom

        refuse_other_than_dicom(case.source)
    writers = [_report_writer(settings, case)] if settings.report else []
    writers += [_write_dicom] if settings.dicom else []
    options = {"spacing": case.spacing, "authors_readout": settings.authors_readout}
    result = measure_case(case.source, run.open_model, run.reporter.progress, case_id=case.name, **options)

    def also(folder: Path) -> None:
        for write in writers:
            write(result, folder)

    folder = write_case(settings.out, case.name, result.measurement, result.ct, result.dense, settings.fields, also)
    run.reporter.result(result.measurement, folder)
    return exit_codes.REFUSED if result.measurement.refused else exit_codes.MEASURED


def _write_dicom(result: CaseResult, folder: Path) -> None:
    from MidlineShiftLogic.reporting.dicom import write_objects

    write_objects(folder, result.measurement, result.ct, result.dense)


def _report_writer(settings: Settings, case: Case) -> Callable[[CaseResult, Path], object]:
    """What writes the case's report; its priors and the patient are read before anything is measured."""
    from MidlineShiftLogic.reporting.html import read_result, write_report
    from MidlineShiftLogic.reporting.html.write import ReportOptions

    patient = None
    if settings.identify:
        from MidlineShiftLogic.headct.patient import read_patient

        patient = read_patient(case.source)
    priors = [read_result(prior) for prior in case.priors]
    folders = [] if settings.model is None else [Path(settings.model)]
    options = ReportOptions(priors, patient, settings.pdf, folders)
    return lambda result, folder: write_report(folder, result.measurement, options)
