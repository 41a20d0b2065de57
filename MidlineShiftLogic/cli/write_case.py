"""Define ``midlineshift write-case``: the files of a case that was edited or reviewed elsewhere."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from MidlineShiftLogic import exit_codes
from MidlineShiftLogic.batch.library_output import suppress_output
from MidlineShiftLogic.cli.paths import PATH
from MidlineShiftLogic.cli.progress_output import make_output
from MidlineShiftLogic.errors import MidlineShiftError, format_error
from MidlineShiftLogic.unfinished import remove_if_left_empty

NOTE_FILE = "write-case.json"
"""Beside the case's folder; says why there are no DICOM objects though images were given."""


@click.command(name="write-case", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("scan", metavar="SCAN", type=PATH)
@click.option("--result", required=True, type=PATH, help="The case's measurement.json, edited and reviewed.")
@click.option("--out", required=True, type=PATH, help="Folder for the results.")
@click.option("--dense", type=PATH, help="Displacement of the case's slice, as the Slicer panel writes it.")
@click.option("--images", type=PATH, help="Text file with the paths of the scan's DICOM images, one a line.")
@click.option("--json-lines", is_flag=True, help="Print JSON lines (status, progress, result, error) for programs.")
@click.option("--quiet", is_flag=True, help="Print errors only; with --json-lines, results and errors.")
@click.pass_context
def write_case(
    ctx: click.Context,
    scan: Path,
    result: Path,
    out: Path,
    dense: Path | None,
    images: Path | None,
    json_lines: bool,
    quiet: bool,
) -> int:
    """Write pictures, tables and reports of a result that exists already; nothing is measured.

    SCAN is the measured scan. The Slicer panel exports with this command.
    """
    output = make_output(json_lines, quiet, sys.stdout)
    with suppress_output(bool((ctx.obj or {}).get("debug"))), remove_if_left_empty(out):
        try:
            _write(scan, result, out, dense, images, output)
        except (MidlineShiftError, OSError) as error:
            output.error("", format_error(error), getattr(error, "code", "out"), exit_codes.of(error))
            return exit_codes.of(error)
    return exit_codes.MEASURED


def _write(scan: Path, result: Path, out: Path, dense: Path | None, images: Path | None, output) -> None:
    from MidlineShiftLogic.headct import read
    from MidlineShiftLogic.reporting.case_folder import case_folder, remove_stale, result_parent
    from MidlineShiftLogic.reporting.case_name import case_name
    from MidlineShiftLogic.reporting.fields_file import read_slice_fields
    from MidlineShiftLogic.reporting.html import read_result
    from MidlineShiftLogic.reporting.write_reviewed import write_reviewed_case

    measurement = read_result(result)
    case, out = case_name(measurement.case_id), result_parent(out)
    remove_stale(out)
    output.start(case, 1, 1)
    ct = read(scan)
    fields = None if dense is None else read_slice_fields(dense)
    files = [] if images is None else [Path(line) for line in images.read_text(encoding="utf-8").splitlines() if line]
    with case_folder(out, case) as folder:
        objection = write_reviewed_case(folder, measurement, ct, fields, files, output.progress)
    (out / NOTE_FILE).write_text(json.dumps({"no_dicom": objection}), encoding="utf-8")
    output.result(measurement, out / case)
