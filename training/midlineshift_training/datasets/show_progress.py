"""How far a command is with its cases: a bar on a terminal; a line a minute everywhere else, as in a cluster's log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")
LINE_SECONDS = 60.0
"""Between two lines where there is no terminal."""


def show_progress(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    """Hand on the items, and show on standard error how many of them are done.

    Args:
        items: to hand on; one is done when the next is asked for. total: how many there are. what: they are, in the plural.
    """
    bar = tqdm(items, total=total, desc=what, unit="case", disable=None)
    shown = time.monotonic()
    for done, item in enumerate(bar, 1):
        yield item
        if bar.disable and time.monotonic() - shown >= LINE_SECONDS:
            shown = time.monotonic()
            print(f"{what}: {done} of {total}", file=sys.stderr, flush=True)
