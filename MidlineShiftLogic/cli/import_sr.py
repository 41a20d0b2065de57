"""Define ``midlineshift import-sr``: a structured report written by midlineshift back into ``measurement.json``."""

from __future__ import annotations

import warnings
from pathlib import Path

import click

from MidlineShiftLogic import exit_codes
from MidlineShiftLogic.cli.paths import PATH
from MidlineShiftLogic.unfinished import remove_if_left_empty


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("file", metavar="FILE", type=PATH)
@click.option("--out", required=True, type=PATH, help="Folder for the result.")
def import_sr(file: Path, out: Path) -> int:
    """Read a DICOM structured report that midlineshift wrote back into OUT/<case>/measurement.json.

    The reader's edits and decision come along. Reports of other programs are refused. An older result of the same case
    is replaced. Exit code: 0 read, 2 not a report of midlineshift or OUT cannot be written.
    """
    from MidlineShiftLogic.reporting.case_folder import remove_stale, result_parent
    from MidlineShiftLogic.reporting.case_name import case_name
    from MidlineShiftLogic.reporting.dicom import read_report
    from MidlineShiftLogic.reporting.formatting import case_line
    from MidlineShiftLogic.reporting.write_case import write_case

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's remarks on other programs' spelling are not for the user
        measurement = read_report(file)
    with remove_if_left_empty(out):
        out = result_parent(out)
        remove_stale(out)
        folder = write_case(out, case_name(measurement.case_id), measurement, None, None)
    click.echo(case_line(measurement, folder, "measurement.json"))
    return exit_codes.MEASURED
