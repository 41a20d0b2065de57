"""Work in the application's own process that is done bit by bit, so that Slicer stays usable meanwhile."""

import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import qt

SLICE_OF_TIME_S = 0.03
"""Work is done for so long before the application may draw again: about two frames of a screen."""


class StepRunner(Protocol):
    """Runs one piece of stepwise work at a time, on the main thread."""

    def start(
        self,
        steps: Iterator[tuple[int, int]],
        progress: Callable[[int, int], None],
        finished: Callable[[Any], None],
        failed: Callable[[Exception], None],
    ) -> None: ...

    def stop(self) -> None: ...


class TimedSteps:
    """A ``StepRunner`` on a Qt timer."""

    def __init__(self):
        self._steps = self._progress = self._finished = self._failed = None
        self._timer = qt.QTimer()
        self._timer.setInterval(0)
        self._timer.connect("timeout()", self._work)

    def start(self, steps, progress, finished, failed) -> None:
        """Begin; work that goes on is stopped. The first bit is done at once.

        Args:
            steps: generator of (done, total). progress: gets both after each bit.
            finished: gets what the generator returned. failed: gets the exception that ended it.
        """
        self.stop()
        self._steps, self._progress, self._finished, self._failed = steps, progress, finished, failed
        self._timer.start()

    def stop(self) -> None:
        """End the work; the generator takes back what it did so far, and nothing is reported."""
        self._timer.stop()
        steps, self._steps = self._steps, None
        if steps is not None:
            steps.close()

    def _work(self) -> None:
        end = time.monotonic() + SLICE_OF_TIME_S
        steps = self._steps
        done = None
        try:
            while steps is not None and time.monotonic() < end:
                done = next(steps)
        except StopIteration as result:
            self._end()
            self._finished(result.value)
            return
        except Exception as error:
            self._end()
            self._failed(error)
            return
        if done is not None:
            self._progress(*done)

    def _end(self) -> None:
        self._timer.stop()
        self._steps = None
