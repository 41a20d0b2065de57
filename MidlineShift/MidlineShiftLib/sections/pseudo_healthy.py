"""The pseudo-healthy image of section 5, an experimental picture: made in a child process when it is switched on."""

from ..services.pseudo_healthy import PseudoHealthyImage, aboutImage, whyNotGenerate
from ..session import Session
from ..state import State
from .model import ModelSection
from .section import connectButtons


class PseudoHealthySection:
    """The switch, its progress and what is written below it."""

    def __init__(self, session: Session, model: ModelSection):
        self._session = session
        self._model = model
        self._image = PseudoHealthyImage(session.run, self._onMade, session.fail)
        connectButtons({session.ui.healthyCancelButton: session.cancelWork})

    def update(self) -> None:
        """Enable the switch where an image is there or can be made, and say why not where it cannot."""
        session, ui = self._session, self._session.ui
        has = session.editor.measurement is not None
        generating, whyNot = session.state == State.GeneratingPseudoHealthy, self._whyNot()
        ui.healthyCheckBox.enabled = (
            session.hasHealthy() or generating or (has and session.state == State.Idle and not whyNot)
        )
        if not generating:
            ui.healthyLabel.text = aboutImage(session.editor.nodes, self._model.chosen, whyNot)
        for widget in (ui.healthyProgressBar, ui.healthyCancelButton):
            widget.visible = has and generating

    def followSwitch(self) -> None:
        """Switched on, make the image if there is none yet; switched off meanwhile, stop making it."""
        session = self._session
        wanted = session.parameters.showHealthy
        if session.state == State.GeneratingPseudoHealthy and not wanted:
            session.cancelWork()
        elif wanted and session.hasHealthy():
            if not session.others.views.isReview():
                session.showReviewLayout()
        elif wanted and session.state == State.Idle:
            self._generate()

    def _generate(self) -> None:
        session, nodes, parameters = self._session, self._session.editor.nodes, self._session.parameters
        if nodes is None or self._whyNot():
            parameters.showHealthy = False
            return
        session.startWork(
            State.GeneratingPseudoHealthy,
            session.ui.healthyProgressBar,
            lambda ct: self._image.start(nodes, ct, parameters.model, parameters.device),
        )

    def _onMade(self) -> None:
        session = self._session
        session.setState(State.Idle)
        session.showReviewLayout()

    def _whyNot(self) -> str:
        return whyNotGenerate(self._model.chosen, self._model.models, self._session.missing)
