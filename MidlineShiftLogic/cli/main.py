"""Define the command ``midlineshift``: its sub-commands, loaded when used, and what a user sees when something fails."""

from __future__ import annotations

import importlib
import io
import os
import signal
import sys
from collections.abc import Sequence

import click

from MidlineShiftLogic import exit_codes
from MidlineShiftLogic.errors import format_error
from MidlineShiftLogic.threads import wait_passively

COMMANDS = {
    "measure": ("MidlineShiftLogic.cli.measure", "measure", "Measure the midline shift on head CT scans."),
    "import-sr": (
        "MidlineShiftLogic.cli.import_sr",
        "import_sr",
        "Read a midlineshift structured report back into a result.",
    ),
    "pseudo-healthy": (
        "MidlineShiftLogic.cli.pseudo_healthy",
        "pseudo_healthy",
        "Show what a model takes for the unshifted head.",
    ),
    "report": ("MidlineShiftLogic.cli.report", "report", "Write a report for people from a result."),
    "review": ("MidlineShiftLogic.cli.review", "review", "Review results in a browser: correct, accept, reject."),
    "write-case": (
        "MidlineShiftLogic.cli.write_case",
        "write_case",
        "Write the files of a case that was edited elsewhere.",
    ),
    "listen": ("MidlineShiftLogic.cli.listen", "listen", "Measure what a PACS sends; send the results back."),
    "pacs": ("MidlineShiftLogic.cli.pacs", "pacs", "Send to a PACS, fetch from it, see the listener's queue."),
    "model": ("MidlineShiftLogic.cli.model", "model", "List, inspect and import models."),
}


class LazyGroup(click.Group):
    """Import a sub-command only when it is called: ``--help`` and ``--version`` stay instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[name]
        return getattr(importlib.import_module(module), attribute)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, _, summary) in COMMANDS.items()])


def _print_version(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from MidlineShiftLogic.software import package_version

        click.echo(f"midlineshift {package_version()}")
        ctx.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Version.")
@click.option("--debug", is_flag=True, help="Show the traceback and library warnings when something fails.")
@click.pass_context
def cli(ctx: click.Context, debug: bool) -> None:
    """Brain midline shift on head CT. Research use only; not a medical device."""
    ctx.obj = {"debug": debug}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and leave the process with its exit code (``MidlineShiftLogic.exit_codes``)."""
    wait_passively()
    for stream in (sys.stdout, sys.stderr):
        # A file name that the terminal's encoding cannot show must not end the run.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    signal.signal(signal.SIGTERM, _terminate)
    code = _run(arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # only exit hooks of libraries are left
    sys.exit(code)


def _run(arguments: Sequence[str] | None) -> int:
    try:
        code = cli.main(args=arguments, prog_name="midlineshift", standalone_mode=False)
        return code if isinstance(code, int) else exit_codes.MEASURED
    except click.ClickException as error:
        error.show()
        return exit_codes.BAD_INPUT
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped; nothing unfinished was left.", err=True)
        return exit_codes.INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output is gone; Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exit_codes.INTERNAL_ERROR
    except Exception as error:
        if "--debug" in (sys.argv if arguments is None else arguments):
            raise
        click.echo(f"Error: {format_error(error)}", err=True)
        return exit_codes.of(error)


def _terminate(_signal: int, _frame) -> None:
    """End the run at SIGTERM like an exit, so that unfinished folders are removed; a second signal changes nothing."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(exit_codes.TERMINATED)
