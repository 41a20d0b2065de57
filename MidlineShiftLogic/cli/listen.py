"""``midlineshift listen``: receive head CT by C-STORE, measure it, send the results on."""

from __future__ import annotations

import signal
import sys
import threading
from ipaddress import ip_address

import click

from MidlineShiftLogic import exit_codes
from MidlineShiftLogic.cli.pacs_options import FILE, HELP, aet_option, open_sender, tls_options

GIGA, MEGA = 1_000_000_000, 1_000_000


@click.command(context_settings=HELP)
@click.option("--spool", required=True, type=FILE, help="Folder for the queue; holds patients' images.")
@click.option("--to", required=True, metavar="PACS", help="Where results go: AET@HOST:PORT or http(s)://...")
@click.option(
    "--allow", required=True, multiple=True, metavar="AET[@ADDRESS]", help="A sender that is accepted; repeatable."
)
@aet_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=11112, show_default=True, type=click.IntRange(0, 65535), help="Port; 0 takes a free one."
)
@click.option("--model", metavar="NAME|DIR", help="As for measure. [default: the shipped one]")
@click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda[:N]|mps", help="Where to compute.")
@click.option("--quiet-seconds", default=30.0, show_default=True, type=click.FloatRange(0), help="A series without a new "
              "image for so long, and no open transfer, is finished.")  # fmt: skip
@click.option("--give-up-minutes", default=30.0, show_default=True, type=click.FloatRange(0), help="A broken transfer "
              "that is not taken up again for so long is refused.")  # fmt: skip
@click.option(
    "--measure-minutes", default=30.0, show_default=True, type=click.FloatRange(0.1), help="Longest a case may take."
)
@click.option("--keep-days", default=7.0, show_default=True, type=click.FloatRange(0), help="How long images of "
              "incomplete series stay.")  # fmt: skip
@click.option("--keep-refused", is_flag=True, help="Keep the images of all refused series so long.")
@click.option("--send-refusals", is_flag=True, help="Also send the report of a head CT that could not be measured.")
@click.option("--max-spool-gb", default=20.0, show_default=True, type=click.FloatRange(0), help="Refuse images beyond.")
@click.option("--min-free-gb", default=1.0, show_default=True, type=click.FloatRange(0), help="Disk space left alone.")
@click.option("--max-image-mb", default=256.0, show_default=True, type=click.FloatRange(0), help="Largest object.")
@click.option("--max-images", default=5000, show_default=True, type=click.IntRange(1), help="Most images of a series.")
@click.option("--max-associations", default=8, show_default=True, type=click.IntRange(1), help="Most senders at once.")
@click.option("--log", type=FILE, help="File for the log, turned over at 5 MB. [default: standard error]")
@tls_options
def listen(
    spool, to, allow, aet, host, port, model, device, quiet_seconds, give_up_minutes, measure_minutes, keep_days,
    keep_refused, send_refusals, max_spool_gb, min_free_gb, max_image_mb, max_images, max_associations, log,
    tls_cert, tls_key, tls_ca,
) -> int:  # fmt: skip
    """Measure every finished axial head CT series that is sent here, and send structured report and captures on.

    The queue in --spool survives kills and restarts of both sides. Ctrl-C or SIGTERM stops cleanly (exit code 0). DICOM
    has no passwords: listen on another address than loopback only in a network you trust (docs/how-to/pacs.md).
    """
    import pynetdicom  # noqa: F401  report at once where it is missing

    from MidlineShiftLogic.device import resolve_device
    from MidlineShiftLogic.pacs import listener
    from MidlineShiftLogic.pacs.access_control import TlsFiles, parse_allowed_sender
    from MidlineShiftLogic.pacs.log import start_log
    from MidlineShiftLogic.pacs.measuring import ChildMeasurer
    from MidlineShiftLogic.pacs.receiver import Limits
    from MidlineShiftLogic.pacs.spool import Spool
    from MidlineShiftLogic.pacs.targets import parse_aet
    from MidlineShiftLogic.pacs.worker import Rules
    from MidlineShiftLogic.reporting.dicom import require_highdicom

    require_highdicom()
    if device not in ("auto", "cpu"):
        resolve_device(device)  # imports torch, which the listener itself does not need
    tls = TlsFiles(tls_cert, tls_key, tls_ca)
    service = listener.Service(
        aet=parse_aet(aet),
        host=host,
        port=port,
        allowed=tuple(parse_allowed_sender(text) for text in allow),
        limits=Limits(int(max_image_mb * MEGA), max_images, max_associations),
        tls=tls,
    )
    sender = open_sender(to, service.aet, tls)
    measurer = ChildMeasurer(model, device, measure_minutes * 60)
    rules = Rules(quiet_seconds, give_up_minutes * 60, keep_days, keep_refused, send_refusals)
    folder = Spool(spool, int(max_spool_gb * GIGA), int(min_free_gb * GIGA))
    if not (tls or _is_loopback(host)):
        click.echo(f"Warning: {host} is not loopback: anybody who reaches it can claim an allowed AE title.", err=True)
    start_log(log)
    stop = threading.Event()
    for wanted in (signal.SIGINT, signal.SIGTERM):
        signal.signal(wanted, lambda *_: stop.set())
    listener.listen(service, folder, measurer, sender, stop, rules, ready=_report_ready)
    return exit_codes.MEASURED


def _report_ready(port: int) -> None:
    # A program that started the listener waits for this line.
    click.echo(f"listening on port {port}")
    sys.stdout.flush()


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
