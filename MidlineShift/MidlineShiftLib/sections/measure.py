"""3. Measure: the child process that measures, and results of earlier."""

from slicer.i18n import tr as _

from MidlineShiftLogic.errors import InputError

from ..services.jobs import measureJob
from ..services.load_result import loadResult
from ..session import Session
from ..state import State
from .model import ModelSection
from .section import connectButtons


class MeasureSection:
    """Starts and cancels a measurement, and shows its progress or why it failed."""

    def __init__(self, session: Session, model: ModelSection):
        self._session = session
        self._model = model
        self._replaced = None
        """What the measurement that runs may replace; a reader may work on it meanwhile."""
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
        idle, busy = session.state == State.Idle, session.state in (State.Running, State.Showing)
        whyNot = self._whyNot()
        ui.measureButton.enabled = idle and not whyNot
        ui.measureButton.toolTip = whyNot or _("Measure the midline shift of the selected scan")
        ui.loadResultButton.enabled = idle and session.ct is not None
        ui.cancelButton.enabled = busy
        ui.progressBar.visible = busy

    def _whyNot(self) -> str:
        """Return why measuring cannot start; empty if it can."""
        session, model = self._session, self._model.chosen
        if session.parameters.inputVolume is None:
            return _("Choose a scan first")
        if session.ct is None:
            return _("The chosen volume is not a scan that can be measured")
        if session.missing:
            return _("Install what is missing first (2. Model and device)")
        if model is None or not model.usable:
            return _("Choose a model that can be used")
        return ""

    def _mayReplace(self) -> bool:
        """Return whether another measurement may replace the one there is; the user is asked about a reader's work."""
        measurement = self._session.editor.measurement
        kept = measurement is not None and (measurement.edited or measurement.review is not None)
        question = _("The measurement of this scan holds a reader's work. Replace it?")
        return not kept or self._session.others.dialogs.confirm(question)

    def _onMeasure(self) -> None:
        session = self._session
        if not self._mayReplace():
            return
        parameters = session.parameters
        self._replaced = session.editor.measurement
        job = measureJob(parameters.inputVolume.GetName(), parameters.model, parameters.device, self._onMeasured)
        session.startWork(State.Running, session.ui.progressBar, lambda ct: session.run.start(ct, job))

    def _onMeasured(self, result) -> None:
        session = self._session
        measurement, dense = result
        if session.editor.measurement is not self._replaced and not self._mayReplace():
            session.setState(State.Idle)
            session.showMessage(_("Your work was kept; the new measurement was not taken."), session.ui.statusLabel)
            return

        def shown() -> None:
            session.showReviewLayout()
            session.editor.goToCase()
            session.showMessage(
                _("Measured in {seconds:.0f} s.").format(seconds=measurement.seconds), session.ui.statusLabel
            )

        session.showMeasurement(measurement, dense, shown)

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
        except InputError as error:
            session.fail(str(error))
            return
        if not self._mayReplace():
            return

        def shown() -> None:
            session.showScanLayout()
            session.editor.goToCase()
            text = _(
                "The result was loaded. Its file holds no displacement (measure again to see it); 'Slice back' goes back "
                "to what was loaded."
            )
            session.showMessage(text, session.ui.statusLabel)

        session.showMeasurement(measurement, None, shown)

    def _onDetails(self) -> None:
        self._session.ui.detailsText.visible = self._session.ui.detailsButton.checked
