"""``midlineshift import-sr``: a structured report of ours back into ``measurement.json``."""

from __future__ import annotations

import warnings
from pathlib import Path

import click

from MidlineShiftLogic.cli import exit_codes


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the result.")
def import_sr(file: Path, out: Path) -> int:
    """Read a DICOM structured report that midlineshift wrote back into OUT/<case>/measurement.json.

    The reader's edits and decision come along. Reports of other programs are refused. An older result of the same case
    is replaced. Exit code: 0 read, 2 not a report of ours or OUT cannot be written.
    """
    from MidlineShiftLogic.cli.reporter import case_line
    from MidlineShiftLogic.reporting.case_folder import clear_leavings, result_parent
    from MidlineShiftLogic.reporting.case_name import case_name
    from MidlineShiftLogic.reporting.dicom import read_report
    from MidlineShiftLogic.reporting.write_case import write_case

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what pydicom says of other programs' spelling is not for the user
        measurement = read_report(file)
    out = result_parent(out)
    clear_leavings(out)
    folder = write_case(out, case_name(measurement.case_id), measurement, None, None)
    click.echo(case_line(measurement, folder, "measurement.json"))
    return exit_codes.MEASURED
