"""The panel: its widgets, and who is told what. No arithmetic and no MRML nodes are made here."""

from dataclasses import dataclass, replace
from pathlib import Path

import slicer
import vtk
from slicer.util import VTKObservationMixin

from MidlineShiftLogic import scene
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.checks import check

from . import layouts
from .childrun import ChildRun, Listener
from .devices import CHOICES, DeviceProbe, sentence
from .dialogs import SCAN_ENDINGS, Dialogs
from .export import exportCase
from .healthyimage import HealthyImage, aboutImage, isThere, whyNotPaint
from .installer import Installer
from .jobs import measureJob
from .loadresult import loadResult
from .models import modelChoice, releasedModels
from .parameternode import OVERLAYS, MidlineShiftParameterNode
from .processrunner import ProcessRunner
from .result import resultTexts, severityColour
from .review import Review
from .scanline import scanLine
from .shiftplot import ShiftPlot
from .slicetable import SliceTable
from .state import State

WINDOW_HU, LEVEL_HU = 80, 40
SAMPLE = "MidlineShiftSample"
INSTALL_QUESTION = (
    "Measuring needs Python packages that are not in Slicer yet:\n\n{names}\n\n"
    "Install them into Slicer now? PyTorch alone is up to a few gigabytes; it can take a while."
)
REPLACE_QUESTION = "The measurement of this scan holds a reader's work. Replace it?"
LOADED = (
    "The result was loaded. Its file holds no displacement (measure again to see it); "
    "'Back to the model's' goes back to what was loaded."
)
REMOVE_QUESTION = "Remove this measurement with all its edits and its review from the scene?"


@dataclass(frozen=True)
class Collaborators:
    """Whom the panel works with; ``probeRunner`` asks for the devices while ``runner`` may measure."""

    installer: Installer
    runner: ProcessRunner
    probeRunner: ProcessRunner
    dialogs: Dialogs


class Panel(VTKObservationMixin):
    """Wires the widgets of ``MidlineShift.ui``.

    Args:
        ui: the widgets by name.
        parameterNode: gives the parameter node of the current scene.
        others: whom the panel works with.
    """

    def __init__(self, ui, parameterNode, others: Collaborators):
        VTKObservationMixin.__init__(self)
        self.ui = ui
        self.state = State.Idle
        self._getParameterNode = parameterNode
        self._parameters: MidlineShiftParameterNode | None = None
        self._guiTag = None
        self._others = others
        self._ct = None
        self._ctOf = None
        self._models = {}
        self._missing: list[str] = []
        self._filling = False
        self.review = Review(self._onReviewChanged, self._say)
        self.run = ChildRun(others.runner, Listener(self._onProgress, self._onFailed))
        self.healthy = HealthyImage(self.run, self._onPainted, self._onFailed)
        self.probe = DeviceProbe(others.probeRunner, self._onDevicesFound)
        self.plot = ShiftPlot(ui.plotLabel, self.review.goTo)
        self.table = SliceTable(ui.sliceTable, self.review.goTo)
        self._fillSelectors()
        self._connect()
        for event, answer in (
            (slicer.mrmlScene.StartCloseEvent, self._onSceneStartClose),
            (slicer.mrmlScene.EndCloseEvent, self._onSceneReady),
            (slicer.mrmlScene.EndImportEvent, self._onSceneReady),
            (slicer.mrmlScene.NodeAboutToBeRemovedEvent, self._onNodeRemoved),
        ):
            self.addObserver(slicer.mrmlScene, event, answer)
        self._useParameterNode()

    def _connect(self) -> None:
        ui = self.ui
        for button, slot in (
            (ui.loadFileButton, self._onLoadFile),
            (ui.loadDicomButton, self._onLoadDicom),
            (ui.loadSampleButton, self._onLoadSample),
            (ui.modelFolderButton, self._onModelFolder),
            (ui.installButton, self._onInstall),
            (ui.installWheelsButton, self._onInstallWheels),
            (ui.measureButton, self._onMeasure),
            (ui.loadResultButton, self._onLoadResult),
            (ui.cancelButton, self._onCancel),
            (ui.healthyCancelButton, self._onCancel),
            (ui.detailsButton, self._onDetails),
            (ui.removeButton, self._onRemove),
            (ui.reviewLayoutButton, self._onReviewLayout),
            (ui.scanLayoutButton, self._onScanLayout),
            (ui.previousButton, self.pageDown),
            (ui.nextButton, self.pageUp),
            (ui.addSliceButton, self.review.addSlice),
            (ui.restoreSliceButton, self.review.restoreSlice),
            (ui.restoreAllButton, self.review.restoreAll),
            (ui.acceptButton, self._onAccept),
            (ui.rejectButton, self._onReject),
            (ui.exportButton, self._onExport),
        ):
            button.connect("clicked(bool)", lambda checked=False, slot=slot: slot())
        ui.inputSelector.connect("currentNodeChanged(vtkMRMLNode*)", lambda node: self._onScanChosen())
        ui.modelSelector.connect("currentIndexChanged(int)", lambda index: self._onModelChosen())
        ui.deviceSelector.connect("currentIndexChanged(int)", lambda index: self._onDeviceChosen())

    def enter(self) -> None:
        """The module is shown: look again at what may have changed outside."""
        self._missing = self._others.installer.missing()
        if any(name.startswith("torch") for name in self._missing):
            self.ui.deviceLabel.text = ""
        else:
            self.ui.deviceLabel.text = self.ui.deviceLabel.text or "Looking for GPUs…"
            self.probe.ask()
        self.updateGui()

    def cleanup(self) -> None:
        """The module goes away."""
        self.run.cancel()
        self.probe.forget()
        self.review.attach(None)
        if self._guiTag is not None:
            self._parameters.disconnectGui(self._guiTag)
            self._guiTag = None
        self.removeObservers()

    # ---- parameters and scene

    def _useParameterNode(self) -> None:
        if self._guiTag is not None:
            self._parameters.disconnectGui(self._guiTag)
            self.removeObserver(self._parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self._onParameters)
        self._parameters = self._getParameterNode()
        self._filling = True
        self._guiTag = self._parameters.connectGui(self.ui)
        self._filling = False
        self.addObserver(self._parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self._onParameters)
        self._selectItem(self.ui.modelSelector, self._parameters.model)
        self._selectItem(self.ui.deviceSelector, self._parameters.device)
        self._takeUpMeasurement()

    def _onParameters(self, caller, event) -> None:
        if slicer.mrmlScene.IsBatchProcessing():
            return  # a scene is being loaded or closed; what there is then is taken up at its end
        self._followHealthySwitch()
        self._showOverlays()
        self.updateGui()

    def _onSceneStartClose(self, caller, event) -> None:
        self.run.cancel()
        self.review.attach(None)
        self._ct = self._ctOf = None
        self._setState(State.Idle)
        self._say("")

    def _onSceneReady(self, caller, event) -> None:
        self._useParameterNode()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onNodeRemoved(self, caller, event, node) -> None:
        if slicer.mrmlScene.IsClosing():
            return
        nodes = self.review.nodes
        if nodes is not None and node is nodes.state_node:
            if self.state == State.Painting:
                self._onCancel()
            self.review.attach(None)
            self.updateGui()
        elif node is self._parameters.inputVolume and self._busy:
            self._onCancel()
        elif nodes is not None and node is nodes.healthy:
            self._parameters.showHealthy = False

    def _takeUpMeasurement(self) -> None:
        """Work on the measurement that the scene holds of the selected scan."""
        volume = self._parameters.inputVolume
        found = scene.find_of_volume(volume) if volume is not None else []
        self.review.attach(found[-1] if found else None)
        self._switchHealthyOff()
        self._showOverlays()
        self._readScan()
        self.updateGui()

    # ---- 1. Scan

    def _onScanChosen(self) -> None:
        if self._filling:
            return
        if self._busy:
            self._onCancel()
        volume = self.ui.inputSelector.currentNode()
        self._parameters.inputVolume = volume
        self._takeUpMeasurement()
        if volume is None:
            return
        display = volume.GetDisplayNode()
        if display is not None:
            display.AutoWindowLevelOff()
            display.SetWindowLevel(WINDOW_HU, LEVEL_HU)
        layouts.showScan(volume)
        self.review.followViews()
        if self.review.nodes is not None:
            self._showOverlays()
            self.review.goTo(self.review.shown)

    def _readScan(self) -> None:
        """Check the selected scan, once a volume, and say the outcome."""
        volume = self._parameters.inputVolume
        if volume is None:
            self._ct = self._ctOf = None
            self.ui.scanLabel.text = "Choose or load a head CT."
        elif volume is not self._ctOf:
            try:
                ct = scene.head_ct_from_volume(volume)
                self._ct = replace(ct, quality=tuple(dict.fromkeys((*ct.quality, *check(ct)))))
                self.ui.scanLabel.text = scanLine(self._ct)
            except InputError as error:
                self._ct = None
                self.ui.scanLabel.text = str(error)
            self._ctOf = volume

    def _readScanAnew(self) -> None:
        self._ctOf = None  # it may have been moved or changed since it was chosen
        self._readScan()

    def _onLoadFile(self) -> None:
        path = self._others.dialogs.chooseScan()
        if not path:
            return
        if not path.lower().endswith(SCAN_ENDINGS):
            self._say("Load DICOM images with Load DICOM…: it keeps the true place of every slice.")
            return
        try:
            volume = slicer.util.loadVolume(path)
        except RuntimeError:
            self._say(f"{path} cannot be read as a volume.")
            return
        self.ui.inputSelector.setCurrentNode(volume)

    def _onLoadDicom(self) -> None:
        slicer.util.selectModule("DICOM")

    def _onLoadSample(self) -> None:
        import SampleData

        volume = SampleData.downloadSample(SAMPLE)
        if volume is None:
            self._say("The sample scan could not be loaded.")
        else:
            self.ui.inputSelector.setCurrentNode(volume)

    # ---- 2. Model and device

    def _fillSelectors(self) -> None:
        self._models = {choice.key: choice for choice in releasedModels()}
        self._filling = True
        for choice in self._models.values():
            self.ui.modelSelector.addItem(choice.label, choice.key)
        for key, text in CHOICES.items():
            self.ui.deviceSelector.addItem(text, key)
        self._filling = False

    def _selectItem(self, selector, key: str) -> None:
        """Show the entry for a parameter; a model folder that is not listed yet is added, an empty key is the first."""
        if selector is self.ui.modelSelector and key and key not in self._models:
            self._addModel(key)
        index = selector.findData(key) if key else 0
        self._filling = True
        selector.setCurrentIndex(max(index, 0))
        self._filling = False

    def _addModel(self, folder: str) -> None:
        choice = modelChoice(folder, Path(folder))
        self._models[folder] = choice
        self._filling = True
        self.ui.modelSelector.addItem(choice.label, folder)
        self._filling = False

    def _onModelFolder(self) -> None:
        folder = self._others.dialogs.chooseFolder("Choose a model folder (it holds model.json)")
        if folder:
            self._parameters.model = folder
            self._selectItem(self.ui.modelSelector, folder)
            self.updateGui()

    def _onModelChosen(self) -> None:
        if not self._filling:
            self._parameters.model = self.ui.modelSelector.itemData(self.ui.modelSelector.currentIndex)

    def _onDeviceChosen(self) -> None:
        if not self._filling:
            self._parameters.device = self.ui.deviceSelector.itemData(self.ui.deviceSelector.currentIndex)

    def _onDevicesFound(self, answer: dict) -> None:
        self.ui.deviceLabel.text = sentence(answer)

    def _onInstallWheels(self) -> None:
        folder = self._others.dialogs.chooseFolder("Choose the folder that holds the wheels")
        if folder:
            self._onInstall(folder)

    def _onInstall(self, wheels: str = "") -> None:
        names = "\n".join(self._missing)
        if self.state != State.Idle or not self._others.dialogs.confirm(INSTALL_QUESTION.format(names=names)):
            return
        self._setState(State.Installing)
        self.ui.installLog.plainText = ""
        self.ui.installLog.visible = True
        self._say("Installing; Slicer must stay open.")
        self._others.installer.install(self.ui.installLog.appendPlainText, self._onInstalled, wheels)

    def _onInstalled(self, failure: str) -> None:
        self._say(failure or "Installed.")
        self.ui.installLog.visible = bool(failure)
        self._setState(State.Idle)
        self.probe.forget()
        self.enter()

    # ---- 3. Measure

    def _onMeasure(self) -> None:
        if not self._mayReplace():
            return
        parameters = self._parameters
        job = measureJob(parameters.inputVolume.GetName(), parameters.model, parameters.device, self._onFinished)
        self._start(State.Running, self.ui.progressBar, lambda ct: self.run.start(ct, job))

    def _mayReplace(self) -> bool:
        """Whether another measurement may take the place of the one there is: the user is asked for a reader's work."""
        nodes = self.review.nodes
        kept = nodes is not None and (nodes.measurement.edited or nodes.measurement.review is not None)
        return not kept or self._others.dialogs.confirm(REPLACE_QUESTION)

    def _onLoadResult(self) -> None:
        path = self._others.dialogs.chooseResult()
        if not path:
            return
        self._readScanAnew()
        self.updateGui()
        if self._ct is None:
            return
        try:
            measurement = loadResult(path, self._parameters.inputVolume, self._ct)
            if not self._mayReplace():
                return
            self._show(measurement, None)
        except InputError as error:
            self._onFailed(str(error), "")
            return
        self._say(LOADED)
        layouts.showScan(self._parameters.inputVolume)
        self.review.followViews()
        self._showOverlays()
        self.review.goToCase()

    def _start(self, state: State, bar, start) -> None:
        """Begin work on the scan as it is now; ``start(ct)`` starts the child, ``bar`` tells how far it is."""
        self._showDetails("")
        self._readScanAnew()
        if self._ct is None:
            self._switchHealthyOff()
            self.updateGui()
            return
        try:
            start(self._ct)
        except OSError as error:
            self._onFailed(f"The work could not be started ({error}).", "")
            return
        bar.setRange(0, 0)
        self._say("Starting…")
        self._setState(state)

    @property
    def _busy(self) -> bool:
        """Whether a child works for us."""
        return self.state in (State.Running, State.Painting)

    def _onCancel(self) -> None:
        self._setState(State.Cancelling)
        self.run.cancel()
        self._say("Cancelled; the scene is as it was.")
        self._setState(State.Idle)
        self._switchHealthyOff()

    def _onProgress(self, done: int, total: int, what: str, secondsLeft: float | None) -> None:
        bar = self.ui.healthyProgressBar if self.state == State.Painting else self.ui.progressBar
        bar.setRange(0, total)
        bar.setValue(done)
        left = "" if secondsLeft is None or done >= total else f", about {max(1, round(secondsLeft))} s left"
        self._say(f"{what.capitalize()}: {done} of {total}{left}")

    def _onFinished(self, result) -> None:
        measurement, dense = result
        self._setState(State.Idle)
        try:
            self._show(measurement, dense)
        except InputError as error:
            self._onFailed(str(error), "")
            return
        self._say(f"Measured in {measurement.seconds:.0f} s.")
        self._onReviewLayout()
        self.review.goToCase()

    def _show(self, measurement, dense) -> None:
        """Put a measurement into the scene in place of the one there is; InputError if it cannot be shown."""
        old = self.review.nodes
        nodes = scene.build_scene(self._parameters.inputVolume, self._ct, measurement, dense)
        if old is not None:
            scene.remove(old)
        self.review.attach(nodes)
        self._parameters.showHealthy = False
        self.ui.exportLabel.text = ""
        self._showOverlays()

    def _onFailed(self, sentence: str, details: str) -> None:
        self._setState(State.Idle)
        self._switchHealthyOff()
        self._say(sentence)
        self._showDetails(details)

    def _showDetails(self, details: str) -> None:
        self.ui.detailsText.plainText = details
        self.ui.detailsButton.visible = bool(details)
        self.ui.detailsButton.checked = False
        self.ui.detailsText.visible = False

    def _onDetails(self) -> None:
        self.ui.detailsText.visible = self.ui.detailsButton.checked

    # ---- 4. Result

    def _onRemove(self) -> None:
        if self._others.dialogs.confirm(REMOVE_QUESTION):
            nodes = self.review.nodes
            self.review.attach(None)
            self._parameters.showHealthy = False  # its image is no longer made either
            scene.remove(nodes)
            layouts.showScan(self._parameters.inputVolume)
            self.updateGui()

    # ---- 5. Review

    def _onReviewLayout(self) -> None:
        nodes = self.review.nodes
        shown = self.review.shown
        layouts.showReview(nodes.volume, nodes.warped)
        self._showOverlays()
        self.review.followViews()
        self.review.goTo(shown)

    def _onScanLayout(self) -> None:
        shown = self.review.shown
        layouts.showScan(self.review.nodes.volume)
        self._showOverlays()
        self.review.goTo(shown)

    def pageUp(self) -> None:
        """To the next measured slice above; also a key."""
        if self.review.nodes is not None:
            self.review.page(1)

    def pageDown(self) -> None:
        """To the next measured slice below; also a key."""
        if self.review.nodes is not None:
            self.review.page(-1)

    def goToCase(self) -> None:
        """To the slice of the case's number; also a key."""
        if self.review.nodes is not None:
            self.review.goToCase()

    def _onAccept(self) -> None:
        self.review.accept(self._parameters.readerName, self._parameters.reason)

    def _onReject(self) -> None:
        self.review.reject(self._parameters.readerName, self._parameters.reason)

    def _onReviewChanged(self) -> None:
        self.updateGui()

    def _showOverlays(self) -> None:
        nodes = self.review.nodes
        if nodes is None:
            return
        for parameter, part in OVERLAYS.items():
            visible = getattr(self._parameters, parameter)
            if scene.is_visible(nodes, part) != visible:
                scene.set_visible(nodes, part, visible)
        layouts.placeOverlays(nodes, self._parameters.showGridEverywhere)
        layouts.showMagnitude(nodes.magnitude if self._parameters.showDisplacement else None)
        layouts.showHealthy(nodes.healthy if self._parameters.showHealthy else None)

    def _followHealthySwitch(self) -> None:
        """Switched on, the pseudo-healthy image is made if there is none yet; switched off meanwhile, it is not."""
        wanted, there = self._parameters.showHealthy, isThere(self.review.nodes)
        if self.state == State.Painting and not wanted:
            self._onCancel()
        elif wanted and there:
            if not layouts.isReview():
                self._onReviewLayout()
        elif wanted and self.state == State.Idle:
            self._paint()

    def _switchHealthyOff(self) -> None:
        """Unless there is an image to be shown."""
        if not isThere(self.review.nodes):
            self._parameters.showHealthy = False

    def _paint(self) -> None:
        nodes, parameters = self.review.nodes, self._parameters
        if nodes is None or self._whyNotPaint():
            parameters.showHealthy = False
            return
        self._start(
            State.Painting,
            self.ui.healthyProgressBar,
            lambda ct: self.healthy.start(nodes, ct, parameters.model, parameters.device),
        )

    def _onPainted(self) -> None:
        self._setState(State.Idle)
        self._say("The pseudo-healthy image was made.")
        self._onReviewLayout()

    def _whyNotPaint(self) -> str:
        return whyNotPaint(self._chosenModel(), list(self._models.values()), self._missing)

    # ---- 6. Export

    def _onExport(self) -> None:
        folder = self._others.dialogs.chooseFolder("Choose a folder for the results")
        if not folder:
            return
        try:
            with slicer.util.WaitCursor():
                self.ui.exportLabel.text = exportCase(self.review.nodes, folder).sentence
        except InputError as error:
            self.ui.exportLabel.text = str(error)

    # ---- what is shown

    def _say(self, text: str) -> None:
        self.ui.statusLabel.text = text
        if self.state == State.Painting:
            self.ui.healthyLabel.text = text

    def _setState(self, state: State) -> None:
        self.state = state
        self.updateGui()

    def updateGui(self) -> None:
        """Bring every widget in line with the state, the parameters and the measurement."""
        ui, parameters = self.ui, self._parameters
        if parameters is None:
            return
        idle, running = self.state == State.Idle, self.state == State.Running
        model = self._chosenModel()
        ui.modelLabel.text = "No model was found." if model is None else model.about
        whyNot = self._whyNotMeasure(model)
        ui.measureButton.enabled = idle and not whyNot
        ui.measureButton.toolTip = whyNot or "Measure the midline shift of the selected scan"
        ui.loadResultButton.enabled = idle and self._ct is not None
        ui.cancelButton.enabled = running
        ui.progressBar.visible = running
        for widget in (ui.modelSelector, ui.modelFolderButton, ui.deviceSelector):
            widget.enabled = idle
        ui.missingLabel.text = f"Not installed yet: {', '.join(self._missing)}." if self._missing else ""
        ui.missingLabel.visible = bool(self._missing)
        for button in (ui.installButton, ui.installWheelsButton):
            button.visible = bool(self._missing)
            button.enabled = idle
        self._updateResult()

    def _chosenModel(self):
        return self._models.get(self.ui.modelSelector.itemData(self.ui.modelSelector.currentIndex))

    def _whyNotMeasure(self, model) -> str:
        """Empty if measuring can start."""
        if self._parameters.inputVolume is None:
            return "Choose a scan first"
        if self._ct is None:
            return "The chosen volume is not a scan that can be measured"
        if self._missing:
            return "Install what is missing first (2. Model and device)"
        if model is None or not model.usable:
            return "Choose a model that can be used"
        return ""

    def _updateResult(self) -> None:
        ui, parameters, review = self.ui, self._parameters, self.review
        measurement, shown = review.measurement, review.shown
        limits = (parameters.mildMm, parameters.moderateMm, parameters.severeMm)
        texts = resultTexts(measurement)
        ui.shiftLabel.text = texts.shift
        colour = severityColour(0.0 if measurement is None else measurement.signed_shift_mm, limits)
        plain = measurement is None
        ui.shiftLabel.styleSheet = "font-size: 26px; font-weight: bold;" + (
            "" if plain else f" color: #202020; background-color: {colour}; border-radius: 6px; padding: 6px;"
        )
        ui.intervalLabel.text = texts.interval
        ui.warningsLabel.text = texts.warnings
        ui.warningsLabel.visible = bool(texts.warnings)
        ui.reviewLabel.text = texts.review
        self.plot.show(measurement, lambda mm: severityColour(mm, limits), shown)
        self.table.show(measurement, shown)
        has = measurement is not None
        for widget in (
            ui.plotLabel, ui.sliceTable, ui.thresholdLabel, ui.mildSpinBox, ui.moderateSpinBox, ui.severeSpinBox,
            ui.removeButton, ui.reviewBox, ui.exportBox,
        ):  # fmt: skip
            widget.visible = has
        for widget in (
            ui.removeButton, ui.reviewLayoutButton, ui.scanLayoutButton, ui.previousButton, ui.nextButton,
            ui.acceptButton, ui.rejectButton, ui.exportButton,
        ):  # fmt: skip
            widget.enabled = has
        ui.sliceLabel.text = texts.where(shown, review.shownIsEdited)
        painting, whyNot = self.state == State.Painting, self._whyNotPaint()
        there = isThere(review.nodes)
        ui.healthyCheckBox.enabled = there or painting or (has and self.state == State.Idle and not whyNot)
        ui.healthyLabel.text = aboutImage(review.nodes, whyNot) if not painting else ui.statusLabel.text
        for widget in (ui.healthyProgressBar, ui.healthyCancelButton):
            widget.visible = has and painting
        magnitude = review.nodes.magnitude if has and parameters.showDisplacement else None
        ui.viewsLabel.text = (
            layouts.caption(there and parameters.showHealthy, magnitude, review.nodes.warped) if has else ""
        )
        ui.addSliceButton.enabled = review.canAdd
        ui.restoreSliceButton.enabled = review.shownIsEdited
        ui.restoreAllButton.enabled = has and measurement.edited
        ui.acceptButton.text = "Accept with edits" if has and measurement.edited else "Accept"
