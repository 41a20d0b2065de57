"""3. Measure: the child process that measures, and results of earlier."""

from MidlineShiftLogic.errors import InputError

from ..services.jobs import measureJob
from ..services.load_result import loadResult
from ..session import Session
from ..state import State
from .model import ModelSection
from .section import connectButtons

REPLACE_QUESTION = "The measurement of this scan holds a reader's work. Replace it?"
LOADED = (
    "The result was loaded. Its file holds no displacement (measure again to see it); "
    "'Back to the model's' goes back to what was loaded."
)


class MeasureSection:
    """Starts and cancels a measurement, and shows its progress or why it failed."""

    def __init__(self, session: Session, model: ModelSection):
        self._session = session
        self._model = model
        ui = session.ui
        connectButtons(
            {
                ui.measureButton: self._onMeasure,
                ui.loadResultButton: self._onLoadResult,
                ui.cancelButton: session.cancelWork,
                ui.detailsButton: self._onDetails,
            }
        )

    def update(self) -> None:
        """Enable what can be started or cancelled now."""
        session, ui = self._session, self._session.ui
        idle, running = session.state == State.Idle, session.state == State.Running
        whyNot = self._whyNot()
        ui.measureButton.enabled = idle and not whyNot
        ui.measureButton.toolTip = whyNot or "Measure the midline shift of the selected scan"
        ui.loadResultButton.enabled = idle and session.ct is not None
        ui.cancelButton.enabled = running
        ui.progressBar.visible = running

    def _whyNot(self) -> str:
        """Empty if measuring can start."""
        session, model = self._session, self._model.chosen
        if session.parameters.inputVolume is None:
            return "Choose a scan first"
        if session.ct is None:
            return "The chosen volume is not a scan that can be measured"
        if session.missing:
            return "Install what is missing first (2. Model and device)"
        if model is None or not model.usable:
            return "Choose a model that can be used"
        return ""

    def _mayReplace(self) -> bool:
        """Whether another measurement may take the place of the one there is: the user is asked for a reader's work."""
        measurement = self._session.editor.measurement
        kept = measurement is not None and (measurement.edited or measurement.review is not None)
        return not kept or self._session.others.dialogs.confirm(REPLACE_QUESTION)

    def _onMeasure(self) -> None:
        session = self._session
        if not self._mayReplace():
            return
        parameters = session.parameters
        job = measureJob(parameters.inputVolume.GetName(), parameters.model, parameters.device, self._onFinished)
        session.startWork(State.Running, session.ui.progressBar, lambda ct: session.run.start(ct, job))

    def _onFinished(self, result) -> None:
        session = self._session
        measurement, dense = result
        session.setState(State.Idle)
        try:
            session.showMeasurement(measurement, dense)
        except InputError as error:
            session.fail(str(error))
            return
        session.say(f"Measured in {measurement.seconds:.0f} s.")
        session.showReviewLayout()
        session.editor.goToCase()

    def _onLoadResult(self) -> None:
        session = self._session
        path = session.others.dialogs.chooseResult()
        if not path:
            return
        session.readScanAnew()
        session.update()
        if session.ct is None:
            return
        try:
            measurement = loadResult(path, session.parameters.inputVolume, session.ct)
            if not self._mayReplace():
                return
            session.showMeasurement(measurement, None)
        except InputError as error:
            session.fail(str(error))
            return
        session.say(LOADED)
        session.showScanLayout()
        session.showOverlays()
        session.editor.goToCase()

    def _onDetails(self) -> None:
        self._session.ui.detailsText.visible = self._session.ui.detailsButton.checked
