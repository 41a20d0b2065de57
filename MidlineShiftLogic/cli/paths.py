"""The type of options and arguments that are paths."""

from __future__ import annotations

from pathlib import Path

import click


class PathType(click.Path):
    """A path; an empty one is refused, since it would mean the current folder (an unset variable of a script)."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value, param, ctx):
        """Return the path.

        Raises:
            click.BadParameter: an empty text.
        """
        if not str(value).strip():
            self.fail("it is empty; give a path ('.' for the current folder).", param, ctx)
        return super().convert(value, param, ctx)


PATH = PathType()
