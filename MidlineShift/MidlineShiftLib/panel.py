"""The panel: puts the sections together and follows the scene and the parameter node."""

import qt
import slicer
import vtk
from slicer.util import VTKObservationMixin

from .sections.export import ExportSection
from .sections.measure import MeasureSection
from .sections.model import ModelSection
from .sections.pseudo_healthy import PseudoHealthySection
from .sections.result import ResultSection
from .sections.review import ReviewSection
from .sections.scan import ScanSection
from .session import Collaborators, Session
from .state import State
from .views.layouts import registerReviewLayout
from .views.shortcuts import Shortcuts


class Panel(VTKObservationMixin):
    """Wires the widgets of ``MidlineShift.ui``.

    Args:
        root: the widget that holds them all. ui: the widgets by name.
        parameterNode: gives the parameter node of the current scene.
        others: whom the panel works with.
    """

    def __init__(self, root, ui, parameterNode, others: Collaborators):
        VTKObservationMixin.__init__(self)
        self._getParameterNode = parameterNode
        self._guiTag = None
        self._followed: tuple = ()
        self._root = root
        self.session = session = Session(ui, others, self.updateGui, self._onViewsChanged)
        self.scan = ScanSection(session)
        self.model = ModelSection(session)
        self.measure = MeasureSection(session, self.model)
        self.result = ResultSection(session)
        self.review = ReviewSection(session)
        self.pseudoHealthy = PseudoHealthySection(session, self.model)
        self.export = ExportSection(session)
        self.sections = (
            self.scan, self.model, self.measure, self.result, self.review, self.pseudoHealthy, self.export,
        )  # fmt: skip
        editor = session.editor
        self._shortcuts = Shortcuts(
            {
                "PgUp": lambda: editor.page(1),
                "PgDown": lambda: editor.page(-1),
                "Home": editor.goToCase,
                "Ctrl+Z": editor.undo,
                "Ctrl+Y": editor.redo,
            }
        )
        for event, answer in (
            (slicer.mrmlScene.StartCloseEvent, self._onSceneStartClose),
            (slicer.mrmlScene.EndCloseEvent, self._onSceneReady),
            (slicer.mrmlScene.EndImportEvent, self._onSceneReady),
            (slicer.mrmlScene.NodeAboutToBeRemovedEvent, self._onNodeRemoved),
        ):
            self.addObserver(slicer.mrmlScene, event, answer)
        self._useParameterNode()

    @property
    def state(self) -> State:
        """Return what the panel is doing."""
        return self.session.state

    def enter(self) -> None:
        """Look again at what may have changed while the module was not shown."""
        self.session.shown = True
        self._onViewsChanged()
        self.scan.offerScans()
        self.model.enter()
        self.scan.chooseArrived()

    def exit(self) -> None:
        """Give the keys and the views to the module that is shown now. Work that goes on goes on."""
        self.session.shown = False
        self._shortcuts.remove()
        self.session.others.views.close()

    def cleanup(self) -> None:
        """End everything that goes on and leave nothing in the views."""
        self.exit()
        self.session.run.cancel()
        self.session.others.steps.stop()
        self.scan.close()
        self.model.close()
        self.session.editor.attach(None)
        self._followScan(None)
        if self._guiTag is not None:
            self.session.parameters.disconnectGui(self._guiTag)
            self._guiTag = None
        self.removeObservers()

    def updateGui(self) -> None:
        """Bring every section in line with the session."""
        if self.session.parameters is not None:
            self._followScan(self.session.parameters.inputVolume)
            for section in self.sections:
                section.update()

    def _onViewsChanged(self) -> None:
        """Let the keys work in the views that there are by now, and in the panel."""
        if self.session.shown:
            self._shortcuts.attach([*self.session.others.views.widgets(), self._root])

    def _followScan(self, volume) -> None:
        """Follow the window that a reader sets with the mouse, for what is shown beside the scan, and the scan's place."""
        followed = () if volume is None else (volume, volume.GetDisplayNode())
        if followed == self._followed:
            return
        for node, event, answer in self._following(self._followed):
            self.removeObserver(node, event, answer)
        self._followed = followed
        for node, event, answer in self._following(followed):
            self.addObserver(node, event, answer)

    def _following(self, followed: tuple) -> list[tuple]:
        """Return (node, event, answer) for a scan and its display node."""
        if not followed:
            return []
        volume, display = followed
        changed = vtk.vtkCommand.ModifiedEvent
        ofDisplay = [] if display is None else [(display, changed, self._onWindow)]
        return [
            (volume, changed, self._onScanMoved), (volume, volume.TransformModifiedEvent, self._onScanMoved), *ofDisplay,
        ]  # fmt: skip

    def _onScanMoved(self, caller, event) -> None:
        if not slicer.mrmlScene.IsBatchProcessing():
            self.result.followScan()

    def _onWindow(self, caller, event) -> None:
        self.session.setWindow(caller.GetWindow(), caller.GetLevel())
        self.updateGui()

    def _useParameterNode(self) -> None:
        session = self.session
        if self._guiTag is not None:
            session.parameters.disconnectGui(self._guiTag)
            self.removeObserver(session.parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self._onParameters)
        session.parameters = self._getParameterNode()
        self.scan.follow(False)
        self._guiTag = session.parameters.connectGui(session.ui)
        self.scan.follow(True)
        self.addObserver(session.parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self._onParameters)
        self.model.showParameters()
        session.takeUpMeasurement()

    def _onParameters(self, caller, event) -> None:
        if slicer.mrmlScene.IsBatchProcessing():
            return  # a scene is being loaded or closed; what there is then is taken up at its end
        self.pseudoHealthy.followSwitch()
        self.session.showOverlays()
        self.updateGui()

    def _onScanGone(self) -> None:
        """Show nothing of a scan that was taken out of the scene; not where another one was chosen meanwhile."""
        if self._guiTag is not None and self.session.parameters.inputVolume is None:
            self.session.takeUpMeasurement()

    def _onSceneStartClose(self, caller, event) -> None:
        session = self.session
        session.run.cancel()
        session.others.steps.stop()
        session.editor.attach(None)
        session.forgetScan()
        self._followScan(None)
        if session.state != State.Installing:  # that goes on; its end is reported when it comes
            session.setState(State.Idle)
        session.clearMessages()
        session.others.views.showTexts({})

    def _onSceneReady(self, caller, event) -> None:
        registerReviewLayout()
        self.scan.offerScans()
        self._useParameterNode()
        if self.session.shown:
            self._onViewsChanged()
            self.scan.chooseArrived()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onNodeRemoved(self, caller, event, node) -> None:
        session, nodes = self.session, self.session.editor.nodes
        if slicer.mrmlScene.IsClosing():
            return
        if nodes is not None and node is nodes.state_node:
            if session.state in (State.GeneratingPseudoHealthy, State.Exporting):
                session.cancelWork()
            session.loseMeasurement()
            self.updateGui()
            qt.QTimer.singleShot(0, session.leaveReview)  # another one may take its place
        elif node is session.parameters.inputVolume:
            if session.state.working:
                session.cancelWork()
            qt.QTimer.singleShot(0, self._onScanGone)  # the parameter node refers to it until it is gone
        elif nodes is not None and node is nodes.healthy:
            session.parameters.showHealthy = False
