"""Undo and redo of a reader's edits, step by step."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from MidlineShiftLogic.measurement.results import Measurement, SliceMeasurement

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


SAME_PX = 1e-3
"""Below this a landmark was not moved: files keep 0.0001."""


def slice_to_show(before: Measurement, after: Measurement, shown: int) -> int:
    """Return the slice on which a step that was taken back, or made again, is seen.

    Args:
        before, after: measurements around the step. shown: index of the slice in the views.

    Returns:
        ``shown`` where that slice changed, or none did; else the nearest slice that did.
    """
    first, second = ({one.index: one for one in measurement.slices} for measurement in (before, after))
    changed = [index for index in first | second if not _same(first.get(index), second.get(index))]
    return min(changed, key=lambda index: abs(index - shown), default=shown)


def _same(one: SliceMeasurement | None, other: SliceMeasurement | None) -> bool:
    if one is None or other is None or (one.edited, one.pinned) != (other.edited, other.pinned):
        return False
    places = ((place, other.landmarks_px.get(name)) for name, place in one.landmarks_px.items())
    return all(place is not None and np.allclose(mine, place, rtol=0, atol=SAME_PX) for mine, place in places)
