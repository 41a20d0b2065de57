"""4. Result: the case's number with its colour, the plot and the table of slices."""

from MidlineShiftLogic import scene

from ..session import Session
from ..views.plot import ShiftPlot
from ..views.table import SliceTable
from ..views.texts import resultTexts, severityColour
from .section import connectButtons

REMOVE_QUESTION = "Remove this measurement with all its edits and its review from the scene?"
HEADLINE_STYLE = "font-size: 26px; font-weight: bold;"


class ResultSection:
    """Shows the measurement."""

    def __init__(self, session: Session):
        self._session = session
        self.plot = ShiftPlot(session.ui.plotLabel, session.editor.goTo)
        self.table = SliceTable(session.ui.sliceTable, session.editor.goTo)
        connectButtons({session.ui.removeButton: self._onRemove})

    def update(self) -> None:
        """Show the number, its colour, the plot and the table."""
        session, ui, parameters = self._session, self._session.ui, self._session.parameters
        measurement, shown = session.editor.measurement, session.editor.shown
        has = measurement is not None
        limits = (parameters.mildMm, parameters.moderateMm, parameters.severeMm)
        texts = resultTexts(measurement)
        ui.shiftLabel.text = texts.shift
        colour = severityColour(measurement.signed_shift_mm if has else 0.0, limits)
        ui.shiftLabel.styleSheet = HEADLINE_STYLE + (
            f" color: #202020; background-color: {colour}; border-radius: 6px; padding: 6px;" if has else ""
        )
        ui.intervalLabel.text = texts.interval
        ui.warningsLabel.text = texts.warnings
        ui.warningsLabel.visible = bool(texts.warnings)
        self.plot.show(measurement, lambda mm: severityColour(mm, limits), shown)
        self.table.show(measurement, shown)
        for widget in (
            ui.plotLabel, ui.sliceTable, ui.thresholdLabel, ui.mildSpinBox, ui.moderateSpinBox, ui.severeSpinBox,
            ui.removeButton,
        ):  # fmt: skip
            widget.visible = has
        ui.removeButton.enabled = has

    def _onRemove(self) -> None:
        session = self._session
        if not session.others.dialogs.confirm(REMOVE_QUESTION):
            return
        nodes = session.editor.nodes
        session.editor.attach(None)
        session.parameters.showHealthy = False  # its image is no longer made either
        scene.remove(nodes)
        session.showScanLayout()
        session.update()
