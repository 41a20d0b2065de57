"""``midlineshift pacs``: send DICOM files to a PACS, fetch series from it, show the listener's queue."""

from __future__ import annotations

from pathlib import Path

import click

from MidlineShiftLogic import exit_codes
from MidlineShiftLogic.cli.pacs_options import FILE, HELP, aet_option, open_archive, open_sender, tls_options
from MidlineShiftLogic.text import clean_text, counted


@click.group(context_settings=HELP)
def pacs() -> None:
    """Send to a PACS, fetch from it, show the listener's queue. Research use only; not a medical device.

    A PACS is AET@HOST:PORT (DICOM) or the http(s) address of its DICOMweb root.
    """


@pacs.command(context_settings=HELP)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=FILE)
@click.option("--to", required=True, metavar="PACS", help="AET@HOST:PORT or http(s)://...")
@aet_option
@tls_options
def push(paths, to, aet, tls_cert, tls_key, tls_ca) -> int:
    """Send DICOM files, such as a result's sr.dcm and capture/, or folders of them.

    Each file is sent as it is. Exit code: 0 all files were stored; 2 not all, with a sentence that states how many.
    """
    from MidlineShiftLogic.errors import InputError
    from MidlineShiftLogic.pacs.access_control import TlsFiles
    from MidlineShiftLogic.pacs.dicom_files import find_dicom_files
    from MidlineShiftLogic.pacs.targets import PacsError, parse_target

    sender = open_sender(to, aet, TlsFiles(tls_cert, tls_key, tls_ca))
    files = list(find_dicom_files(paths))
    if not files:
        raise InputError("The given paths hold no DICOM files; give DICOM files, or folders with some.", "no-dicom")
    done = 0

    def send_rest() -> None:
        nonlocal done
        for _ in sender.send(files[done:]):
            done += 1

    try:
        _retries().run(send_rest)
    except PacsError as error:
        raise PacsError(f"{error} {done} of {len(files)} files were sent before that.", error.code) from error
    click.echo(f"{counted(done, 'object')} sent to {parse_target(to)}")
    return exit_codes.MEASURED


@pacs.command(context_settings=HELP)
@click.option("--from", "source", required=True, metavar="PACS", help="AET@HOST:PORT or http(s)://...")
@click.option("--study", default="", metavar="UID", help="Study Instance UID.")
@click.option("--accession", default="", help="Accession number.")
@click.option("--patient-id", default="", help="Patient ID.")
@click.option("--date", default="", metavar="YYYYMMDD[-YYYYMMDD]", help="Study date, or first and last.")
@click.option("--series", default="", metavar="UID", help="Only this series.")
@click.option("--modality", default="CT", show_default=True, help="Only series of this modality; '' takes all.")
@click.option("--out", type=FILE, help="Folder that gets a folder a series.")
@click.option("--list", "only_list", is_flag=True, help="Print what is found, fetch nothing.")
@aet_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address on which C-MOVE is received.")
@click.option("--port", default=11113, show_default=True, type=click.IntRange(0, 65535), help="Port of it.")
@tls_options
def pull(
    source,
    study,
    accession,
    patient_id,
    date,
    series,
    modality,
    out,
    only_list,
    aet,
    host,
    port,
    tls_cert,
    tls_key,
    tls_ca,
) -> int:
    """Fetch the CT series of a study: QIDO-RS and WADO-RS, or C-FIND and C-MOVE.

    For C-MOVE the PACS must know our --aet with --host and --port. OUT/<series>/ appears only when complete.
    """
    from MidlineShiftLogic.errors import InputError
    from MidlineShiftLogic.pacs.access_control import TlsFiles
    from MidlineShiftLogic.pacs.exchange import SeriesQuery, fetch_series

    query = SeriesQuery(study, accession, patient_id, date, series, modality)
    query.validate()
    if out is None and not only_list:
        raise InputError("Give --out for a folder to fetch into, or --list to see what there is.", "usage")
    archive = open_archive(source, aet, (host, port), TlsFiles(tls_cert, tls_key, tls_ca))
    retries = _retries()
    found = retries.run(lambda: archive.find(query))
    if not found:
        raise InputError("The PACS has no such series; check the study and the modality.", "pacs-nothing")
    if only_list:
        for one in found:
            click.echo(clean_text(_line(one), keep_spaces=True))
        return exit_codes.MEASURED
    fetch_series(archive, found, out, lambda one, what: click.echo(what), retries)
    return exit_codes.MEASURED


@pacs.command(context_settings=HELP)
@click.argument("spool", type=FILE)
@click.option("--retry", type=int, metavar="JOB", help="Try this failed job again.")
@click.option(
    "--drop", type=int, metavar="JOB", help="Forget this job and delete its images; the listener must be stopped."
)
@click.option("--uids", is_flag=True, help="Also print the Series Instance UIDs, to find the series in the PACS.")
def queue(spool: Path, retry: int | None, drop: int | None, uids: bool) -> int:
    """Show the jobs of the listener's queue in SPOOL, retry a failed one, or drop one."""
    from MidlineShiftLogic.pacs import queue_admin

    if retry is not None:
        queue_admin.retry(spool, retry)
    if drop is not None:
        queue_admin.drop(spool, drop)
    for line in queue_admin.list_jobs(spool, uids):
        click.echo(line)
    return exit_codes.MEASURED


def _retries():
    from MidlineShiftLogic.pacs.retries import WAITS, Retries

    return Retries(WAITS, lambda sentence: click.echo(sentence, err=True))


def _line(one) -> str:
    images = "? images" if one.images is None else counted(one.images, "image")
    return f"{one.date}  {one.modality}  series {one.number}  {images}  {one.description}  {one.study}  {one.series}"
