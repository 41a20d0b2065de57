"""The pseudo-healthy image of a measurement: made in a child process when a reader asks for it, kept in the scene."""

from collections.abc import Callable

from slicer.i18n import tr as _

from MidlineShiftLogic import scene
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.scene.healthy import MADE_BY

from .child_run import ChildRun
from .jobs import healthyJob
from .models import ModelChoice


class PseudoHealthyImage:
    """Has the image of one measurement made, and puts it into the scene.

    Args:
        run: runs the child; shared with measuring, so only one of the two runs at a time.
        finished: called when the image is in the scene. failed: gets one sentence and details.
    """

    def __init__(self, run: ChildRun, finished: Callable[[], None], failed: Callable[[str, str], None]):
        self._run = run
        self._finished = finished
        self._failed = failed

    def start(self, nodes: "scene.MeasurementNodes", ct, model: str, device: str) -> None:
        """Start making the image of the measured slices; OSError if the child cannot be started.

        Args:
            nodes: the measurement. ct: its scan. model: of ``healthyJob``. device: of ``healthyJob``.
        """
        slices = [one.index for one in nodes.measurement.slices]
        self._run.start(ct, healthyJob(slices, model, device, lambda image: self._onMade(nodes, image)))

    def _onMade(self, nodes: "scene.MeasurementNodes", image) -> None:
        try:
            scene.add_healthy(nodes, image)
        except InputError as error:
            self._failed(str(error), "")
        else:
            self._finished()


def aboutImage(nodes: "scene.MeasurementNodes | None", model: ModelChoice | None, whyNot: str) -> str:
    """Return what to say below the switch: whose picture it is, or why there can be none (``whyNot``).

    Nothing of it reads as if the image could be relied on before the model passed its release checks.
    """
    if nodes is not None and nodes.healthy is not None:
        maker = nodes.healthy.GetAttribute(MADE_BY) or _("a model")
        return _("Pseudo-healthy: painted by {maker}, what it takes for normal. Not a scan.").format(maker=maker)
    if whyNot:
        return whyNot
    text = _("Pseudo-healthy: made when it is switched on, some seconds a slice.")
    if model is not None and not model.pseudoHealthyPassed:
        return text + " " + _("Experimental: this model did not pass its release checks.")
    return text


def whyNotGenerate(model: ModelChoice | None, models: list[ModelChoice], missing: list[str]) -> str:
    """Return why no image can be made; empty if one can.

    Args:
        model: the chosen one. models: all that can be chosen. missing: packages that are not installed.
    """
    if model is None or not model.generatesPseudoHealthy:
        able = next((one.label for one in models if one.generatesPseudoHealthy), "")
        if not able:
            return _("Pseudo-healthy: needs a model with denoisers.")
        text = _("Pseudo-healthy: needs a model with denoisers, such as {name} (2. Model and device).")
        return text.format(name=able)
    if missing:
        return _("Pseudo-healthy: install what is missing first (2. Model and device).")
    return ""
