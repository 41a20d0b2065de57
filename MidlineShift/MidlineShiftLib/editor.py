"""A reader's work on one measurement: paging, dragging, adding, pinning, undo, signing off. Everything is kept in MRML."""

from collections.abc import Callable

import qt
import slicer
import vtk
from slicer.util import VTKObservationMixin

from MidlineShiftLogic import scene
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.measurement.edit import add_slice, pin_slice, restore, slice_of, unpin_slice
from MidlineShiftLogic.measurement.history import EditHistory, slice_to_show
from MidlineShiftLogic.measurement.review import accept, reject

from .views.layouts import REVIEW_VIEWS


class MeasurementEditor(VTKObservationMixin):
    """Keeps a measurement's nodes, the slice views and the panel in step.

    Args:
        changed: called when the measurement, its review or the shown slice has changed.
        editFailed: gets one sentence where an edit cannot be made. decisionFailed: the same for a review.
        changedByHand: called when somebody else changed the text that keeps the measurement.
    """

    def __init__(
        self,
        changed: Callable[[], None],
        editFailed: Callable[[str], None],
        decisionFailed: Callable[[str], None],
        changedByHand: Callable[[], None],
    ):
        VTKObservationMixin.__init__(self)
        self._changed = changed
        self._editFailed = editFailed
        self._decisionFailed = decisionFailed
        self._changedByHand = changedByHand
        self._busy = False
        self._dragging = False
        self._history = EditHistory()
        self.nodes: scene.MeasurementNodes | None = None

    def attach(self, nodes: "scene.MeasurementNodes | None") -> None:
        """Work on ``nodes`` from now on; None for on nothing. The scene is not changed, nothing can be undone."""
        self.removeObservers()
        self.nodes = nodes
        self._history = EditHistory()
        self._dragging = False
        if nodes is not None:
            self.addObserver(nodes.state_node, nodes.state_node.TextModifiedEvent, self._onTextChanged)
        if nodes is not None and nodes.landmarks is not None:
            markups = slicer.vtkMRMLMarkupsNode
            self.addObserver(nodes.landmarks, markups.PointModifiedEvent, self._onLandmarksMoved)
            self.addObserver(nodes.landmarks, markups.PointStartInteractionEvent, self._onDragStarted)
            self.addObserver(nodes.landmarks, markups.PointEndInteractionEvent, self._onDragEnded)
            for event in (markups.PointAddedEvent, markups.PointRemovedEvent, markups.PointPositionUndefinedEvent):
                self.addObserver(nodes.landmarks, event, self._onLandmarkLost)
        self.followViews()

    def followViews(self) -> None:
        """Follow the views of slices that there are by now: paging in one brings landmarks and the others along."""
        if self.nodes is None:
            return
        for tag in REVIEW_VIEWS:
            sliceNode = slicer.mrmlScene.GetNodeByID(f"vtkMRMLSliceNode{tag}")
            if sliceNode is not None and not self.hasObserver(
                sliceNode, vtk.vtkCommand.ModifiedEvent, self._onViewMoved
            ):
                self.addObserver(sliceNode, vtk.vtkCommand.ModifiedEvent, self._onViewMoved)

    @property
    def measurement(self):
        """Return the measurement with edits and review, None if there is none."""
        return None if self.nodes is None else self.nodes.measurement

    @property
    def shown(self) -> int | None:
        """Return the slice whose landmarks are shown."""
        return None if self.nodes is None else self.nodes.shown

    @property
    def shownSlice(self):
        """Return the measurement of the shown slice; None if it has none."""
        return None if self.nodes is None else slice_of(self.measurement, self.shown)

    # ---- paging

    def goTo(self, index: int) -> None:
        """Bring all views and the landmarks to a slice."""
        self._do(lambda: scene.show_slice(self.nodes, index))

    def page(self, step: int) -> None:
        """Go to the next measured slice above (1) or below (-1) the shown one; stay at the last one."""
        if self.nodes is None:
            return
        shown = self.shown
        indices = [one.index for one in self.measurement.slices if (one.index - shown) * step > 0]
        if indices:
            self.goTo(min(indices, key=lambda index: abs(index - shown)))

    def goToCase(self) -> None:
        """Go to the slice of the case's number."""
        if self.nodes is not None:
            self.goTo(self.measurement.slice)

    # ---- edits

    @property
    def canAdd(self) -> bool:
        """Return whether the shown slice has no landmarks yet."""
        return self.nodes is not None and self.shownSlice is None

    @property
    def canUndo(self) -> bool:
        """Return whether there is an edit to take back."""
        return self.nodes is not None and self._history.can_undo

    @property
    def canRedo(self) -> bool:
        """Return whether an edit that was taken back can be made again."""
        return self.nodes is not None and self._history.can_redo

    def addSlice(self) -> None:
        """Put landmarks on the shown slice, between those of its neighbours."""
        self._edit(lambda measurement: add_slice(measurement, self.nodes.geometry, self.shown))

    def restoreSlice(self) -> None:
        """Set the shown slice back to the model's."""
        self._edit(lambda measurement: restore(measurement, self.nodes.original, self.shown))

    def restoreAll(self) -> None:
        """Set every slice back to the model's."""
        self._edit(lambda measurement: restore(measurement, self.nodes.original))

    def togglePin(self) -> None:
        """Let the shown slice stand for the case, or no longer."""
        one = self.shownSlice
        if one is None:
            return
        if one.pinned:
            self._edit(lambda measurement: unpin_slice(measurement, self.nodes.original, self.shown))
        else:
            self._edit(lambda measurement: pin_slice(measurement, self.shown))

    def undo(self) -> None:
        """Take the last edit back."""
        if self.canUndo:
            self._step(self._history.undo)

    def redo(self) -> None:
        """Make the edit again that was taken back last."""
        if self.canRedo:
            self._step(self._history.redo)

    def _step(self, step: Callable) -> None:
        before = self.measurement
        measurement, history = step(before)
        self._do(lambda: scene.update(self.nodes, measurement))
        self._history = history
        index = slice_to_show(before, measurement, self.shown)
        if index != self.shown:
            self.goTo(index)
        self._changed()

    def _edit(self, change: Callable) -> None:
        if self.nodes is None:
            return
        before = self.measurement
        self._do(lambda: scene.update(self.nodes, change(self.measurement)))
        self._record(before)

    def _record(self, before) -> None:
        """Keep a step that changed something."""
        if self.measurement is not before:
            self._history = self._history.record(before)
            self._changed()

    # ---- review

    def accept(self, reader: str, remark: str) -> None:
        """Sign the number off."""
        self._decide(lambda measurement: accept(measurement, reader, remark))

    def reject(self, reader: str, reason: str) -> None:
        """Say that the number must not be used."""
        self._decide(lambda measurement: reject(measurement, reader, reason))

    def _decide(self, change: Callable) -> None:
        self._do(lambda: scene.update(self.nodes, change(self.measurement)), self._decisionFailed)

    # ---- events

    def _do(self, action: Callable[[], object], failed: Callable[[str], None] | None = None) -> None:
        """Do something with the nodes; the events that they send meanwhile are ignored."""
        if self.nodes is None or self._busy:
            return
        self._busy = True
        try:
            action()
        except InputError as error:
            (failed or self._editFailed)(str(error))
        finally:
            self._busy = False
        self._changed()

    def _onTextChanged(self, caller, event) -> None:
        if not self._busy:
            self._changedByHand()

    def _onDragStarted(self, caller, event) -> None:
        self._dragging = False  # the first move of a drag is a step of its own

    def _onDragEnded(self, caller, event) -> None:
        self._dragging = False

    def _onLandmarksMoved(self, caller, event) -> None:
        if self.nodes is None or self._busy:
            return
        before = self.measurement
        self._do(lambda: scene.apply_edits(self.nodes))
        if self.measurement is not before and not self._dragging:
            self._record(before)
            self._dragging = True  # the moves that follow belong to this step

    def _onLandmarkLost(self, caller, event) -> None:
        """Put the landmarks back after one was deleted, added or taken up by Slicer's own tools: there are always four."""
        if self.nodes is not None and not self._busy:
            nodes = self.nodes
            qt.QTimer.singleShot(0, lambda: self._putBack(nodes))  # not while the markups node is telling it

    def _putBack(self, nodes) -> None:
        if self.nodes is nodes:
            self._do(lambda: scene.update(nodes, nodes.measurement))

    def _onViewMoved(self, caller, event) -> None:
        if self._busy or self.nodes is None:
            return
        index = scene.slice_at(self.nodes, caller)
        if index != self.shown:
            others = [slicer.mrmlScene.GetNodeByID(f"vtkMRMLSliceNode{tag}") for tag in REVIEW_VIEWS]
            others = [node for node in others if node is not None and node is not caller]
            self._do(lambda: scene.show_slice(self.nodes, index, others))
