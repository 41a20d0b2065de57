"""``midlineshift measure``: scans in; a line, a JSON and two pictures a case out."""

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
from MidlineShiftLogic.cli.explain import explain
from MidlineShiftLogic.cli.reporter import JsonLinesReporter, Reporter, TextReporter
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
    json_lines: bool,
    quiet: bool,
) -> int:
    """Measure the midline shift on head CT scans.

    INPUT is a NIfTI, NRRD, MHA or .npy file or a DICOM folder. For each case OUT/<case>/ gets measurement.json,
    overlay.png (the slice the number was read on) and slices.png (all measured slices).

    Exit code: 0 measured, 2 bad input or usage, 3 read but refused (measurement.json says why), 1 our fault; of
    several cases the worst in the order 1, 2, 3, 0. A failing case does not stop the others.
    """
    debug = bool((ctx.obj or {}).get("debug"))
    reporter: Reporter = JsonLinesReporter(quiet, sys.stdout) if json_lines else TextReporter(quiet)
    with hushed(debug):
        try:
            run = _prepare(inputs, out, model, device, spacing, authors_readout, fields, dicom, reporter)
        except MidlineShiftError as error:
            reporter.error("", explain(error), error.code, exit_codes.of(error))
            return exit_codes.of(error)
        return exit_codes.worst(
            [guarded(functools.partial(_measure_one, run, *case), case[1], reporter, debug) for case in run.cases]
        )


@dataclass(frozen=True)
class Run:
    """What all cases of one command share; ``cases`` are (number from 1, name, input)."""

    cases: list[tuple[int, str, Path]]
    out: Path
    open_model: Callable[[], tuple[Any, str]]
    options: dict[str, Any]
    fields: bool
    dicom: bool
    reporter: Reporter


def _prepare(inputs, out, model, device, spacing, authors_readout, fields, dicom, reporter: Reporter) -> Run:
    """Check what concerns all cases before any is touched; raises MidlineShiftError."""
    from MidlineShiftLogic.device import resolve_device
    from MidlineShiftLogic.presentation.case_folder import clear_leavings, result_parent
    from MidlineShiftLogic.presentation.case_name import case_names

    if dicom:
        from MidlineShiftLogic.dicom_objects import require_highdicom

        require_highdicom()
    resolved = resolve_device(device)
    out = result_parent(out)
    clear_leavings(out)

    @functools.cache
    def open_model():
        from MidlineShiftLogic.models import load_model
        from MidlineShiftLogic.presentation.drawing import load_library

        threading.Thread(target=load_library).start()  # while networks compute, Python's lock is free
        return load_model(model, resolved), resolved

    cases = list(zip(range(1, len(inputs) + 1), case_names(inputs), inputs, strict=True))
    return Run(
        cases, out, open_model, {"spacing": spacing, "authors_readout": authors_readout}, fields, dicom, reporter
    )


def _measure_one(run: Run, number: int, name: str, source: Path) -> int:
    from MidlineShiftLogic.api import measure_case
    from MidlineShiftLogic.presentation.case_folder import refuse_foreign_folder
    from MidlineShiftLogic.presentation.write_case import write_case

    run.reporter.start(name, number, len(run.cases))
    refuse_foreign_folder(run.out / name)
    if run.dicom:
        from MidlineShiftLogic.headct.reader import refuse_other_than_dicom

        refuse_other_than_dicom(source)
    result = measure_case(source, run.open_model, run.reporter.progress, case_id=name, **run.options)
    also = functools.partial(_write_dicom, result) if run.dicom else None
    folder = write_case(run.out, name, result.measurement, result.ct, result.evidence, run.fields, also)
    run.reporter.result(result.measurement, folder)
    return exit_codes.REFUSED if result.measurement.refused else exit_codes.MEASURED


def _write_dicom(result: CaseResult, folder: Path) -> None:
    from MidlineShiftLogic.dicom_objects import write_objects

    write_objects(folder, result.measurement, result.ct, result.evidence)
