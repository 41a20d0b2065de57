"""Define ``midlineshift pseudo-healthy``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from MidlineShiftLogic import exit_codes
from MidlineShiftLogic.batch.library_output import suppress_output
from MidlineShiftLogic.batch.pseudo_healthy import PseudoHealthySettings, make_pseudo_healthy_images
from MidlineShiftLogic.cli.case_options import SliceList, Spacing
from MidlineShiftLogic.cli.paths import PATH
from MidlineShiftLogic.cli.progress_output import make_output
from MidlineShiftLogic.errors import MidlineShiftError, format_error
from MidlineShiftLogic.models.locate import MODEL_WITH_DENOISERS
from MidlineShiftLogic.unfinished import remove_if_left_empty


@click.command(name="pseudo-healthy", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True, type=PATH)
@click.option("--out", required=True, type=PATH, help="Folder for the results.")
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
    pseudo-healthy) and pseudo_healthy.npz (the same in HU); a measurement in that folder stays. The image is generated
    by a network, is the same each time, and nothing is measured on it.

    Exit codes as of measure.
    """
    debug = bool((ctx.obj or {}).get("debug"))
    output = make_output(json_lines, quiet, sys.stdout)
    settings = PseudoHealthySettings(out, model, device, slices, spacing, debug)
    with suppress_output(debug), remove_if_left_empty(out):
        try:
            return make_pseudo_healthy_images(settings, inputs, output)
        except MidlineShiftError as error:
            output.error("", format_error(error), error.code, exit_codes.of(error))
            return exit_codes.of(error)
