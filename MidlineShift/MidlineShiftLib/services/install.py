"""What the measuring child process needs that Slicer does not bring, and how it gets there."""

import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

Log = Callable[[str], None]
Done = Callable[[str], None]

NO_PYTORCH_EXTENSION = (
    "The PyTorch extension is not installed: install it in Slicer's Extensions Manager, restart Slicer, and try again."
)


class Installer(Protocol):
    """Told nothing of widgets: log lines and the end are callbacks on the main thread."""

    def missing(self) -> list[str]: ...

    def install(self, log: Log, done: Done, wheels: str = "") -> None: ...


class SlicerInstaller:
    """Installs through ``slicer.packaging`` and the PyTorch extension, never in a thread of ours and never unasked.

    Args:
        requirements: file with one requirement a line (``#`` starts a comment).
    """

    def __init__(self, requirements: str):
        self._requirements = Path(requirements)

    def missing(self) -> list[str]:
        """Requirements that are not met. Nothing is imported: torch takes seconds and would fill the GUI process."""
        import slicer.packaging

        importlib.invalidate_caches()
        lines = [line.partition("#")[0].strip() for line in self._requirements.read_text(encoding="utf-8").splitlines()]
        return [line for line in lines if line and not self._met(line, slicer.packaging)]

    @staticmethod
    def _met(requirement: str, packaging) -> bool:
        if _isTorch(requirement) and importlib.util.find_spec("torch") is None:
            return False
        return packaging.pip_check(requirement)

    def install(self, log: Log, done: Done, wheels: str = "") -> None:
        """Install what is missing; ``done`` gets an empty text, or one sentence about what failed.

        Args:
            log: gets every line of pip.
            wheels: folder of wheels to install from without a network; empty for the package index.
        """
        import slicer.packaging

        missing = self.missing()
        torch = [] if wheels else [name for name in missing if _isTorch(name)]
        if torch:
            # Its choice of the build for this GPU is the PyTorch extension's business; from wheels it is the user's.
            failure = self._installTorch(torch[0], log)
            if failure:
                done(failure)
                return
        rest = [name for name in missing if name not in torch]
        if not rest:
            done("")
            return
        options = ["--no-index", "--find-links", wheels] if wheels else []

        def completed(code: int) -> None:
            importlib.invalidate_caches()
            where = f"the folder {wheels} may lack a wheel" if wheels else "is there a network, or a proxy to be set?"
            done("" if code == 0 else f"Installing {', '.join(rest)} failed ({where}); the log above says why.")

        slicer.packaging.pip_install(
            [*options, *rest], blocking=False, show_progress=False, logCallback=log, completedCallback=completed
        )

    @staticmethod
    def _installTorch(requirement: str, log: Log) -> str:
        """Empty, or one sentence about what failed."""
        try:
            import PyTorchUtils
        except ImportError:
            return NO_PYTORCH_EXTENSION
        log(f"Installing {requirement} through the PyTorch extension; Slicer is busy until it is done.")
        try:
            PyTorchUtils.PyTorchUtilsLogic().installTorch(
                askConfirmation=False, torchVersionRequirement=requirement.removeprefix("torch")
            )
        except Exception as error:  # whatever pip or the extension raises, the user gets a sentence
            log(str(error))
            return "Installing PyTorch failed; the log above says why. The module PyTorch Utils can install it too."
        importlib.invalidate_caches()
        return "" if importlib.util.find_spec("torch") else "PyTorch was not installed; restart Slicer and try again."


def _isTorch(requirement: str) -> bool:
    return requirement.partition(">")[0].strip() == "torch"
