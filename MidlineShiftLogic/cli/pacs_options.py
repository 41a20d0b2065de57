"""Options that the commands talking to a PACS share."""

from __future__ import annotations

from pathlib import Path

import click

HELP = {"help_option_names": ["-h", "--help"]}
FILE = click.Path(path_type=Path)


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
