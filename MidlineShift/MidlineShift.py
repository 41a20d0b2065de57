"""The Slicer module: midline shift on head CT, from a scan to a reviewed number. Research use only."""

import sys
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)

# Run from a checkout only this folder is on the path; installed, the package lies beside this file.
_CHECKOUT = Path(__file__).resolve().parents[1]
if (_CHECKOUT / "MidlineShiftLogic" / "__init__.py").is_file() and str(_CHECKOUT) not in sys.path:
    sys.path.append(str(_CHECKOUT))

KEYS = {"PgUp": "pageUp", "PgDown": "pageDown", "Home": "goToCase"}


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
        slicer.app.connect("startupCompleted()", registerSampleData)


def registerSampleData():
    """Put the shipped synthetic scans into the Sample Data module; nothing is downloaded."""
    import SampleData

    for name, sample in (("MidlineShiftSample", "sample_shifted"), ("MidlineShiftUnshifted", "sample_unshifted")):
        path = sampleScan(f"{sample}.nii.gz")
        SampleData.SampleDataLogic.registerCustomSampleDataSource(
            category="Midline Shift",
            sampleName=name,
            uris=path.as_uri(),
            fileNames=path.name,
            nodeNames=sample,
            thumbnailFileName=str(Path(__file__).parent / "Resources" / "Icons" / "MidlineShift.png"),
        )


def sampleScan(name: str) -> Path:
    """A shipped scan: beside the installed module, or in the checkout."""
    installed = Path(__file__).parent / "Resources" / "SampleScans" / name
    return installed if installed.is_file() else _CHECKOUT / "Resources" / "SampleScans" / name


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
        self.panel = Panel(self.ui, self.logic.getParameterNode, self.collaborators())
        self._shortcuts = []

    def enter(self):
        """Called by Slicer whenever the module is shown."""
        for key, method in KEYS.items():
            shortcut = qt.QShortcut(qt.QKeySequence(key), slicer.util.mainWindow() or self.parent)
            shortcut.connect("activated()", getattr(self.panel.review, method))
            self._shortcuts.append(shortcut)
        self.panel.enter()

    def exit(self):
        """Called by Slicer when another module is shown: the keys are other modules' again."""
        for shortcut in self._shortcuts:
            shortcut.setParent(None)
            shortcut.delete()
        self._shortcuts = []

    def cleanup(self):
        """Called by Slicer when the module is unloaded."""
        self.exit()
        self.panel.cleanup()


class MidlineShiftLogic(ScriptedLoadableModuleLogic):
    """The parameter node. What measures lies in the package of the same name and runs in a child process."""

    def getParameterNode(self):
        from MidlineShiftLib.parameternode import MidlineShiftParameterNode

        return MidlineShiftParameterNode(super().getParameterNode())


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
        while widget.panel.state.value != "idle":
            slicer.app.processEvents()
        self.assertIn("to the left", widget.ui.shiftLabel.text)
        self.delayDisplay("Measured: " + widget.ui.shiftLabel.text)
