"""A reader's work on one measurement: paging, dragging, adding, taking back, signing off. Everything lies in MRML."""

from collections.abc import Callable

import slicer
import vtk
from slicer.util import VTKObservationMixin

from MidlineShiftLogic import scene
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.measurement.edit import add_slice, restore, slice_of
from MidlineShiftLogic.measurement.review import accept, reject

from .views.layouts import REVIEW_VIEWS


class MeasurementEditor(VTKObservationMixin):
    """Keeps a measurement's nodes, the slice views and the panel in step.

    Args:
        changed: called when the measurement, its review or the shown slice has changed.
        failed: gets one sentence where an edit cannot be.
    """

    def __init__(self, changed: Callable[[], None], failed: Callable[[str], None]):
        VTKObservationMixin.__init__(self)
        self._changed = changed
        self._failed = failed
        self._busy = False
        self.nodes: scene.MeasurementNodes | None = None

    def attach(self, nodes: "scene.MeasurementNodes | None") -> None:
        """Work on ``nodes`` from now on; None for on nothing. The scene is not changed."""
        self.removeObservers()
        self.nodes = nodes
        if nodes is not None and nodes.landmarks is not None:
            event = slicer.vtkMRMLMarkupsNode.PointModifiedEvent
            self.addObserver(nodes.landmarks, event, self._onLandmarksMoved)
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
        """The measurement with edits and review, None if there is none."""
        return None if self.nodes is None else self.nodes.measurement

    @property
    def shown(self) -> int | None:
        """The slice whose landmarks are shown."""
        return None if self.nodes is None else self.nodes.shown

    def goTo(self, index: int) -> None:
        """Bring all views and the landmarks to a slice."""
        self._do(lambda: scene.show_slice(self.nodes, index))

    def page(self, step: int) -> None:
        """To the next measured slice above (1) or below (-1) the shown one; at the last one, stay."""
        shown = self.shown
        indices = [one.index for one in self.measurement.slices if (one.index - shown) * step > 0]
        if indices:
            self.goTo(min(indices, key=lambda index: abs(index - shown)))

    def goToCase(self) -> None:
        """Go to the slice of the case's number."""
        self.goTo(self.measurement.slice)

    def addSlice(self) -> None:
        """Put landmarks on the shown slice, between those of its neighbours."""
        self._edit(lambda measurement: add_slice(measurement, self.nodes.geometry, self.shown))

    def restoreSlice(self) -> None:
        """The shown slice as the model had it."""
        self._edit(lambda measurement: restore(measurement, self.nodes.original, self.shown))

    def restoreAll(self) -> None:
        """Every slice as the model had it."""
        self._edit(lambda measurement: restore(measurement, self.nodes.original))

    def accept(self, reader: str, remark: str) -> None:
        """Sign the number off."""
        self._edit(lambda measurement: accept(measurement, reader, remark))

    def reject(self, reader: str, reason: str) -> None:
        """Say that the number must not be used."""
        self._edit(lambda measurement: reject(measurement, reader, reason))

    @property
    def canAdd(self) -> bool:
        """Whether the shown slice has no landmarks yet."""
        return self.nodes is not None and slice_of(self.measurement, self.shown) is None

    @property
    def shownIsEdited(self) -> bool:
        """Whether a reader changed the shown slice."""
        one = None if self.nodes is None else slice_of(self.measurement, self.shown)
        return one is not None and one.edited

    def _edit(self, change: Callable) -> None:
        self._do(lambda: scene.update(self.nodes, change(self.measurement)))

    def _do(self, action: Callable[[], object]) -> None:
        """Do something with the nodes; what they say of it meanwhile is not listened to."""
        if self.nodes is None or self._busy:
            return
        self._busy = True
        try:
            action()
        except InputError as error:
            self._failed(str(error))
        finally:
            self._busy = False
        self._changed()

    def _onLandmarksMoved(self, caller, event) -> None:
        if self.nodes is not None:
            self._do(lambda: scene.apply_edits(self.nodes))

    def _onViewMoved(self, caller, event) -> None:
        if self._busy or self.nodes is None:
            return
        index = scene.slice_at(self.nodes, caller)
        if index != self.shown:
            others = [slicer.mrmlScene.GetNodeByID(f"vtkMRMLSliceNode{tag}") for tag in REVIEW_VIEWS]
            others = [node for node in others if node is not None and node is not caller]
            self._do(lambda: scene.show_slice(self.nodes, index, others))
