"""4. Result: the case's number with its colour, the plot and the table of slices."""

from slicer.i18n import tr as _

from MidlineShiftLogic import scene

from ..session import Session
from ..views.headline import Headline
from ..views.plot import ShiftPlot
from ..views.table import SliceTable
from ..views.texts import headlineColour, resultTexts, severityColour
from .section import connectButtons


class ResultSection:
    """Shows the measurement."""

    def __init__(self, session: Session):
        self._session = session
        self._moved = False
        self.headline = Headline(session.ui.shiftLabel)
        self.plot = ShiftPlot(session.ui.plotLabel, session.editor.goTo)
        self.table = SliceTable(session.ui.sliceTable, session.editor.goTo)
        connectButtons({session.ui.removeButton: self._onRemove})

    def update(self) -> None:
        """Show the number, its colour, the plot and the table."""
        session, ui, parameters = self._session, self._session.ui, self._session.parameters
        measurement, shown = session.editor.measurement, session.editor.shown
        has = measurement is not None
        limits = (parameters.mildMm, parameters.moderateMm, parameters.severeMm)
        self._moved = session.wasMoved()
        texts = resultTexts(measurement, self._moved)
        self.headline.show(texts.shift, headlineColour(measurement, limits) if has else "")
        for label, text in (
            (ui.ruleLabel, texts.rule), (ui.intervalLabel, texts.interval), (ui.warningsLabel, texts.warnings),
        ):  # fmt: skip
            label.text = text
            label.visible = bool(text)
        self.plot.show(measurement, lambda mm: severityColour(mm, limits), shown)
        self.table.show(measurement, shown)
        ui.removeButton.visible = ui.removeButton.enabled = has

    def followScan(self) -> None:
        """Say that the scan was moved, or no longer, as soon as it is."""
        if self._session.wasMoved() != self._moved:
            self.update()

    def _onRemove(self) -> None:
        session = self._session
        question = _("Remove this measurement with all its edits and its review from the scene?")
        if not session.others.dialogs.confirm(question):
            return
        nodes = session.editor.nodes
        if session.state.working:
            session.cancelWork()
        session.editor.attach(None)
        session.parameters.showHealthy = False
        scene.remove(nodes)
        session.clearMessages()
        session.showScanLayout()
        session.update()
