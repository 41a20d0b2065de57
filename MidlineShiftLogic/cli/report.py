"""Define ``midlineshift report``: a report for people from an existing result, also one that a reader edited."""

from __future__ import annotations

import os
from pathlib import Path

import click

from MidlineShiftLogic.cli.paths import PATH


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("case", metavar="CASE", type=PATH)
@click.option(
    "--prior", "priors", multiple=True, type=PATH, metavar="CASE",
    help="An earlier result of the same patient, for the timeline; may be given several times.",
)  # fmt: skip
@click.option(
    "--identify", type=PATH, metavar="DICOM", help="Put the patient's name of this scan (the one measured) on it."
)
@click.option("--pdf", is_flag=True, help="Also write report.pdf (needs WeasyPrint).")
def report(case: Path, priors: tuple[Path, ...], identify: Path | None, pdf: bool) -> None:
    """Write report.html into the folder of a result.

    CASE is a folder that `midlineshift measure` or the panel wrote, or its measurement.json. The report is one file
    that opens anywhere without network and prints on two pages. Research use only; not a medical device.
    """
    from MidlineShiftLogic.errors import OUTPUT_ERRORS, InputError
    from MidlineShiftLogic.reporting.html import read_result, write_report
    from MidlineShiftLogic.reporting.html.pdf import require_pdf
    from MidlineShiftLogic.reporting.html.verified_patient import read_verified_patient
    from MidlineShiftLogic.reporting.html.write import ReportOptions

    if pdf:
        require_pdf()
    measurement = read_result(case)
    options = ReportOptions(
        priors=[read_result(prior) for prior in priors],
        patient=None if identify is None else read_verified_patient(identify, measurement),
        pdf=pdf,
    )
    folder = case if os.path.isdir(case) else case.parent
    try:
        written = write_report(folder.resolve(), measurement, options)
    except OSError as error:
        if error.errno in OUTPUT_ERRORS:
            raise
        raise InputError(f"The report cannot be written into {folder}: {error.strerror or error}.", "out") from error
    for path in written:
        click.echo(str(folder / path.name))
