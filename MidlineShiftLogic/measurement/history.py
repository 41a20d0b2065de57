"""Undo and redo of a reader's edits, step by step."""

from __future__ import annotations

from dataclasses import dataclass, replace

from MidlineShiftLogic.measurement.results import Measurement

LONGEST = 200
"""Steps that are kept: far more than a reader makes on one scan, and a bound on memory."""


@dataclass(frozen=True)
class EditHistory:
    """Measurements before and after the one in force. Immutable: every method returns a new history.

    Attributes:
        past: measurements before the present one, oldest first. future: those that were undone, the next one last.
    """

    past: tuple[Measurement, ...] = ()
    future: tuple[Measurement, ...] = ()

    @property
    def can_undo(self) -> bool:
        """Return whether there is a step to take back."""
        return bool(self.past)

    @property
    def can_redo(self) -> bool:
        """Return whether a step that was taken back can be made again."""
        return bool(self.future)

    def record(self, before: Measurement) -> EditHistory:
        """Return the history after a step from ``before``; what was undone until then cannot be made again."""
        return EditHistory((*self.past, before)[-LONGEST:])

    def undo(self, present: Measurement) -> tuple[Measurement, EditHistory]:
        """Return the measurement before the last step, and the history there.

        Raises:
            IndexError: there is nothing to take back.
        """
        before = self.past[-1]
        return before, replace(self, past=self.past[:-1], future=(*self.future, present))

    def redo(self, present: Measurement) -> tuple[Measurement, EditHistory]:
        """Return the measurement after the step that was taken back last, and the history there.

        Raises:
            IndexError: there is nothing to make again.
        """
        after = self.future[-1]
        return after, replace(self, past=(*self.past, present), future=self.future[:-1])
