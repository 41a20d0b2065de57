"""``midlineshift model``: list, show and import models."""

from __future__ import annotations

import json
from pathlib import Path

import click

_HELP = {"help_option_names": ["-h", "--help"]}
_FILE = click.Path(path_type=Path)


@click.group(context_settings=_HELP)
def model() -> None:
    """List, inspect and import models. Research use only; not a medical device."""


@model.command("list", context_settings=_HELP)
def list_command() -> None:
    """Print name, version and folder of every model that can be given by name."""
    from MidlineShiftLogic.errors import InputError
    from MidlineShiftLogic.models.folder import read_description
    from MidlineShiftLogic.models.locate import DEFAULT_MODEL, ENVIRONMENT_VARIABLE, list_models

    models = list_models()
    for name, folder in models.items():
        try:
            about = read_description(folder)
            line = f"{name} {about.version}  {about.description}"
        except InputError as error:
            line = f"{name}  (broken: {error})"
        click.echo(line + ("  [default]" if name == DEFAULT_MODEL else ""))
        click.echo(f"    {folder}")
    if not models:
        click.echo(f"No model is installed by name; set {ENVIRONMENT_VARIABLE} to a folder that holds model folders.")


@model.command("show", context_settings=_HELP)
@click.argument("name", metavar="NAME|DIR", required=False)
def show_command(name: str | None) -> None:
    """Check that a model is whole and print its description as JSON. [default: the shipped model]"""
    from MidlineShiftLogic.models.folder import load_model

    opened = load_model(name)
    click.echo(json.dumps(opened.description.to_json(), indent=2, ensure_ascii=False))


@model.command("import-authors", context_settings=_HELP)
@click.option("--conditional", required=True, type=_FILE, help="Denoiser of non-MLS cases (.pt).")
@click.option("--unconditional", required=True, type=_FILE, help="Denoiser of all cases (.pt).")
@click.option("--deformation", required=True, type=_FILE, help="Deformation network (.pt).")
@click.option("--out", required=True, type=_FILE, help="Model folder to write; must not exist yet.")
@click.option(
    "--pixel-mm",
    type=click.FloatRange(0, 5, min_open=True),
    help="Millimetres a pixel of the 256 px grid the networks were trained on; their files do not say. [default: 0.9]",
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
    pose_from: str | None,
) -> None:
    """Convert the checkpoints published by Gong et al. 2023 to a model folder.

    Files that hold anything but tensors are refused: nothing in them is run. A file that does not fit is refused with
    the name of the first parameter that differs.
    """
    from MidlineShiftLogic.models import import_authors as importing

    folder = importing.import_authors(
        conditional, unconditional, deformation, out, pixel_mm or importing.PIXEL_MM, pose_from
    )
    click.echo(f"Wrote {folder}; use it with: midlineshift measure --model {folder} ...")
