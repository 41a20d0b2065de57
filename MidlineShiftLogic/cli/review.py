"""Define ``midlineshift review``."""

from __future__ import annotations

from pathlib import Path

import click

from MidlineShiftLogic import exit_codes
from MidlineShiftLogic.cli.paths import PATH


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("inputs", metavar="RESULTS_DIR|CASE...", nargs=-1, required=True, type=PATH)
@click.option(
    "--reader", default="", metavar="NAME", help="Your name, as it goes into the results. [default: the page asks]"
)
@click.option("--blind", is_flag=True, help="Hide the model's landmarks and numbers; you place your own.")
@click.option(
    "--scans", multiple=True, type=PATH, metavar="PATH",
    help="Scans that were measured, where results.csv does not name them; repeatable.",
)  # fmt: skip
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="Port. [default: a free one]")
@click.option("--open", "open_page", is_flag=True, help="Open the page in your browser.")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on; others need password and TLS."
)
@click.option("--password-file", type=PATH, help="File whose first line is the password for every page.")
@click.option("--tls-cert", type=PATH, help="Certificate (PEM) for https.")
@click.option("--tls-key", type=PATH, help="Key of --tls-cert (PEM).")
def review(
    inputs: tuple[Path, ...],
    reader: str,
    blind: bool,
    scans: tuple[Path, ...],
    port: int,
    open_page: bool,
    host: str,
    password_file: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
) -> int:
    """Review results in a browser: look, correct landmarks, accept or reject.

    RESULTS_DIR is the --out of a measurement, CASE the folder of one case. The address that is printed holds a secret;
    only who has it can open the page. What a reader does goes into RESULTS_DIR/reviews/NAME, a folder of results; the
    model's results stay as they are. Stop with Ctrl-C. Research use only; not a medical device.
    """
    from MidlineShiftLogic.review_app.launch import ReviewOptions, open_browser, serve_review
    from MidlineShiftLogic.review_app.password import read_password

    options = ReviewOptions(inputs, scans, reader, blind, host, port, read_password(password_file), tls_cert, tls_key)

    def announce(address: str) -> None:
        click.echo(f"Review at {address}\nStop with Ctrl-C.")
        if open_page:
            open_browser(address)

    serve_review(options, announce)
    return exit_codes.MEASURED
