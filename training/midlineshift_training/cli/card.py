"""``midlineshift-train card``: the model's README and the accuracy in ``model.json``, from what was measured."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option("--model", required=True, type=click.Path(path_type=Path), help="Model folder to describe.")
@click.option("--run", "runs", multiple=True, required=True, help="component=run folder; once for every network.")
@click.option(
    "--evaluation", required=True, type=click.Path(path_type=Path), help="Folder that evaluate wrote for this model."
)
def card(model: Path, runs: tuple[str, ...], evaluation: Path) -> None:
    """Write README.md with its figures, and the accuracy, into a model folder, from its runs and its evaluation."""
    from midlineshift_training.export.model_card import write_card

    given = {}
    for item in runs:
        name, equals, folder = item.partition("=")
        if not (name and equals and folder):
            raise click.BadParameter(f"{item!r} is not component=run folder, as in deformation=runs/deformation")
        given[name] = Path(folder)
    click.echo(write_card(model, given, evaluation))
