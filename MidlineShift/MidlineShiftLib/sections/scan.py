"""1. Scan: choosing and loading the head CT."""

import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from ..services.dialogs import SCAN_ENDINGS
from ..services.samples import SampleError
from ..session import Session, isOwn
from ..state import State
from ..views.window_presets import PRESETS
from .section import connectButtons

VOLUME_CLASS = "vtkMRMLScalarVolumeNode"
OFFERED = "MidlineShift.offered"
"""Attribute of the volumes that the selector lists: scans, and none that the panel made itself."""


class ScanSection(VTKObservationMixin):
    """The selector, the three buttons that load, and what is known of the chosen volume."""

    def __init__(self, session: Session):
        VTKObservationMixin.__init__(self)
        self._session = session
        self._following = False
        ui = session.ui
        connectButtons(
            {
                ui.loadFileButton: self._onLoadFile,
                ui.loadDicomButton: self._onLoadDicom,
                ui.loadSampleButton: self._onLoadSample,
            }
        )
        ui.inputSelector.connect("currentNodeChanged(vtkMRMLNode*)", lambda node: self._onChosen())
        ui.inputSelector.addAttribute(VOLUME_CLASS, OFFERED, "1")
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.NodeAddedEvent, self._onNodeAdded)
        self.offerScans()

    def close(self) -> None:
        """Listen to the scene and the selector no longer."""
        self._following = False
        self.removeObservers()

    def follow(self, following: bool) -> None:
        """Set whether a change of the selector is a user's choice; not while the parameter node fills the widgets."""
        self._following = following

    def update(self) -> None:
        """Show what is known of the chosen volume."""
        session = self._session
        session.ui.scanLabel.text = session.scanText
        session.ui.loadSampleButton.enabled = session.state != State.Installing

    def offerScans(self) -> None:
        """Offer every volume of the scene that is not the panel's own."""
        for index in range(slicer.mrmlScene.GetNumberOfNodesByClass(VOLUME_CLASS)):
            self._offer(slicer.mrmlScene.GetNthNodeByClass(index, VOLUME_CLASS))

    def chooseArrived(self) -> None:
        """Choose the latest scan of the scene if none is chosen; the module is shown after it was loaded elsewhere."""
        if self._session.parameters.inputVolume is not None:
            return
        scene = slicer.mrmlScene
        volumes = [scene.GetNthNodeByClass(i, VOLUME_CLASS) for i in range(scene.GetNumberOfNodesByClass(VOLUME_CLASS))]
        offered = [volume for volume in volumes if volume.GetAttribute(OFFERED) and volume.GetImageData() is not None]
        if offered:
            self._session.ui.inputSelector.setCurrentNode(offered[-1])

    def _offer(self, volume) -> None:
        own = volume.GetClassName() != VOLUME_CLASS or isOwn(volume)
        if bool(volume.GetAttribute(OFFERED)) == own:
            volume.SetAttribute(OFFERED, None if own else "1")

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onNodeAdded(self, caller, event, node) -> None:
        if node is None or node.GetClassName() != VOLUME_CLASS:
            return
        self._offer(node)
        if node.GetAttribute(OFFERED) and not slicer.mrmlScene.IsBatchProcessing():
            # its voxels are there once whoever adds it is done
            qt.QTimer.singleShot(0, lambda: self._arrived(node))

    def _arrived(self, volume) -> None:
        session = self._session
        if not self.hasObserver(slicer.mrmlScene, slicer.mrmlScene.NodeAddedEvent, self._onNodeAdded):
            return  # the module went away meanwhile
        if slicer.mrmlScene.GetNodeByID(volume.GetID() or "") is not volume:
            return
        if session.state not in (State.Idle, State.Installing):
            return  # choosing it would cancel what goes on
        if session.shown and volume.GetImageData() is not None:
            session.ui.inputSelector.setCurrentNode(volume)

    def _onChosen(self) -> None:
        if not self._following:
            return
        session = self._session
        if session.state.working:
            session.cancelWork()
        volume = session.ui.inputSelector.currentNode()
        if volume is session.parameters.inputVolume:
            return
        session.clearMessages()
        session.parameters.inputVolume = volume
        session.takeUpMeasurement()
        if volume is None:
            session.showTexts()
            return
        session.setWindow(PRESETS["brain"].window, PRESETS["brain"].level)
        session.showScanLayout()
        session.update()

    def _showMessage(self, text: str) -> None:
        self._session.showMessage(text, self._session.ui.scanMessageLabel)

    def _onLoadFile(self) -> None:
        session = self._session
        path = session.others.dialogs.chooseScan()
        if not path:
            return
        self._showMessage("")
        if not path.lower().endswith(SCAN_ENDINGS):
            self._showMessage(_("Load DICOM images with DICOM…: it keeps the true place of every slice."))
            return
        try:
            volume = slicer.util.loadVolume(path)
        except RuntimeError:
            self._showMessage(_("{path} cannot be read as a volume.").format(path=path))
            return
        self._choose(volume)

    def _onLoadDicom(self) -> None:
        slicer.util.selectModule("DICOM")

    def _onLoadSample(self) -> None:
        self._showMessage("")
        try:
            volume = self._session.others.samples.load()
        except SampleError as error:
            self._showMessage(str(error))
        else:
            self._choose(volume)

    def _choose(self, volume) -> None:
        self._offer(volume)
        self._session.ui.inputSelector.setCurrentNode(volume)
