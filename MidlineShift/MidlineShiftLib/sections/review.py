"""5. Review: paging, correcting the landmarks, the views, and signing off."""

from ..session import Session
from ..views.texts import resultTexts
from .section import connectButtons


class ReviewSection:
    """The reader's buttons; what they do to the measurement is in ``editor``."""

    def __init__(self, session: Session):
        self._session = session
        ui, editor = session.ui, session.editor
        connectButtons(
            {
                ui.reviewLayoutButton: session.showReviewLayout,
                ui.scanLayoutButton: self._onScanLayout,
                ui.previousButton: self.pageDown,
                ui.nextButton: self.pageUp,
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
        measurement, shown = editor.measurement, editor.shown
        has = measurement is not None
        edited = has and measurement.edited
        ui.reviewBox.visible = has
        for widget in (
            ui.reviewLayoutButton, ui.scanLayoutButton, ui.previousButton, ui.nextButton, ui.acceptButton,
            ui.rejectButton,
        ):  # fmt: skip
            widget.enabled = has
        texts = resultTexts(measurement)
        ui.reviewLabel.text = texts.review
        ui.sliceLabel.text = texts.where(shown, editor.shownIsEdited)
        ui.addSliceButton.enabled = editor.canAdd
        ui.restoreSliceButton.enabled = editor.shownIsEdited
        ui.restoreAllButton.enabled = edited
        ui.acceptButton.text = "Accept with edits" if edited else "Accept"
        magnitude = editor.nodes.magnitude if has and session.parameters.showDisplacement else None
        ui.viewsLabel.text = (
            session.others.views.caption(
                session.hasHealthy() and session.parameters.showHealthy, magnitude, editor.nodes.warped
            )
            if has
            else ""
        )

    def pageUp(self) -> None:
        """Go to the next measured slice above."""
        if self._session.editor.nodes is not None:
            self._session.editor.page(1)

    def pageDown(self) -> None:
        """Go to the next measured slice below."""
        if self._session.editor.nodes is not None:
            self._session.editor.page(-1)

    def goToCase(self) -> None:
        """Go to the slice of the case's number."""
        if self._session.editor.nodes is not None:
            self._session.editor.goToCase()

    def _onScanLayout(self) -> None:
        session, shown = self._session, self._session.editor.shown
        session.showScanLayout()
        session.showOverlays()
        session.editor.goTo(shown)

    def _onAccept(self) -> None:
        parameters = self._session.parameters
        self._session.editor.accept(parameters.readerName, parameters.reason)

    def _onReject(self) -> None:
        parameters = self._session.parameters
        self._session.editor.reject(parameters.readerName, parameters.reason)
