"""Repeat what a busy PACS turned away: sending, asking and fetching the same again changes nothing there."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from MidlineShiftLogic.pacs.targets import Busy

Result = TypeVar("Result")

WAITS = (3.0, 10.0, 30.0)
"""Seconds before each further try: a person waits at the command. The listener's queue has its own, longer waits."""


def _ignore(_sentence: str) -> None:
    pass


@dataclass(frozen=True)
class Retries:
    """Repeat an action while the other side is busy.

    Attributes:
        waits: seconds before each further try; without any, nothing is repeated.
        report: called with one sentence before each wait.
        sleep: waits.
    """

    waits: tuple[float, ...] = WAITS
    report: Callable[[str], None] = _ignore
    sleep: Callable[[float], None] = time.sleep

    def run(self, action: Callable[[], Result]) -> Result:
        """Return the action's result.

        Raises:
            Busy: the last try was turned away, too. Any other error at once.
        """
        for wait in self.waits:
            try:
                return action()
            except Busy as error:
                self.report(f"{error} The next try is in {wait:.0f} s.")
                self.sleep(wait)
        return action()


ONCE = Retries(waits=())
"""Repeats nothing."""
