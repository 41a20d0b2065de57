"""``midlineshift model``: list, show and import models."""

from __future__ import annotations

import json
from pathlib import Path

import click

from MidlineShiftLogic.cli.paths import PATH

_HELP = {"help_option_names": ["-h", "--help"]}


@click.group(context_settings=_HELP)
def model() -> None:
    """List, inspect and import models. Research use only; not a medical device."""


@model.command("list", context_settings=_HELP)
def list_command() -> None:
    """Print every model that can be given by name: version, speed, and what it is in one line.

    'model show NAME' prints the rest.
    """
    from MidlineShiftLogic.models.locate import ENVIRONMENT_VARIABLE
    from MidlineShiftLogic.models.summary import summaries, table

    found = summaries()
    click.echo(table(found), nl=False)
    if not found:
        click.echo(f"No model is installed by name; set {ENVIRONMENT_VARIABLE} to a folder that holds model folders.")


@model.command("show", context_settings=_HELP)
@click.argument("name", metavar="NAME|DIR", required=False)
def show_command(name: str | None) -> None:
    """Check that a model is whole and print its description as JSON. [default: the shipped model]"""
    from MidlineShiftLogic.models.folder import load_model

    opened = load_model(name)
    click.echo(json.dumps(opened.description.to_json(), indent=2, ensure_ascii=False))


@model.command("import-authors", context_settings=_HELP)
@click.option("--conditional", required=True, type=PATH, help="Denoiser of non-MLS cases (.pt).")
@click.option("--unconditional", required=True, type=PATH, help="Denoiser of all cases (.pt).")
@click.option("--deformation", required=True, type=PATH, help="Deformation network (.pt).")
@click.option("--out", required=True, type=PATH, help="Model folder to write; must not exist yet.")
@click.option(
    "--pixel-mm",
    type=click.FloatRange(0, 5, min_open=True),
    help="Millimetres a pixel of the grid the networks were trained on; their files do not say. "
    "[default: 230.4 / grid, 0.9 at 256 px]",
)
@click.option(
    "--grid",
    type=click.IntRange(32, 1024),
    default=256,
    show_default=True,
    help="Side in px of the slices the networks were trained on.",
)
@click.option(
    "--head-channels",
    type=click.IntRange(1),
    default=64,
    show_default=True,
    help="Channels of an attention head of the denoisers.",
)
@click.option(
    "--pose-from", metavar="NAME|DIR", help="Model whose pose network is taken along. [default: the shipped model]"
)
def import_authors_command(
    conditional: Path,
    unconditional: Path,
    deformation: Path,
    out: Path,
    pixel_mm: float | None,
    grid: int,
    head_channels: int,
    pose_from: str | None,
) -> None:
    """Convert the checkpoints published by Gong et al. 2023 to a model folder.

    Networks of other sizes are recognised by the shapes of their weights. Weights stay in float32.

    Files that hold anything but tensors are refused: nothing in them is run. A file that does not fit is refused with
    the name of the first parameter that differs.
    """
    from MidlineShiftLogic.models import import_authors as importing

    folder = importing.import_authors(
        conditional,
        unconditional,
        deformation,
        out,
        pixel_mm,
        pose_from,
        grid=grid,
        head_channels=head_channels,
    )
    click.echo(f"Wrote {folder}; use it with: midlineshift measure --model {folder} ...")
