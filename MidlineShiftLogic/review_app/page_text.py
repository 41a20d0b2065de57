"""Say errors on a page, which is seen by people who need not know the folders of the machine that serves it."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable
from pathlib import Path

from MidlineShiftLogic.errors import format_error

PATH = re.compile(r"(?<![\w.:/\\])(?:[A-Za-z]:)?(?:[/\\][^/\\\s'\":;,()]+)*[/\\]([^/\\\s'\":;,()]+)")
"""An absolute path without spaces; its last part is kept. Those with spaces are known by name: see ``hide_paths``."""
FULL_DISK = (errno.ENOSPC, errno.EDQUOT)


def hide_paths(text: str, known: Iterable[Path | None] = ()) -> str:
    """Return a sentence in which every path of the server is its last part only.

    Args:
        text: the sentence.
        known: paths that may stand in it, also with spaces or relative ones.
    """
    for path in filter(None, known):
        if path.name:
            text = text.replace(str(path), path.name)
    return PATH.sub(r"\1", text)


def error_text(error: BaseException, known: Iterable[Path | None] = ()) -> str:
    """Return an error as a sentence for the page, without paths of the server."""
    return hide_paths(format_error(error), known)


def not_saved_text(error: OSError) -> str:
    """Return the sentence for a reader whose last step could not be written."""
    remedy = "Free space on its disk" if error.errno in FULL_DISK else "Check the folder of results on the server"
    return f"NOT SAVED: {hide_paths(error.strerror or str(error))}. {remedy}, then change something again."
