"""``midlineshift report``: a report for people, from a result that is there (also one that a reader edited)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from MidlineShiftLogic.headct.patient import Patient
    from MidlineShiftLogic.measurement.results import Measurement

_PATH = click.Path(path_type=Path)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("case", metavar="CASE", type=_PATH)
@click.option(
    "--prior", "priors", multiple=True, type=_PATH, metavar="CASE",
    help="An earlier result of the same patient, for the course; may be given several times.",
)  # fmt: skip
@click.option(
    "--identify", type=_PATH, metavar="DICOM", help="Put the patient's name of this scan (the one measured) on it."
)
@click.option("--pdf", is_flag=True, help="Also write report.pdf (needs WeasyPrint).")
def report(case: Path, priors: tuple[Path, ...], identify: Path | None, pdf: bool) -> None:
    """Write report.html into the folder of a result.

    CASE is a folder that `midlineshift measure` or the panel wrote, or its measurement.json. The report is one file
    that opens anywhere without network and prints on two pages. Research use only; not a medical device.
    """
    from MidlineShiftLogic.errors import InputError
    from MidlineShiftLogic.reporting.html import read_result, write_report
    from MidlineShiftLogic.reporting.html.pdf import require_pdf
    from MidlineShiftLogic.reporting.html.write import ReportOptions

    if pdf:
        require_pdf()
    measurement = read_result(case)
    options = ReportOptions(
        priors=[read_result(prior) for prior in priors],
        patient=None if identify is None else _patient(identify, measurement),
        pdf=pdf,
    )
    folder = case if case.is_dir() else case.parent
    try:
        written = write_report(folder.resolve(), measurement, options)
    except OSError as error:
        raise InputError(f"The report cannot be written into {folder}: {error.strerror or error}.", "out") from error
    for path in written:
        click.echo(str(folder / path.name))


def _patient(scan: Path, measurement: Measurement) -> Patient:
    """The scan's patient, once it is sure that this scan was measured: a wrong name on a report is worse than none."""
    from MidlineShiftLogic.errors import InputError
    from MidlineShiftLogic.headct import read
    from MidlineShiftLogic.headct.patient import read_patient

    patient = read_patient(scan)
    digest = measurement.input.get("sha256")
    if not digest:
        raise InputError(
            "The result does not say which data it was measured on, so no name can be put on it.", "identify"
        )
    if read(scan).source.get("sha256") != digest:
        raise InputError(
            f"{scan} is not the scan that {measurement.case_id!r} was measured on; give that one, or leave --identify out.",
            "identify",
        )
    return patient
