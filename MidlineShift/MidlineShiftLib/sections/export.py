"""6. Export: the reviewed case as files."""

import slicer

from MidlineShiftLogic.errors import InputError

from ..services.export import exportCase
from ..session import Session
from .section import connectButtons


class ExportSection:
    """Writes the case into a folder that the user chooses."""

    def __init__(self, session: Session):
        self._session = session
        connectButtons({session.ui.exportButton: self._onExport})

    def update(self) -> None:
        """Offer the export where there is a measurement."""
        has = self._session.editor.measurement is not None
        self._session.ui.exportBox.visible = has
        self._session.ui.exportButton.enabled = has

    def _onExport(self) -> None:
        session = self._session
        folder = session.others.dialogs.chooseFolder("Choose a folder for the results")
        if not folder:
            return
        try:
            with slicer.util.WaitCursor():
                session.ui.exportLabel.text = exportCase(session.editor.nodes, folder).sentence
        except InputError as error:
            session.ui.exportLabel.text = str(error)
