"""Everything that stops to ask the user, in one place, so that the rest can run without a person."""

from typing import Protocol

import qt
import slicer
from slicer.i18n import tr as _

SCAN_ENDINGS = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")


class Dialogs(Protocol):
    """Questions; an empty string means that the user changed their mind."""

    def chooseScan(self) -> str: ...

    def chooseResult(self) -> str: ...

    def chooseFolder(self, title: str) -> str: ...

    def confirm(self, question: str) -> bool: ...


class SlicerDialogs:
    """``Dialogs`` with Slicer's own boxes."""

    def chooseScan(self) -> str:
        return self._chooseFile(
            _("Load a head CT"), f"{_('Head CT')} ({' '.join('*' + ending for ending in SCAN_ENDINGS)})"
        )

    def chooseResult(self) -> str:
        return self._chooseFile(
            _("Load a result of the chosen scan"),
            f"{_('Structured report or measurement')} (*.dcm *.json);;{_('All files')} (*)",
        )

    @staticmethod
    def _chooseFile(title: str, kinds: str) -> str:
        chosen = qt.QFileDialog.getOpenFileName(slicer.util.mainWindow(), title, "", kinds)
        return chosen if isinstance(chosen, str) else chosen[0]

    def chooseFolder(self, title: str) -> str:
        return qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), title)

    def confirm(self, question: str) -> bool:
        return slicer.util.confirmOkCancelDisplay(question, windowTitle=_("Midline Shift"))
