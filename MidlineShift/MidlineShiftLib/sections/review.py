"""5. Slices and views, and the reader's part of the result: paging, correcting, the views, and signing off."""

from slicer.i18n import tr as _

from ..session import Session
from ..views.texts import reviewText
from ..views.window_presets import OWN, PRESETS, presetNames, presetOf
from .section import connectButtons


class ReviewSection:
    """The reader's buttons; what they do to the measurement is in ``editor``."""

    def __init__(self, session: Session):
        self._session = session
        self._filling = False
        ui, editor = session.ui, session.editor
        for key, name in presetNames().items():
            ui.windowSelector.addItem(name, key)
        ui.windowSelector.connect("currentIndexChanged(int)", lambda index: self._onWindowChosen())
        connectButtons(
            {
                ui.reviewLayoutButton: session.showReviewLayout,
                ui.scanLayoutButton: session.showScanLayout,
                ui.previousButton: lambda: editor.page(-1),
                ui.nextButton: lambda: editor.page(1),
                ui.pinButton: editor.togglePin,
                ui.undoButton: editor.undo,
                ui.redoButton: editor.redo,
                ui.addSliceButton: editor.addSlice,
                ui.restoreSliceButton: editor.restoreSlice,
                ui.restoreAllButton: editor.restoreAll,
                ui.acceptButton: self._onAccept,
                ui.rejectButton: self._onReject,
            }
        )

    def update(self) -> None:
        """Enable what can be done with the measurement and the shown slice."""
        session, ui, editor = self._session, self._session.ui, self._session.editor
        measurement, one = editor.measurement, editor.shownSlice
        has = measurement is not None
        edited = has and measurement.edited
        for widget in (
            ui.reviewBox, ui.decisionPart, ui.sliceLabel, ui.previousButton, ui.nextButton, ui.pinButton, ui.undoButton,
            ui.redoButton,
        ):  # fmt: skip
            widget.visible = has
        for widget in (
            ui.reviewLayoutButton, ui.scanLayoutButton, ui.previousButton, ui.nextButton, ui.acceptButton, ui.rejectButton,
        ):  # fmt: skip
            widget.enabled = has
        ui.sliceLabel.text = self._sliceText()
        ui.pinButton.enabled = one is not None
        ui.pinButton.checked = one is not None and one.pinned
        ui.pinButton.text = _("Pinned") if one is not None and one.pinned else _("Pin slice")
        ui.undoButton.enabled = editor.canUndo
        ui.redoButton.enabled = editor.canRedo
        ui.addSliceButton.enabled = editor.canAdd
        ui.restoreSliceButton.enabled = one is not None and (one.edited or one.pinned)
        ui.restoreAllButton.enabled = edited
        ui.acceptButton.text = _("Accept with edits") if edited else _("Accept")
        ui.reviewLabel.text = reviewText(measurement) if has else ""
        ui.viewsLabel.visible = edited
        ui.viewsLabel.text = (
            _("Displacement and warped image are the model's; they do not follow edits.") if edited else ""
        )
        self._showWindow()
        session.showTexts()

    def _sliceText(self) -> str:
        """Return name of the shown slice, its own shift, and whether the reader changed it."""
        session, one = self._session, self._session.editor.shownSlice
        name = session.nameOf(session.editor.shown).capitalize()
        if one is None or not name:
            return name
        return f"{name}{_(' (edited)') if one.edited else ''}"

    def _showWindow(self) -> None:
        volume = self._session.parameters.inputVolume
        display = None if volume is None else volume.GetDisplayNode()
        selector = self._session.ui.windowSelector
        self._filling = True
        selector.setCurrentIndex(selector.findData(OWN if display is None else presetOf(display)))
        self._filling = False

    def _onWindowChosen(self) -> None:
        selector = self._session.ui.windowSelector
        preset = PRESETS.get(selector.itemData(selector.currentIndex))
        if preset is not None and not self._filling:
            self._session.setWindow(preset.window, preset.level)

    def _onAccept(self) -> None:
        parameters = self._session.parameters
        self._session.showMessage("", self._session.ui.decisionLabel)
        self._session.editor.accept(parameters.readerName, parameters.reason)

    def _onReject(self) -> None:
        parameters = self._session.parameters
        self._session.showMessage("", self._session.ui.decisionLabel)
        self._session.editor.reject(parameters.readerName, parameters.reason)
