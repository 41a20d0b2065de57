"""``midlineshift pseudo-healthy``: scans in; what the model takes for the unshifted head out."""

from __future__ import annotations

import functools
import sys
import time
from pathlib import Path

import click

from MidlineShiftLogic.cli import exit_codes
from MidlineShiftLogic.cli.cases import SliceList, Spacing, guarded, hushed
from MidlineShiftLogic.cli.format_error import explain
from MidlineShiftLogic.cli.reporter import JsonLinesReporter, Reporter, TextReporter
from MidlineShiftLogic.errors import MidlineShiftError
from MidlineShiftLogic.models.locate import MODEL_WITH_DENOISERS


@click.command(name="pseudo-healthy", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the results.")
@click.option(
    "--slices", type=SliceList(), help="Such as 14 or 10-18 or 3,10-18, 0 the lowest. [default: those of a measurement]"
)
@click.option(
    "--model", metavar="NAME|DIR", default=MODEL_WITH_DENOISERS, show_default=True, help="A model that has denoisers."
)
@click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda[:N]|mps", help="Where to compute.")
@click.option("--spacing", type=Spacing(), help="Millimetres between slices, rows, columns; needed for .npy.")
@click.option("--json-lines", is_flag=True, help="Print JSON lines (status, progress, result, error) for programs.")
@click.option("--quiet", is_flag=True, help="Print errors only; with --json-lines, results and errors.")
@click.pass_context
def pseudo_healthy(
    ctx: click.Context,
    inputs: tuple[Path, ...],
    out: Path,
    slices: tuple[int, ...] | None,
    model: str,
    device: str,
    spacing: tuple[float, float, float] | None,
    json_lines: bool,
    quiet: bool,
) -> int:
    """Show what a model with denoisers takes the head to look like without the shift.

    INPUT is what midlineshift measure takes. For each case OUT/<case>/ gets pseudo_healthy.png (each slice as scanned and
    pseudo-healthy) and pseudo_healthy.npz (the same in HU); a measurement that lies there stays. The image is painted by
    a network, is the same each time, and nothing is measured on it.

    Exit codes as of measure.
    """
    debug = bool((ctx.obj or {}).get("debug"))
    reporter: Reporter = JsonLinesReporter(quiet, sys.stdout) if json_lines else TextReporter(quiet)
    with hushed(debug):
        try:
            work = _prepare(out, slices, model, device, spacing, reporter)
            from MidlineShiftLogic.reporting.case_name import case_names

            cases = list(zip(range(1, len(inputs) + 1), case_names(inputs), inputs, strict=True))
        except MidlineShiftError as error:
            reporter.error("", explain(error), error.code, exit_codes.of(error))
            return exit_codes.of(error)
        return exit_codes.worst(
            [guarded(functools.partial(work, *case, len(cases)), case[1], reporter, debug) for case in cases]
        )


def _prepare(out: Path, slices, model: str, device: str, spacing, reporter: Reporter):
    """Check what concerns all cases; the function that works on one. Raises MidlineShiftError."""
    from MidlineShiftLogic.device import resolve_device
    from MidlineShiftLogic.models import load_model
    from MidlineShiftLogic.models.folder import check_denoisers
    from MidlineShiftLogic.reporting.case_folder import clear_leavings, result_parent

    resolved = resolve_device(device)
    opened = load_model(model, resolved)
    check_denoisers(opened)
    out = result_parent(out)
    clear_leavings(out)

    def work(number: int, name: str, source: Path, of: int) -> int:
        from MidlineShiftLogic.api import pseudo_healthy_case
        from MidlineShiftLogic.reporting.case_folder import refuse_foreign_folder
        from MidlineShiftLogic.reporting.healthy_files import write_healthy_case

        started = time.perf_counter()
        reporter.start(name, number, of)
        refuse_foreign_folder(out / name)
        ct, healthy = pseudo_healthy_case(source, opened, resolved, reporter.progress, slices=slices, spacing=spacing)
        folder = write_healthy_case(out, name, ct, healthy)
        told = {key: healthy.model[key] for key in ("name", "version")}
        reporter.healthy(healthy.slices.tolist(), told, time.perf_counter() - started, folder)
        return exit_codes.MEASURED

    return work
