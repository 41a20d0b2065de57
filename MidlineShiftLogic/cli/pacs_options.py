"""Options that the commands talking to a PACS share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from MidlineShiftLogic.cli.paths import PATH

if TYPE_CHECKING:
    from MidlineShiftLogic.pacs.access_control import TlsFiles
    from MidlineShiftLogic.pacs.exchange import Archive, Sender

HELP = {"help_option_names": ["-h", "--help"]}
FILE = PATH


def tls_options(command):
    """``--tls-cert``, ``--tls-key``, ``--tls-ca``: paths, None where not given."""
    command = click.option("--tls-ca", type=FILE, help="Authority (PEM) that the other side's certificate must be of.")(
        command
    )
    command = click.option("--tls-key", type=FILE, help="Key of --tls-cert (PEM).")(command)
    return click.option("--tls-cert", type=FILE, help="Our certificate (PEM): DICOM over TLS.")(command)


def aet_option(command):
    """``--aet``: our own AE title."""
    return click.option("--aet", default="MIDLINESHIFT", show_default=True, help="Our own AE title.")(command)


def open_sender(to: str, own_aet: str, tls: TlsFiles) -> Sender:
    """Return the sender for a target, by whichever protocol it uses.

    Args:
        to: ``AET@HOST:PORT``, or the http(s) address of a DICOMweb root.
        own_aet: our AE title; DICOMweb has none.
        tls: certificates. Without any: plain DICOM, or https with the system's authorities.

    Raises:
        InputError: not a target, not an AE title, or TLS files that cannot be used.
    """
    from MidlineShiftLogic.pacs.access_control import client_context
    from MidlineShiftLogic.pacs.targets import DicomTarget, parse_aet, parse_target

    target, own_aet = parse_target(to), parse_aet(own_aet)
    if isinstance(target, DicomTarget):
        from MidlineShiftLogic.pacs.dimse import DimseSender

        return DimseSender(target, own_aet, client_context(tls))
    from MidlineShiftLogic.pacs.dicomweb import WebSender, open_client

    return WebSender(target, open_client(target, tls))


def open_archive(source: str, own_aet: str, own_address: tuple[str, int], tls: TlsFiles) -> Archive:
    """Return the archive behind a target, by whichever protocol it uses.

    Args:
        source: ``AET@HOST:PORT``, or the http(s) address of a DICOMweb root.
        own_aet: our AE title. own_address: host and port at which C-MOVE delivers to us. DICOMweb needs neither.
        tls: certificates, as for ``open_sender``; with a certificate of ours, C-MOVE is received over TLS too.

    Raises:
        InputError: as ``open_sender``.
    """
    from MidlineShiftLogic.pacs.access_control import client_context, server_context
    from MidlineShiftLogic.pacs.targets import WebTarget, parse_aet, parse_target

    target = parse_target(source)
    if isinstance(target, WebTarget):
        from MidlineShiftLogic.pacs.dicomweb import WebArchive, open_client

        return WebArchive(target, open_client(target, tls))
    from MidlineShiftLogic.pacs.dimse_query import DimseArchive

    receiving = server_context(tls) if tls.certificate else None
    return DimseArchive(target, parse_aet(own_aet), own_address, client_context(tls), receiving)
