"""What the machine can compute on, asked of torch in a child process."""

import json
from collections.abc import Callable

from slicer.i18n import tr as _

from .child_run import packageFolder, startupEnvironment
from .process import ProcessRunner, pythonExecutable


def choices() -> dict[str, str]:
    """Device as the command line names it -> what the selector shows."""
    return {
        "auto": _("Automatic"),
        "cpu": _("Processor (CPU)"),
        "cuda": _("NVIDIA GPU (CUDA)"),
        "mps": _("Apple GPU (MPS)"),
    }


class DeviceProbe:
    """Asks once for the devices; ``found`` gets the answer of ``MidlineShiftLogic.device.describe_devices``."""

    def __init__(self, runner: ProcessRunner, found: Callable[[dict], None]):
        self._runner = runner
        self._found = found
        self._answer: dict | None = None

    def ask(self) -> None:
        """Start asking, unless the answer is known or on its way."""
        if self._answer is None and not self._runner.running:
            command = [pythonExecutable(), "-m", "MidlineShiftLogic.device"]
            self._runner.start(command, self._line, self._ended, packageFolder(), startupEnvironment())

    def forget(self) -> None:
        """Stop asking; the next ``ask`` asks anew."""
        self._runner.stop()
        self._answer = None

    def _line(self, line: str) -> None:
        if line.startswith("{"):
            self._answer = json.loads(line)

    def _ended(self, code: int) -> None:
        if self._answer is not None:
            self._found(self._answer)


def sentence(answer: dict) -> str:
    """Return what was found, for the panel."""
    gpus = [f"{name} (cuda:{number})" for number, name in enumerate(answer["cuda"])]
    gpus += ["Apple GPU (mps)"] if answer["mps"] else []
    if not gpus:
        return _("No GPU that torch can use; the processor measures too, in seconds.")
    return _("Found: {names}.").format(names=", ".join(gpus))
