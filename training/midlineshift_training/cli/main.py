"""``midlineshift-train``: the command group. Heavy imports happen only for the command that is called."""

from __future__ import annotations

import importlib
import sys

import click

from MidlineShiftLogic.errors import MidlineShiftError

LAZY = {
    "phantoms": "midlineshift_training.cli.phantoms:phantoms",
    "convert": "midlineshift_training.cli.convert:convert",
    "unlabelled": "midlineshift_training.cli.unlabelled:unlabelled",
    "diffusion": "midlineshift_training.cli.diffusion:diffusion",
    "pose": "midlineshift_training.cli.pose:pose",
    "deformation": "midlineshift_training.cli.deformation:deformation",
    "average": "midlineshift_training.cli.average:average",
    "summary": "midlineshift_training.cli.summary:summary",
    "export": "midlineshift_training.cli.export:export",
    "calibrate": "midlineshift_training.cli.calibrate:calibrate",
    "card": "midlineshift_training.cli.card:card",
    "measure": "midlineshift_training.cli.measure:measure",
    "evaluate": "midlineshift_training.cli.evaluate:evaluate",
}


class LazyGroup(click.Group):
    """Commands by import path; a :class:`MidlineShiftError` becomes one sentence and its exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(LAZY)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in LAZY:
            return None
        module, name = LAZY[cmd_name].split(":")
        return getattr(importlib.import_module(module), name)

    def invoke(self, ctx: click.Context):
        try:
            return super().invoke(ctx)
        except MidlineShiftError as problem:
            click.echo(f"Error: {problem}", err=True)
            sys.exit(problem.exit_code)


@click.group(cls=LazyGroup)
def main() -> None:
    """Train the midline shift models and make their training data."""


if __name__ == "__main__":
    main()
