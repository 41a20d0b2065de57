"""What the measuring child process needs that Slicer does not bring, and how it gets there."""

import contextlib
import importlib
import importlib.machinery
import importlib.util
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from slicer.i18n import tr as _

Log = Callable[[str], None]
Done = Callable[[str], None]


class Installer(Protocol):
    """Knows no widgets: log lines and the end are callbacks on the main thread. ``done`` is called once, however it ends."""

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
        """Return requirements that are not met. Nothing is imported: torch takes seconds and would fill the GUI process."""
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
        end = _Once(done)
        try:
            self._install(log, end, wheels)
        except Exception as error:  # whatever pip, Slicer or the extension raises, the panel must not stay locked
            log(str(error))
            end(_("The installation could not be started ({error}).").format(error=error))

    def _install(self, log: Log, end: Done, wheels: str) -> None:
        import slicer.packaging

        if slicer.packaging.isPipInstallInProgress():
            end(_("Another extension is installing Python packages; wait until it is done, then try again."))
            return
        missing = self.missing()
        torch = [] if wheels else [name for name in missing if _isTorch(name)]
        if torch:
            # Its choice of the build for this GPU is the PyTorch extension's business; from wheels it is the user's.
            failure = self._installTorch(torch[0], log)
            if failure:
                end(failure)
                return
        rest = [name for name in missing if name not in torch]
        if not rest:
            end("")
            return
        options = ["--no-index", "--find-links", wheels] if wheels else []

        def completed(code: int) -> None:
            importlib.invalidate_caches()
            end("" if code == 0 else _failure(rest, wheels))

        slicer.packaging.pip_install(
            [*options, *rest], blocking=False, show_progress=False, logCallback=log, completedCallback=completed
        )
        if slicer.app.testingEnabled():
            # Slicer installs blocking then, and calls nothing back.
            still = [name for name in self.missing() if name in rest]
            end(_failure(still, wheels) if still else "")

    def _installTorch(self, requirement: str, log: Log) -> str:
        """Install PyTorch; empty, or one sentence about what failed.

        The extension's function ends by importing torch: an empty module stands for it meanwhile, so that torch is not
        loaded in Slicer's own process. Measuring runs in a child process.
        """
        try:
            import PyTorchUtils
        except ImportError:
            return _(
                "The PyTorch extension is not installed: install it in Slicer's Extensions Manager, restart Slicer, and try "
                "again."
            )
        text = _("Installing {requirement} through the PyTorch extension; Slicer is busy until it is done.")
        log(text.format(requirement=requirement))
        failed = False
        try:
            with _torchStaysOut():
                PyTorchUtils.PyTorchUtilsLogic().installTorch(
                    askConfirmation=False, torchVersionRequirement=requirement.removeprefix("torch")
                )
        except Exception as error:  # whatever pip or the extension raises, the user gets a sentence
            log(str(error))
            failed = True
        importlib.invalidate_caches()
        if requirement not in self.missing():
            return ""  # also where the extension could not do with the empty module what it wanted after installing
        if failed:
            return _("Installing PyTorch failed; the log above says why. The module PyTorch Utils can install it too.")
        return _("PyTorch was not installed; restart Slicer and try again.")


@contextlib.contextmanager
def _torchStaysOut() -> Iterator[None]:
    """Let ``import torch`` give an empty module, unless torch is loaded already; nothing is left of it at the end."""
    if "torch" in sys.modules:
        yield
        return
    empty = types.ModuleType("torch", "Stands for PyTorch while it is being installed.")
    empty.__spec__ = importlib.machinery.ModuleSpec("torch", None)
    empty.__version__ = "(just installed, not loaded)"
    sys.modules["torch"] = empty
    try:
        yield
    finally:
        if sys.modules.get("torch") is empty:
            del sys.modules["torch"]


class _Once:
    """Calls a function the first time only: an end may be reported by a callback and by the way back."""

    def __init__(self, done: Done):
        self._done: Done | None = done

    def __call__(self, failure: str) -> None:
        done, self._done = self._done, None
        if done is not None:
            done(failure)


def _failure(names: list[str], wheels: str) -> str:
    if wheels:
        where = _("the folder {folder} may lack a wheel").format(folder=wheels)
    else:
        where = _("is there a network, or a proxy to be set?")
    text = _("Installing {names} failed ({where}); the log above says why.")
    return text.format(names=", ".join(names), where=where)


def _isTorch(requirement: str) -> bool:
    return requirement.partition(">")[0].strip() == "torch"
