"""Define the command ``midlineshift-train``: its sub-commands, loaded when used, and what a user sees of an error."""

from __future__ import annotations

import importlib
import sys

import click

from MidlineShiftLogic import exit_codes
from MidlineShiftLogic.errors import MidlineShiftError, format_error
from MidlineShiftLogic.threads import wait_passively

_PACKAGE = "midlineshift_training.cli"
HELP_NAMES = ["-h", "--help"]
COMMANDS = {
    "phantoms": "Generate head CT with exactly known midline shift.",
    "convert": "Turn scans with sparse landmarks into a set.",
    "unlabelled": "Turn unshifted scans into training cases.",
    "pose": "Train the network that finds the midsagittal plane.",
    "diffusion": "Train stage 1, a denoiser.",
    "deformation": "Train stage 2, the deformation network.",
    "refinement": "Train the network that looks again along the midline.",
    "settings": "List the settings of a training command.",
    "average": "Average the weights of finished runs.",
    "summary": "Show a run on one page.",
    "export": "Write a model folder, or a MONAI bundle, from finished runs.",
    "calibrate": "Learn how sure a model's numbers are.",
    "evaluate": "Measure how well a model's numbers agree with the truth.",
    "evaluate-denoiser": "Check whether a model's pseudo-healthy image may be shown.",
    "card": "Write a model's README from its runs and its evaluation.",
    "measure": "Measure every scan of a folder over many processes.",
}
"""Sub-command -> summary. The command is in the file of its name, with underscores for hyphens."""


class LazyGroup(click.Group):
    """A group that imports a sub-command only when it is called, and turns errors into one sentence and an exit code."""

    def main(self, *args, **kwargs):
        wait_passively()  # before a command imports torch
        return super().main(*args, **kwargs)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        command = getattr(importlib.import_module(f"{_PACKAGE}.{name}"), name)
        # click keeps the first help option that it makes; a context without this group's would take -h away for good
        command.context_settings.setdefault("help_option_names", HELP_NAMES)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context):
        try:
            return super().invoke(ctx)
        except MidlineShiftError as problem:
            _raise_if_debugging(ctx)
            click.echo(f"Error: {problem}", err=True)
            sys.exit(problem.exit_code)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise  # click ends quietly where whoever read our output is gone
        except Exception as problem:
            _raise_if_debugging(ctx)
            message = format_error(problem).replace("midlineshift --debug measure", "midlineshift-train --debug")
            click.echo(f"Error: {message}", err=True)
            sys.exit(exit_codes.INTERNAL_ERROR)


def _raise_if_debugging(ctx: click.Context) -> None:
    if ctx.params.get("debug"):
        raise


def _print_version(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from MidlineShiftLogic.software import package_version

        click.echo(f"midlineshift-train {package_version()}")
        ctx.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": HELP_NAMES})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Version.")
@click.option("--debug", is_flag=True, help="Show the traceback when something fails.")
def main(debug: bool) -> None:
    """Train the midline shift models and make their training data. Research use only; not a medical device."""


if __name__ == "__main__":
    main()
