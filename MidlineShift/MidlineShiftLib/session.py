"""What the panel's sections share: the state, the parameters, the scan, the measurement, and who works for them."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import slicer
from slicer.i18n import tr as _

from MidlineShiftLogic import scene
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.checks import check
from MidlineShiftLogic.measurement.slice_names import slice_name
from MidlineShiftLogic.scene.volume import MADE_FOR

from .editor import MeasurementEditor
from .parameternode import OVERLAYS, MidlineShiftParameterNode
from .services.child_run import ChildRun, Listener
from .services.dialogs import Dialogs
from .services.install import Installer
from .services.process import ProcessRunner
from .services.samples import SampleSource, SlicerSamples, isSynthetic
from .services.steps import StepRunner, TimedSteps
from .state import State
from .views.head_box import headBox
from .views.layouts import Overlays, SliceViews, Views, reviewTexts, scanTexts
from .views.texts import scanLine
from .views.window_presets import applyWindow


@dataclass(frozen=True)
class Collaborators:
    """Whom the panel works with; ``probeRunner`` asks for the devices while ``runner`` may measure."""

    installer: Installer
    runner: ProcessRunner
    probeRunner: ProcessRunner
    dialogs: Dialogs
    views: Views = field(default_factory=SliceViews)
    steps: StepRunner = field(default_factory=TimedSteps)
    samples: SampleSource = field(default_factory=SlicerSamples)


class Session:
    """The shared part of a panel; the sections' widgets are brought in line with it by ``update``.

    Attributes:
        ui: the widgets by name. others: collaborators. state: what the panel is doing.
        parameters: the parameter node of the current scene. ct: the selected scan, checked; None without one.
        scanText: what is known of the selected volume: its size and checks, or why it is no scan.
        missing: requirements that are not installed. editor: the reader's work on the measurement.
        shown: whether the module is the one that is shown.
    """

    def __init__(self, ui, others: Collaborators, update: Callable[[], None], viewsChanged: Callable[[], None]):
        """Begin idle; ``update`` is called when what is shown may have changed, ``viewsChanged`` when views came or went."""
        self.ui = ui
        self.others = others
        self.update = update
        self._viewsChanged = viewsChanged
        self.state = State.Idle
        self.parameters: MidlineShiftParameterNode | None = None
        self.missing: list[str] = []
        self.shown = False
        self.ct = None
        self.scanText = ""
        self._box = None
        self._ctOf = None
        self._bar = ui.progressBar
        self.editor = MeasurementEditor(
            update,
            lambda text: self.showMessage(text, ui.editMessageLabel),
            lambda text: self.showMessage(text, ui.decisionLabel),
            self.takeUpMeasurement,
        )
        self.run = ChildRun(others.runner, Listener(self.showProgress, self.fail))

    # ---- state and messages

    def setState(self, state: State) -> None:
        """Change the state; all sections follow."""
        self.state = state
        self.update()

    def messageLabel(self):
        """Return the label beside the button that started what goes on."""
        if self.state == State.GeneratingPseudoHealthy:
            return self.ui.healthyLabel
        return self.ui.exportLabel if self.state == State.Exporting else self.ui.statusLabel

    def showMessage(self, text: str, label=None) -> None:
        """Show a message beside the button that it answers.

        Args:
            label: where; beside the button that started what goes on if None.
        """
        ui = self.ui
        label = label or self.messageLabel()
        label.text = text
        if label in (ui.scanMessageLabel, ui.installMessageLabel, ui.editMessageLabel, ui.decisionLabel):
            label.visible = bool(text)

    def clearMessages(self) -> None:
        """Take away what was said of earlier work; an installation that goes on keeps its message."""
        ui = self.ui
        labels = [ui.statusLabel, ui.scanMessageLabel, ui.editMessageLabel, ui.decisionLabel, ui.exportLabel]
        if self.state != State.Installing:
            labels.append(ui.installMessageLabel)
        for label in labels:
            self.showMessage("", label)

    def fail(self, sentence: str, details: str = "") -> None:
        """End the work in progress with one sentence for the user and what the child printed."""
        label = self.messageLabel()
        self.setState(State.Idle)
        self.switchHealthyOff()
        self.update()
        self.showMessage(sentence, label)
        self.showDetails(details)

    def showDetails(self, details: str) -> None:
        """Offer what the child printed; an empty text takes the offer away."""
        ui = self.ui
        ui.detailsText.plainText = details
        ui.detailsButton.visible = bool(details)
        ui.detailsButton.checked = False
        ui.detailsText.visible = False

    # ---- work

    def startWork(self, state: State, bar, start: Callable) -> None:
        """Begin work in the child process on the scan as it is now.

        Args:
            state: while it goes on. bar: shows how far it is. start: called with the scan, starts the child.
        """
        self.showDetails("")
        self.readScanAnew()
        if self.ct is None:
            self.switchHealthyOff()
            self.update()
            return
        self._bar = bar
        self.setState(state)
        bar.setRange(0, 0)
        self.showMessage(_("Starting…"))
        try:
            start(self.ct)
        except InputError as error:
            self.fail(str(error))
        except OSError as error:
            self.fail(_("The work could not be started ({error}).").format(error=error))

    def cancelWork(self) -> None:
        """End what goes on; the scene stays as it was."""
        label = self.messageLabel()
        self.setState(State.Cancelling)
        self.run.cancel()
        self.others.steps.stop()
        self.setState(State.Idle)
        self.switchHealthyOff()
        self.update()
        self.showMessage(_("Cancelled; the scene is as it was."), label)

    def showProgress(self, done: int, total: int, what: str, secondsLeft: float | None = None) -> None:
        """Show how far the work is."""
        self._bar.setRange(0, total)
        self._bar.setValue(done)
        text = _("{what}: {done} of {total}").format(what=what.capitalize(), done=done, total=total)
        if secondsLeft is not None and done < total:
            text += _(", about {seconds} s left").format(seconds=max(1, round(secondsLeft)))
        self.showMessage(text)

    # ---- scan

    def readScan(self) -> None:
        """Load and check the selected scan, once a volume."""
        volume = self.parameters.inputVolume
        if volume is None:
            self.forgetScan()
            self.scanText = _("Choose or load a head CT.")
        elif volume is not self._ctOf:
            self.ct, self.scanText = _checked(volume)
            self._box = None if self.ct is None else headBox(self.ct)
            self._ctOf = volume

    def readScanAnew(self) -> None:
        """Load the selected scan again: it may have been moved or changed since it was chosen."""
        self._ctOf = None
        self.readScan()

    def forgetScan(self) -> None:
        """Forget the scan that was loaded."""
        self.ct = self._ctOf = self._box = None

    # ---- measurement

    def takeUpMeasurement(self) -> None:
        """Work on the measurement that the scene holds of the selected scan; say so where none of them can be read."""
        volume = self.parameters.inputVolume
        found = scene.find_of_volume(volume) if volume is not None else []
        readable = [nodes for nodes in found if not nodes.damage]
        self.editor.attach(readable[-1] if readable else None)
        self.switchHealthyOff()
        self.readScan()
        self.showOverlays()
        self.update()
        if found and not readable:
            self.leaveReview()
            text = _("{damage} Measure this scan again, or load a result of it.")
            self.showMessage(text.format(damage=found[-1].damage), self.ui.statusLabel)

    def loseMeasurement(self) -> None:
        """Work on none, and hide what is drawn of the one whose text node somebody takes out of the scene."""
        _hide(self.editor.nodes)
        self.editor.attach(None)

    def wasMoved(self) -> bool:
        """Return whether the scan is elsewhere than where it was measured."""
        return self.editor.nodes is not None and scene.was_moved(self.editor.nodes)

    def showMeasurement(self, measurement, dense, finished: Callable[[], None]) -> None:
        """Put a measurement into the scene in place of the one there is, bit by bit; then call ``finished``."""
        volume, old = self.parameters.inputVolume, self.editor.nodes
        steps = scene.build_steps(volume, self.ct, measurement, dense)

        def built(nodes) -> None:
            self.setState(State.Idle)
            if old is not None:
                scene.remove(old)
            self.editor.attach(nodes)
            self.parameters.showHealthy = False
            self.clearMessages()
            for box in (self.ui.scanBox, self.ui.modelBox):
                box.collapsed = True
            finished()

        def failed(error: Exception) -> None:
            if not isinstance(error, InputError):
                self.fail(_("The result could not be shown."), repr(error))
                raise error
            self.fail(str(error))

        self._bar = self.ui.progressBar
        self.setState(State.Showing)
        self.others.steps.start(
            steps, lambda done, total: self.showProgress(done, total, _("showing the result")), built, failed
        )

    # ---- views

    def showOverlays(self) -> None:
        """Bring what is drawn over the scan in line with the parameters; nothing of other scans is drawn over it."""
        nodes, parameters = self.editor.nodes, self.parameters
        for other in scene.find_all(slicer.mrmlScene):
            if other != nodes:
                _hide(other)
        if nodes is None:
            return
        for parameter, part in OVERLAYS.items():
            visible = getattr(parameters, parameter)
            if scene.is_visible(nodes, part) != visible:
                scene.set_visible(nodes, part, visible)
        magnitude = nodes.magnitude if parameters.showDisplacement else None
        healthy = nodes.healthy if parameters.showHealthy else None
        self.others.views.placeOverlays(nodes, Overlays(magnitude, healthy, parameters.showGridEverywhere))

    def showScanLayout(self) -> None:
        """Show one large view of the selected scan, at the slice that was shown."""
        shown = self.editor.shown
        self.others.views.showScan(self.parameters.inputVolume, self._box)
        self._followViews(shown)

    def showReviewLayout(self) -> None:
        """Show the views for a review, all at the slice that was shown."""
        nodes, shown = self.editor.nodes, self.editor.shown
        if nodes is None or nodes.volume is None:
            self.showMessage(_("The scan of this measurement is no longer in the scene."), self.ui.editMessageLabel)
            return
        if not self.others.views.showReview(nodes.volume, nodes.warped, self._box):
            self.showMessage(_("Not every view of the review can be shown here."), self.ui.editMessageLabel)
        self._followViews(shown)

    def leaveReview(self) -> None:
        """Show the scan alone where nothing says any more what the pictures beside it are: one of them looks like a scan."""
        if not self.shown or self.editor.nodes is not None or self.parameters.inputVolume is None:
            return
        if self.others.views.isReview():
            self.showScanLayout()

    def _followViews(self, shown: int | None) -> None:
        self.showOverlays()
        self.editor.followViews()
        self._viewsChanged()
        if shown is not None:
            self.editor.goTo(shown)
        self.showTexts()

    def showTexts(self) -> None:
        """Write the case, the slice and what each view shows into the views."""
        views, volume = self.others.views, self.parameters.inputVolume
        if volume is None or not self.shown:
            views.showTexts({})
            return
        case = volume.GetName() + (f" · {_('synthetic')}" if isSynthetic(volume) else "")
        nodes = self.editor.nodes
        if nodes is None:
            views.showTexts(scanTexts(case, ""))
        elif not views.isReview():
            views.showTexts(scanTexts(case, self.nameOf(self.editor.shown)))
        else:
            parameters = self.parameters
            views.showTexts(
                reviewTexts(
                    case,
                    self.nameOf(self.editor.shown),
                    warped=nodes.warped is not None,
                    healthy=self.hasHealthy() and parameters.showHealthy,
                    magnitude=nodes.magnitude if parameters.showDisplacement else None,
                    edited=nodes.measurement.edited,
                )
            )

    def nameOf(self, index: int | None) -> str:
        """Return name of a slice as the PACS counts it; empty for None."""
        if index is None or self.editor.nodes is None:
            return ""
        sources = self.editor.nodes.geometry.source_slices
        return slice_name(self.editor.measurement, index, sources[index] if sources else ())

    def setWindow(self, window: float, level: float) -> None:
        """Give the scan and what is shown beside it one window."""
        nodes = self.editor.nodes
        beside = [] if nodes is None else [nodes.warped, nodes.healthy]
        applyWindow([self.parameters.inputVolume, *beside], window, level)

    # ---- pseudo-healthy image

    def hasHealthy(self) -> bool:
        """Return whether the measurement has a pseudo-healthy image."""
        return self.editor.nodes is not None and self.editor.nodes.healthy is not None

    def switchHealthyOff(self) -> None:
        """Switch the pseudo-healthy image off, unless there is one to be shown."""
        if not self.hasHealthy() and self.parameters.showHealthy:
            self.parameters.showHealthy = False


def _hide(nodes) -> None:
    """Draw nothing of a measurement."""
    for part in scene.PARTS:
        if scene.is_visible(nodes, part):
            scene.set_visible(nodes, part, False)


def _checked(volume):
    """Return (scan or None, what is known of it)."""
    try:
        ct = scene.head_ct_from_volume(volume)
    except InputError as error:
        return None, str(error)
    ct = replace(ct, quality=tuple(dict.fromkeys((*ct.quality, *check(ct)))))
    return ct, scanLine(ct)


def isOwn(volume) -> bool:
    """Return whether a volume was made by the panel and is no scan."""
    return bool(volume.GetAttribute(MADE_FOR)) or any(
        volume is nodes.node(role)
        for nodes in scene.find_all(slicer.mrmlScene)
        for role in ("warped", "magnitude", "healthy")
    )
