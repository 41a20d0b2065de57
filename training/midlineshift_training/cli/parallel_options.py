"""Command-line options of commands that spread cases."""

from __future__ import annotations

import click


def parallel_options(function):
    """Add ``--workers`` and ``--cluster``."""
    workers = click.option(
        "--workers", default=1, show_default=True, type=click.IntRange(min=1), help="Processes on this machine."
    )
    cluster = click.option(
        "--cluster",
        metavar="ADDRESS|FILE",
        help="Dask scheduler (tcp://host:8786, or the file it wrote) to spread over instead; needs midlineshift[cluster].",
    )
    return workers(cluster(function))
