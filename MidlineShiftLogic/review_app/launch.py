"""Start the web server of a review and keep it until it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import sys
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from MidlineShiftLogic.errors import InputError

if TYPE_CHECKING:
    from aiohttp import web

LOOPBACK = "127.0.0.1"
IDLE_SECONDS = 60.0
"""A connection without a whole request for so long is closed, also one that sends a byte now and then."""


@dataclass(frozen=True)
class ReviewOptions:
    """Hold how a review is served.

    Attributes:
        inputs: Folders of results, or of single cases.
        scans: Where to look for scans that ``results.csv`` does not name.
        reader: Name of the reader; "" asks each page.
        blind: Hide the model's landmarks and numbers.
        host, port: Address to listen on; port 0 takes a free one.
        password: Wanted from every page; must be given for a host other than loopback.
        tls_cert, tls_key: PEM files; must be given for a host other than loopback.
    """

    inputs: tuple[Path, ...]
    scans: tuple[Path, ...] = ()
    reader: str = ""
    blind: bool = False
    host: str = LOOPBACK
    port: int = 0
    password: str = ""
    tls_cert: Path | None = None
    tls_key: Path | None = None


def serve_review(options: ReviewOptions, on_ready: Callable[[str], object]) -> None:
    """Serve a review until the process is asked to stop (SIGINT, SIGTERM).

    Args:
        options: What to review and how.
        on_ready: Called with the address, token included, when pages can be opened.

    Raises:
        InputError: No results, an unsafe address, or a port that is taken.
    """
    if sys.platform.startswith("linux"):
        os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")  # no screen is needed
    from aiohttp import web

    from MidlineShiftLogic.review_app.access import Access, load_token
    from MidlineShiftLogic.review_app.cases import find_cases
    from MidlineShiftLogic.review_app.readings import REVIEWS_FOLDER, remove_unfinished
    from MidlineShiftLogic.review_app.server import ReviewServer
    from MidlineShiftLogic.review_app.worklist import Worklist

    tls = check_address(options)
    cases = find_cases(options.inputs, options.scans)
    token = load_token(cases[0].root / REVIEWS_FOLDER)
    for root in {case.root for case in cases}:
        remove_unfinished(root)
    server = ReviewServer(Worklist(cases), Access(token, options.password), options.reader, options.blind)

    async def run() -> None:
        runner = make_runner(server.application())
        await runner.setup()
        try:
            site = web.TCPSite(runner, options.host, options.port, ssl_context=tls)
            try:
                await site.start()
            except OSError as error:
                raise InputError(
                    f"Cannot listen on {options.host} port {options.port} ({error.strerror or error}); choose another "
                    "--port.",
                    "port",
                ) from error
            port = runner.addresses[0][1]
            on_ready(f"http{'s' if tls else ''}://{shown_host(options.host)}:{port}/?token={token}")
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()

    with contextlib.suppress(web.GracefulExit):
        asyncio.run(run())


def make_runner(application: web.Application) -> web.AppRunner:
    """Return what serves an application: it stops at SIGINT and SIGTERM, and closes slow connections."""
    from aiohttp import web

    return web.AppRunner(application, handle_signals=True, shutdown_timeout=5.0, keepalive_timeout=IDLE_SECONDS)


def check_address(options: ReviewOptions) -> ssl.SSLContext | None:
    """Return the TLS context; None without TLS files.

    Raises:
        InputError: Other machines could reach the review without password and TLS, or a file cannot be used.
    """
    from MidlineShiftLogic.review_app.access import is_loopback

    cert, key = options.tls_cert, options.tls_key
    if not is_loopback(options.host) and not (cert and key and options.password):
        raise InputError(
            f"Other machines reach {options.host}: give --password-file, --tls-cert and --tls-key, or leave --host out.",
            "host",
        )
    if cert is None or key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(cert, key)
    except (OSError, ssl.SSLError) as error:
        raise InputError(
            f"The TLS files cannot be used ({error}); give a certificate and its key as PEM.", "tls"
        ) from error
    return context


def shown_host(host: str) -> str:
    """Return the host of the printed address: of a server that listens on all addresses, this machine's name."""
    with contextlib.suppress(ValueError):
        if ip_address(host).is_unspecified:
            return socket.gethostname()
    return f"[{host}]" if ":" in host else host


def open_browser(address: str) -> None:
    """Open the address in the user's browser."""
    webbrowser.open(address)
