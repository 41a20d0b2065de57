"""Write the reference of a command line as Markdown, from the click commands themselves."""

from __future__ import annotations

import html
import importlib
import re
from collections.abc import Iterator

import click


def reference(target: str, program: str) -> str:
    """Return the reference of every command below a click group.

    Args:
        target: ``module:attribute`` of the group.
        program: the name that users type.
    """
    module, _, attribute = target.partition(":")
    group = getattr(importlib.import_module(module), attribute)
    return "\n".join(_lines(group, _context(group, program)))


def _context(command: click.Command, name: str, parent: click.Context | None = None) -> click.Context:
    # With the command's own settings, as a call would have: click keeps the help option that it makes from the first one.
    return click.Context(command, info_name=name, parent=parent, **command.context_settings)


def _lines(command: click.Command, context: click.Context) -> Iterator[str]:
    subcommands = []
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None and not found.hidden:
                subcommands.append((found, _context(found, name, context)))
    yield f"## `{context.command_path}`\n"
    yield _text(command.help or "") + "\n"
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield f"```text\n{usage}\n```\n"
    for one, inner in subcommands:
        anchor = inner.command_path.replace(" ", "-")
        yield f"- [`{one.name}`](#{anchor}): {_text(one.get_short_help_str(limit=200))}"
    options = [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
    options = [one for one in options if "--help" not in one.opts]
    if options:
        yield "\n| option | meaning |\n|---|---|"
        for option in options:
            yield f"| {_names(option, context)} | {_meaning(option, context)} |"
    yield ""
    for one, inner in subcommands:
        yield from _lines(one, inner)


def _names(option: click.Option, context: click.Context) -> str:
    """Return the option's names and the value it takes."""
    value = "" if option.is_flag or option.count else f" {option.make_metavar(context)}"
    names = [f"`{name}`" for name in option.opts[:-1]] + [f"`{option.opts[-1]}{value}`".replace("|", "\\|")]
    return ", ".join([*names, *(f"`{name}`" for name in option.secondary_opts)])


def _meaning(option: click.Option, context: click.Context) -> str:
    """Return the option's help, its default and its limits, as ``--help`` shows them."""
    extra = option.get_help_extra(context)
    notes = ["required"] if option.required else []
    if "default" in extra:
        notes.append(f"default: {extra['default']}")
    if "range" in extra:
        notes.append(str(extra["range"]))
    text = " ".join(filter(None, [option.help, f"({'; '.join(notes)})" if notes else ""]))
    return _text(text).replace("\n", " ").replace("|", "\\|")


def _text(text: str) -> str:
    """Return help as Markdown: what click shows as written stays in lines, and ``<case>`` is no tag."""
    paragraphs = []
    for paragraph in re.split(r"\n\s*\n", html.escape(text.strip(), quote=False)):
        if paragraph.startswith("\b"):
            paragraphs.append("<br>\n".join(line.strip() for line in paragraph.strip("\b\n").splitlines()))
        else:
            paragraphs.append(" ".join(paragraph.split()))
    return "\n\n".join(paragraphs).replace("*", "\\*")
