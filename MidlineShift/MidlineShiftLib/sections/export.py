"""6. Export: the reviewed case as files, written by a child process."""

from slicer.i18n import tr as _

from ..services.export import Exported, exportJob, prepareExport
from ..session import Session
from ..state import State
from .section import connectButtons


class ExportSection:
    """Writes the case into a folder that the user chooses."""

    def __init__(self, session: Session):
        self._session = session
        connectButtons(
            {session.ui.exportButton: self._onExport, session.ui.exportCancelButton: session.cancelWork},
        )

    def update(self) -> None:
        """Offer the export where there is a measurement."""
        session, ui = self._session, self._session.ui
        has, exporting = session.editor.measurement is not None, session.state == State.Exporting
        ui.exportBox.visible = has
        ui.exportButton.enabled = has and session.state == State.Idle
        ui.exportCancelButton.visible = ui.exportProgressBar.visible = exporting

    def _onExport(self) -> None:
        session = self._session
        folder = session.others.dialogs.chooseFolder(_("Choose a folder for the results"))
        if not folder:
            return
        session.showMessage("", session.ui.exportLabel)
        nodes = session.editor.nodes
        session.startWork(
            State.Exporting,
            session.ui.exportProgressBar,
            lambda ct: session.run.start(ct, exportJob(prepareExport(nodes, folder, ct), self._onWritten)),
        )

    def _onWritten(self, exported: Exported) -> None:
        self._session.setState(State.Idle)
        self._session.showMessage(exported.sentence, self._session.ui.exportLabel)
