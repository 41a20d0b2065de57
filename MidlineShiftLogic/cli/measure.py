"""Define ``midlineshift measure``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from MidlineShiftLogic import exit_codes
from MidlineShiftLogic.batch.library_output import suppress_output
from MidlineShiftLogic.batch.measure_batch import measure_batch
from MidlineShiftLogic.batch.measure_case import BatchSettings
from MidlineShiftLogic.batch.work_list import list_cases
from MidlineShiftLogic.cli.case_options import Spacing
from MidlineShiftLogic.cli.paths import PATH
from MidlineShiftLogic.cli.progress_output import make_output
from MidlineShiftLogic.errors import MidlineShiftError, format_error
from MidlineShiftLogic.unfinished import remove_if_left_empty


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True, type=PATH)
@click.option("--out", required=True, type=PATH, help="Folder for the results.")
@click.option(
    "--model", metavar="NAME|DIR", help="A shipped model's name or a model folder. [default: the shipped one]"
)
@click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda[:N]|mps", help="Where to compute.")
@click.option("--spacing", type=Spacing(), help="Millimetres between slices, rows, columns; needed for .npy.")
@click.option(
    "--authors-readout", is_flag=True, help="Also report the largest displacement, the number of Gong et al. 2023."
)
@click.option("--fields", is_flag=True, help="Also write fields.npz: displacement and scan warped back to normal.")
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

    Exit code: 0 measured, 2 bad input or usage, 3 read but refused (measurement.json says why), 1 internal error; of
    several cases the worst in the order 1, 2, 3, 0. A failing case does not stop the others.
    """
    if identify and not (report or pdf):
        raise click.UsageError("--identify is of a report; add --report or --pdf.")
    debug = bool((ctx.obj or {}).get("debug"))
    output = make_output(json_lines, quiet, sys.stdout)
    settings = BatchSettings(out, model, device, authors_readout, fields, dicom, report or pdf, pdf, identify, debug)
    with suppress_output(debug), remove_if_left_empty(out):
        try:
            cases = list_cases(inputs, spacing, out, output.progress)
            return measure_batch(settings, cases, output, workers=workers, resume=resume)
        except MidlineShiftError as error:
            output.error("", format_error(error), error.code, exit_codes.of(error))
            return exit_codes.of(error)
