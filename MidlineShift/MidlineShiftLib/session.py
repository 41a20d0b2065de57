"""What the panel's sections share: the state, the parameters, the scan, the measurement, and who works for them."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from MidlineShiftLogic import scene
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.checks import check

from .editor import MeasurementEditor
from .parameternode import OVERLAYS, MidlineShiftParameterNode
from .services.child_run import ChildRun, Listener
from .services.dialogs import Dialogs
from .services.install import Installer
from .services.process import ProcessRunner
from .state import State
from .views.layouts import SliceViews, Views


@dataclass(frozen=True)
class Collaborators:
    """Whom the panel works with; ``probeRunner`` asks for the devices while ``runner`` may measure."""

    installer: Installer
    runner: ProcessRunner
    probeRunner: ProcessRunner
    dialogs: Dialogs
    views: Views = field(default_factory=SliceViews)


class Session:
    """The shared part of a panel; the sections' widgets are brought in line with it by ``update``.

    Attributes:
        ui: the widgets by name. others: collaborators. state: what the panel is doing.
        parameters: the parameter node of the current scene. ct: the selected scan, checked; None without one.
        scanText: what is known of the selected volume: its size and checks, or why it is no scan.
        missing: requirements that are not installed. editor: the reader's work on the measurement.
    """

    def __init__(self, ui, others: Collaborators, update: Callable[[], None]):
        """``update``: called when anything that is shown may have changed."""
        self.ui = ui
        self.others = others
        self.update = update
        self.state = State.Idle
        self.parameters: MidlineShiftParameterNode | None = None
        self.missing: list[str] = []
        self.ct = None
        self.scanText = ""
        self._ctOf = None
        self.editor = MeasurementEditor(update, self.say)
        self.run = ChildRun(others.runner, Listener(self._onProgress, self.fail))

    # ---- state and messages

    def setState(self, state: State) -> None:
        """Change the state; all sections follow."""
        self.state = state
        self.update()

    def say(self, text: str) -> None:
        """Show a message to the user."""
        self.ui.statusLabel.text = text
        if self.state == State.GeneratingPseudoHealthy:
            self.ui.healthyLabel.text = text

    def fail(self, sentence: str, details: str = "") -> None:
        """End the work in progress with one sentence for the user and what the child printed."""
        self.setState(State.Idle)
        self.switchHealthyOff()
        self.say(sentence)
        self.showDetails(details)

    def showDetails(self, details: str) -> None:
        """Offer what the child printed; an empty text takes the offer away."""
        ui = self.ui
        ui.detailsText.plainText = details
        ui.detailsButton.visible = bool(details)
        ui.detailsButton.checked = False
        ui.detailsText.visible = False

    # ---- work in the child process

    def startWork(self, state: State, bar, start: Callable) -> None:
        """Begin work on the scan as it is now.

        Args:
            state: while it goes on. bar: shows how far it is. start: called with the scan, starts the child.
        """
        self.showDetails("")
        self.readScanAnew()
        if self.ct is None:
            self.switchHealthyOff()
            self.update()
            return
        try:
            start(self.ct)
        except OSError as error:
            self.fail(f"The work could not be started ({error}).")
            return
        bar.setRange(0, 0)
        self.say("Starting…")
        self.setState(state)

    def cancelWork(self) -> None:
        """End the child; the scene stays as it was."""
        self.setState(State.Cancelling)
        self.run.cancel()
        self.say("Cancelled; the scene is as it was.")
        self.setState(State.Idle)
        self.switchHealthyOff()

    def _onProgress(self, done: int, total: int, what: str, secondsLeft: float | None) -> None:
        ui = self.ui
        bar = ui.healthyProgressBar if self.state == State.GeneratingPseudoHealthy else ui.progressBar
        bar.setRange(0, total)
        bar.setValue(done)
        left = "" if secondsLeft is None or done >= total else f", about {max(1, round(secondsLeft))} s left"
        self.say(f"{what.capitalize()}: {done} of {total}{left}")

    # ---- scan

    def readScan(self) -> None:
        """Load and check the selected scan, once a volume."""
        volume = self.parameters.inputVolume
        if volume is None:
            self.forgetScan()
            self.scanText = "Choose or load a head CT."
        elif volume is not self._ctOf:
            self.ct, self.scanText = _checked(volume)
            self._ctOf = volume

    def readScanAnew(self) -> None:
        """Load the selected scan again: it may have been moved or changed since it was chosen."""
        self._ctOf = None
        self.readScan()

    def forgetScan(self) -> None:
        """Forget the scan that was loaded."""
        self.ct = self._ctOf = None

    # ---- measurement

    def takeUpMeasurement(self) -> None:
        """Work on the measurement that the scene holds of the selected scan."""
        volume = self.parameters.inputVolume
        found = scene.find_of_volume(volume) if volume is not None else []
        self.editor.attach(found[-1] if found else None)
        self.switchHealthyOff()
        self.showOverlays()
        self.readScan()
        self.update()

    def showMeasurement(self, measurement, dense) -> None:
        """Put a measurement into the scene in place of the one there is; InputError if it cannot be shown."""
        old = self.editor.nodes
        nodes = scene.build_scene(self.parameters.inputVolume, self.ct, measurement, dense)
        if old is not None:
            scene.remove(old)
        self.editor.attach(nodes)
        self.parameters.showHealthy = False
        self.ui.exportLabel.text = ""
        self.showOverlays()

    def showOverlays(self) -> None:
        """Bring what is drawn over the scan in line with the parameters."""
        nodes, views = self.editor.nodes, self.others.views
        if nodes is None:
            return
        for parameter, part in OVERLAYS.items():
            visible = getattr(self.parameters, parameter)
            if scene.is_visible(nodes, part) != visible:
                scene.set_visible(nodes, part, visible)
        views.placeOverlays(nodes, self.parameters.showGridEverywhere)
        views.showMagnitude(nodes.magnitude if self.parameters.showDisplacement else None)
        views.showHealthy(nodes.healthy if self.parameters.showHealthy else None)

    def showScanLayout(self) -> None:
        """One large view of the selected scan."""
        self.others.views.showScan(self.parameters.inputVolume)
        self.editor.followViews()

    def showReviewLayout(self) -> None:
        """The views for a review, all at the slice that was shown."""
        nodes, shown = self.editor.nodes, self.editor.shown
        self.others.views.showReview(nodes.volume, nodes.warped)
        self.showOverlays()
        self.editor.followViews()
        self.editor.goTo(shown)

    def hasHealthy(self) -> bool:
        """Whether the measurement has a pseudo-healthy image."""
        return self.editor.nodes is not None and self.editor.nodes.healthy is not None

    def switchHealthyOff(self) -> None:
        """Switch the pseudo-healthy image off, unless there is one to be shown."""
        if not self.hasHealthy():
            self.parameters.showHealthy = False


def _checked(volume):
    """(scan or None, what is known of it)."""
    try:
        ct = scene.head_ct_from_volume(volume)
    except InputError as error:
        return None, str(error)
    ct = replace(ct, quality=tuple(dict.fromkeys((*ct.quality, *check(ct)))))
    return ct, scanLine(ct)


def scanLine(ct) -> str:
    """Write size and checks of a ``HeadCT`` in one line: the worst flag is shown, others are counted."""
    row, column = ct.pixel_spacing
    step = abs(ct.heights[-1] - ct.heights[0]) / max(ct.n_slices - 1, 1)
    size = f"{ct.n_slices} slices of {ct.hu.shape[2]} × {ct.hu.shape[1]}, {column:.2f} × {row:.2f} × {step:.1f} mm."
    fatal = [flag for flag in ct.quality if flag.severity == "fatal"]
    warnings = [flag for flag in ct.quality if flag.severity == "warning"]
    if fatal:
        return f"{size} Cannot be measured: {fatal[0].message}"
    if warnings:
        more = f" (and {len(warnings) - 1} more)" if len(warnings) > 1 else ""
        return f"{size} Look at it first: {warnings[0].message}{more}"
    return f"{size} All checks passed."
