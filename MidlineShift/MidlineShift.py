"""The Slicer module: midline shift on head CT, from a scan to a reviewed number. Research use only."""

import sys
from pathlib import Path

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)

# Run from a checkout only this folder is on the path; installed, the package is beside this file.
_CHECKOUT = Path(__file__).resolve().parents[1]
if (_CHECKOUT / "MidlineShiftLogic" / "__init__.py").is_file() and str(_CHECKOUT) not in sys.path:
    sys.path.append(str(_CHECKOUT))

SELF_TEST_SECONDS = 600
"""The self-test's measurement is given up after so long: a cold start on a slow computer takes a minute."""


class MidlineShift(ScriptedLoadableModule):
    """Registration: the module's name, its place in the menu, what it does and whom to thank."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("Midline Shift")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Quantification")]
        self.parent.dependencies = []
        self.parent.contributors = ["The SlicerMidlineShift contributors"]
        self.parent.helpText = _(
            "Measures brain midline shift on head CT: how many millimetres, to which side of the patient, on which "
            "slice. Research use only; not a medical device; not for diagnosis or treatment."
        )
        self.parent.acknowledgementText = _(
            "The method follows Gong et al., 'Diffusion Model based Semi-supervised Learning on Brain Hemorrhage "
            "Images for Efficient Midline Shift Quantification', IPMI 2023, arXiv 2301.00409."
        )
        slicer.app.connect("startupCompleted()", onStartupCompleted)


def onStartupCompleted():
    """Make samples and review layout known, the layout again after each import of a scene; clear up after a killed Slicer."""
    from MidlineShiftLib.services.run_folder import removeStaleFolders
    from MidlineShiftLib.services.samples import registerSamples
    from MidlineShiftLib.views.layouts import registerReviewLayout

    installed = Path(__file__).parent / "Resources" / "SampleScans"
    folder = installed if installed.is_dir() else _CHECKOUT / "Resources" / "SampleScans"
    registerSamples(folder, Path(__file__).parent / "Resources" / "Icons" / "MidlineShift.png")
    registerReviewLayout()
    slicer.mrmlScene.AddObserver(slicer.mrmlScene.EndImportEvent, lambda caller, event: registerReviewLayout())
    removeStaleFolders()


class MidlineShiftWidget(ScriptedLoadableModuleWidget):
    """Loads the panel's widgets and gives the panel its collaborators."""

    def collaborators(self):
        """Whom the panel works with; a test puts others here."""
        from MidlineShiftLib.services.dialogs import SlicerDialogs
        from MidlineShiftLib.services.install import SlicerInstaller
        from MidlineShiftLib.services.process import ChildProcess
        from MidlineShiftLib.session import Collaborators

        installer = SlicerInstaller(self.resourcePath("requirements.txt"))
        return Collaborators(installer, ChildProcess(), ChildProcess(), SlicerDialogs())

    def setup(self):
        from MidlineShiftLib.panel import Panel

        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/MidlineShift.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = MidlineShiftLogic()
        self.panel = Panel(uiWidget, self.ui, self.logic.getParameterNode, self.collaborators())

    def enter(self):
        """Take the views and keys up; Slicer calls it whenever the module is shown."""
        self.panel.enter()

    def exit(self):
        """Give the keys and the views back; Slicer calls it when another module is shown."""
        self.panel.exit()

    def cleanup(self):
        """End everything that goes on; Slicer calls it when the module is unloaded."""
        self.panel.cleanup()

    def onReload(self):
        """Load every file anew; Slicer's Reload button itself loads only this one."""
        forgetModules()
        ScriptedLoadableModuleWidget.onReload(self)


def forgetModules():
    """Let the panel's and the logic's files be loaded anew when they are imported next."""
    for name in [name for name in sys.modules if name.partition(".")[0] in ("MidlineShiftLib", "MidlineShiftLogic")]:
        del sys.modules[name]


class MidlineShiftLogic(ScriptedLoadableModuleLogic):
    """The parameter node, and measuring and exporting from Python without the panel.

    In Slicer's Python console::

        logic = slicer.util.getModuleLogic("MidlineShift")
        result = logic.measure(slicer.util.getNode("CT"), device="cpu")
        print(result.measurement.signed_shift_mm)           # positive toward the patient's left
        logic.exportResult(result, "results")
    """

    def getParameterNode(self):
        from MidlineShiftLib.parameternode import MidlineShiftParameterNode

        return MidlineShiftParameterNode(super().getParameterNode())

    def measure(self, volumeNode, model="", device="auto", timeoutSeconds=SELF_TEST_SECONDS):
        """Measure a volume in a child process, put the result into the scene and wait for it.

        Args:
            volumeNode: scalar volume with Hounsfield units.
            model: name or folder; empty for the default. device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
            timeoutSeconds: the child is ended after so long.

        Returns:
            ``MidlineShiftLogic.scene.MeasurementNodes``: handle on the measurement and its nodes.

        Raises:
            RuntimeError: one sentence: not a scan, refused, a package is missing, or it took too long.
        """
        from MidlineShiftLib.scripting import measure

        return measure(volumeNode, model=model, device=device, timeoutSeconds=timeoutSeconds)

    def exportResult(self, result, folder, timeoutSeconds=SELF_TEST_SECONDS):
        """Write a measurement of the scene, with edits and review, into a folder of the case's name, and wait for it.

        Args:
            result: what ``measure`` returned, or a volume node that was measured. folder: where; made if needed.
            timeoutSeconds: as for ``measure``.

        Returns:
            ``pathlib.Path`` of the case's folder.

        Raises:
            RuntimeError: one sentence: no measurement, or the folder cannot be used.
        """
        from MidlineShiftLib.scripting import exportResult

        return exportResult(result, folder, timeoutSeconds=timeoutSeconds)


class MidlineShiftTest(ScriptedLoadableModuleTest):
    """Slicer's own self-test: the shipped scan is loaded, chosen and checked; measured where all is installed."""

    def setUp(self):
        slicer.mrmlScene.Clear()

    def runTest(self):
        self.setUp()
        self.test_sampleScan()

    def test_sampleScan(self):
        slicer.util.selectModule("MidlineShift")
        widget = slicer.modules.MidlineShiftWidget
        widget.ui.loadSampleButton.click()
        self.assertIn("All checks passed", widget.ui.scanLabel.text)
        if not widget.ui.measureButton.enabled:
            self.delayDisplay("Only loading was tested. " + widget.ui.measureButton.toolTip)
            return
        widget.ui.measureButton.click()
        from MidlineShiftLib.scripting import wait

        self.assertTrue(wait(lambda: widget.panel.state.value == "idle", SELF_TEST_SECONDS), "it took too long")
        self.assertIn("to the left", widget.ui.shiftLabel.text, widget.ui.statusLabel.text)
        self.delayDisplay("Measured: " + widget.ui.shiftLabel.text)
