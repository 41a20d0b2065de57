"""1. Scan: choosing and loading the head CT."""

import slicer

from ..services.dialogs import SCAN_ENDINGS
from ..session import Session
from .section import connectButtons

WINDOW_HU, LEVEL_HU = 80, 40
SAMPLE = "MidlineShiftSample"


class ScanSection:
    """The selector, the three buttons that load, and what is known of the chosen volume."""

    def __init__(self, session: Session):
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

    def follow(self, following: bool) -> None:
        """Whether a change of the selector is a user's choice; it is not while the parameter node fills the widgets."""
        self._following = following

    def update(self) -> None:
        """Show what is known of the chosen volume."""
        self._session.ui.scanLabel.text = self._session.scanText

    def _onChosen(self) -> None:
        if not self._following:
            return
        session = self._session
        if session.state.usesChild:
            session.cancelWork()
        volume = session.ui.inputSelector.currentNode()
        session.parameters.inputVolume = volume
        session.takeUpMeasurement()
        if volume is None:
            return
        display = volume.GetDisplayNode()
        if display is not None:
            display.AutoWindowLevelOff()
            display.SetWindowLevel(WINDOW_HU, LEVEL_HU)
        session.showScanLayout()
        if session.editor.nodes is not None:
            session.showOverlays()
            session.editor.goTo(session.editor.shown)

    def _onLoadFile(self) -> None:
        session = self._session
        path = session.others.dialogs.chooseScan()
        if not path:
            return
        if not path.lower().endswith(SCAN_ENDINGS):
            session.say("Load DICOM images with Load DICOM…: it keeps the true place of every slice.")
            return
        try:
            volume = slicer.util.loadVolume(path)
        except RuntimeError:
            session.say(f"{path} cannot be read as a volume.")
            return
        session.ui.inputSelector.setCurrentNode(volume)

    def _onLoadDicom(self) -> None:
        slicer.util.selectModule("DICOM")

    def _onLoadSample(self) -> None:
        import SampleData

        volume = SampleData.downloadSample(SAMPLE)
        if volume is None:
            self._session.say("The sample scan could not be loaded.")
        else:
            self._session.ui.inputSelector.setCurrentNode(volume)
