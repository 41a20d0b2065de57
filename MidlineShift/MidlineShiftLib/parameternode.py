"""The panel's parameters, kept in the scene: saved, closed and loaded with it."""

from typing import Annotated

from slicer import vtkMRMLScalarVolumeNode
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper

OVERLAYS = {
    "showLandmarks": "landmarks",
    "showIdealMidline": "ideal_midline",
    "showDeformedMidline": "deformed_midline",
    "showDistance": "distance",
    "showGrid": "grid",
}
"""Parameter -> part of ``MidlineShiftLogic.scene.PARTS`` that it switches."""


@parameterNodeWrapper
class MidlineShiftParameterNode:
    """Parameters of one case.

    ``model``: name or folder, empty for the default. ``device``: as of the command line. ``mildMm``, ``moderateMm`` and
    ``severeMm``: the shifts from which the number changes its colour. ``reason``: why a result is rejected, or a remark.
    """

    inputVolume: vtkMRMLScalarVolumeNode
    model: str = ""
    device: str = "auto"
    mildMm: Annotated[float, WithinRange(0.0, 30.0)] = 3.0
    moderateMm: Annotated[float, WithinRange(0.0, 30.0)] = 5.0
    severeMm: Annotated[float, WithinRange(0.0, 30.0)] = 10.0
    showLandmarks: bool = True
    showIdealMidline: bool = True
    showDeformedMidline: bool = True
    showDistance: bool = True
    showDisplacement: bool = True
    showGrid: bool = False
    showGridEverywhere: bool = False
    showHealthy: bool = False
    readerName: str = ""
    reason: str = ""
