"""2. Model and device: what measures, where it computes, and the installation of what is missing."""

from pathlib import Path

from slicer.i18n import tr as _

from ..services.devices import DeviceProbe, choices, sentence
from ..services.models import ModelChoice, modelChoice, releasedModels
from ..session import Session
from ..state import State
from .section import connectButtons


class ModelSection:
    """The selectors of model and device, and the installer's buttons."""

    def __init__(self, session: Session):
        self._session = session
        self._filling = False
        self._models: dict[str, ModelChoice] = {choice.key: choice for choice in releasedModels()}
        self._probe = DeviceProbe(session.others.probeRunner, self._onDevicesFound)
        ui = session.ui
        for choice in self._models.values():
            ui.modelSelector.addItem(choice.label, choice.key)
        for key, text in choices().items():
            ui.deviceSelector.addItem(text, key)
        connectButtons(
            {
                ui.modelFolderButton: self._onModelFolder,
                ui.installButton: self._onInstall,
                ui.installWheelsButton: self._onInstallWheels,
            }
        )
        ui.modelSelector.connect("currentIndexChanged(int)", lambda index: self._onModelChosen())
        ui.deviceSelector.connect("currentIndexChanged(int)", lambda index: self._onDeviceChosen())

    @property
    def models(self) -> list[ModelChoice]:
        """Return every model that can be chosen."""
        return list(self._models.values())

    @property
    def chosen(self) -> ModelChoice | None:
        """Return the chosen model; None where there is none."""
        selector = self._session.ui.modelSelector
        return self._models.get(selector.itemData(selector.currentIndex))

    def enter(self) -> None:
        """Look again at what is installed and which devices there are."""
        session = self._session
        session.missing = session.others.installer.missing()
        if any(name.startswith("torch") for name in session.missing):
            session.ui.deviceLabel.text = ""
        else:
            session.ui.deviceLabel.text = session.ui.deviceLabel.text or _("Looking for GPUs…")
            self._probe.ask()
        session.update()

    def close(self) -> None:
        """Stop asking for devices."""
        self._probe.forget()

    def showParameters(self) -> None:
        """Bring the selectors to what the parameter node says."""
        parameters = self._session.parameters
        self._select(self._session.ui.modelSelector, parameters.model)
        self._select(self._session.ui.deviceSelector, parameters.device)

    def update(self) -> None:
        """Show the model's description and what is missing."""
        session, ui, chosen = self._session, self._session.ui, self.chosen
        idle = session.state == State.Idle
        ui.modelLabel.text = _("No model was found.") if chosen is None else chosen.about
        for widget in (ui.modelSelector, ui.modelFolderButton, ui.deviceSelector):
            widget.enabled = idle
        ui.missingLabel.text = (
            _("Not installed yet: {names}.").format(names=", ".join(session.missing)) if session.missing else ""
        )
        ui.missingLabel.visible = bool(session.missing)
        for button in (ui.installButton, ui.installWheelsButton):
            button.visible = bool(session.missing)
            button.enabled = idle

    def _select(self, selector, key: str) -> None:
        """Show the entry for a parameter; a model folder that is not listed yet is added, an empty key is the first."""
        self._filling = True
        if selector is self._session.ui.modelSelector and key and key not in self._models:
            self._models[key] = modelChoice(key, Path(key))
            selector.addItem(self._models[key].label, key)
        index = selector.findData(key) if key else 0
        selector.setCurrentIndex(max(index, 0))
        self._filling = False

    def _onModelFolder(self) -> None:
        session = self._session
        folder = session.others.dialogs.chooseFolder(_("Choose a model folder (it holds model.json)"))
        if folder:
            session.parameters.model = folder
            self._select(session.ui.modelSelector, folder)
            session.update()

    def _onModelChosen(self) -> None:
        selector = self._session.ui.modelSelector
        if not self._filling:
            self._session.parameters.model = selector.itemData(selector.currentIndex)

    def _onDeviceChosen(self) -> None:
        selector = self._session.ui.deviceSelector
        if not self._filling:
            self._session.parameters.device = selector.itemData(selector.currentIndex)

    def _onDevicesFound(self, answer: dict) -> None:
        self._session.ui.deviceLabel.text = sentence(answer)

    def _onInstallWheels(self) -> None:
        folder = self._session.others.dialogs.chooseFolder(_("Choose the folder that holds the wheels"))
        if folder:
            self._onInstall(folder)

    def _onInstall(self, wheels: str = "") -> None:
        session, ui = self._session, self._session.ui
        question = _(
            "Measuring needs Python packages that are not in Slicer yet:\n\n{names}\n\nInstall them into Slicer now? "
            "PyTorch alone is up to a few gigabytes; it can take a while."
        ).format(names="\n".join(session.missing))
        if session.state != State.Idle or not session.others.dialogs.confirm(question):
            return
        session.setState(State.Installing)
        ui.installLog.plainText = ""
        ui.installLog.visible = True
        session.showMessage(_("Installing; Slicer must stay open."), ui.installMessageLabel)
        session.others.installer.install(ui.installLog.appendPlainText, self._onInstalled, wheels)

    def _onInstalled(self, failure: str) -> None:
        session = self._session
        if session.state != State.Installing:
            return  # the end was reported already
        session.ui.installLog.visible = bool(failure)
        session.setState(State.Idle)
        session.showMessage(failure or _("Installed."), session.ui.installMessageLabel)
        self._probe.forget()
        self.enter()
