"""``midlineshift-train``: the command group. Heavy imports happen only for the command that is called."""

from __future__ import annotations

import importlib
import sys

import click

from MidlineShiftLogic.errors import MidlineShiftError

LAZY = {
    "phantoms": "midlineshift_training.phantoms.command:phantoms",
    "convert": "midlineshift_training.sets.command:convert",
    "unlabelled": "midlineshift_training.cohorts.unlabelled_command:unlabelled",
    "diffusion": "midlineshift_training.stages.diffusion_command:diffusion",
    "pose": "midlineshift_training.stages.reading_command:pose",
    "deformation": "midlineshift_training.stages.reading_command:deformation",
    "average": "midlineshift_training.stages.average_command:average",
    "summary": "midlineshift_training.runs.summary_command:summary",
    "export": "midlineshift_training.export:export",
    "calibrate": "midlineshift_training.calibration.command:calibrate",
    "card": "midlineshift_training.model_card:card",
    "measure": "midlineshift_training.cluster.measure_command:measure",
    "evaluate": "midlineshift_training.evaluation.command:evaluate",
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
