"""The Slicer module: it registers Midline Shift and says what it is. The measuring panel is not part of it yet."""

import qt
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import ScriptedLoadableModule, ScriptedLoadableModuleWidget


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


class MidlineShiftWidget(ScriptedLoadableModuleWidget):
    """The panel: for now it points to the command line."""

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        label = qt.QLabel(
            _(
                "Research use only; not a medical device. Measuring from this panel is not available yet; use the "
                "command line: midlineshift measure SCAN --out FOLDER"
            )
        )
        label.wordWrap = True
        self.layout.addWidget(label)
        self.layout.addStretch(1)
