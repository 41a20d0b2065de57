"""3D Slicer's MRML core without the application: a scene with its logics, saving, and slice views drawn off-screen.

``slicer-core`` is the real MRML library of Slicer (scene, markups, transforms, slice views). What Qt adds in the
application (widgets, modules) is not here. (A file called ``slicer_core.py`` would hide the package's own.)
"""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

import numpy as np
import pytest

# Pictures are compared, and EGL and OSMesa differ by some pixels.
if sys.platform.startswith("linux"):
    os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")

INSTALLABLE = sys.version_info[:2] < (3, 14) and (sys.platform, platform.machine()) in {
    ("linux", "x86_64"),
    ("win32", "AMD64"),
    ("darwin", "arm64"),
}
"""Where slicer-core has wheels, as the extra ``slicer`` in pyproject.toml says."""

try:
    import slicer
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy
except ImportError as error:
    if INSTALLABLE:  # these tests must not pass for want of a package that could be there
        raise ImportError("slicer-core is missing; install the extra 'slicer'") from error
    pytest.skip("slicer-core has no wheel for this platform and Python", allow_module_level=True)

LOGICS = {
    "Volumes": "vtkSlicerVolumesLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "Transforms": "vtkSlicerTransformLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "Tables": "vtkSlicerTablesLogic",
    "Texts": "vtkSlicerTextsLogic",
    "Plots": "vtkSlicerPlotsLogic",
}

DISPLAYABLE_MANAGERS = (
    "vtkMRMLModelSliceDisplayableManager",
    "vtkMRMLCrosshairDisplayableManager",
    "vtkMRMLMarkupsDisplayableManager",
    "vtkMRMLTransformsDisplayableManager2D",
    "vtkMRMLOrientationMarkerDisplayableManager",
    "vtkMRMLRulerDisplayableManager",
)


class SlicerCore:
    """A scene as the application has it at its start; ``slicer.mrmlScene`` is this one.

    Attributes:
        scene: ``vtkMRMLScene``. app: ``vtkSlicerApplicationLogic``. logics: module name -> its logic.
    """

    def __init__(self, folder: Path):
        """``folder``: for temporary files."""
        self.folder = folder
        self.scene = slicer.vtkMRMLScene()
        self.app = slicer.vtkSlicerApplicationLogic()
        self.app.SetMRMLScene(self.scene)
        self.app.SetTemporaryPath(str(folder))
        self.app.GetColorLogic().SetMRMLScene(self.scene)
        self.app.GetColorLogic().AddDefaultColorNodes()
        self.app.SetModuleLogic("Colors", self.app.GetColorLogic())
        self.app.SetSliceLogics(vtk.vtkCollection())
        self.app.SetViewLogics(vtk.vtkCollection())
        crosshair = slicer.vtkMRMLCrosshairNode()
        crosshair.SetCrosshairName("default")
        self.scene.AddNode(crosshair)
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(self.scene, True)
        self.logics = {}
        for name, kind in LOGICS.items():
            logic = getattr(slicer, kind)()
            logic.SetMRMLScene(self.scene)
            logic.SetMRMLApplicationLogic(self.app)
            self.app.SetModuleLogic(name, logic)
            self.logics[name] = logic
        slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self.scene)
        # Reading an .mrb goes through the remote-file logics.
        self._remote = slicer.vtkMRMLRemoteIOLogic()
        self._remote.SetMRMLScene(self.scene)
        self._remote.SetMRMLApplicationLogic(self.app)
        self._remote.GetCacheManager().SetRemoteCacheDirectory(str(folder))
        self._io = slicer.vtkDataIOManagerLogic()
        self._io.SetMRMLScene(self.scene)
        self._io.SetMRMLApplicationLogic(self.app)
        self._io.SetAndObserveDataIOManager(self._remote.GetDataIOManager())
        self._remote.AddDataIOToScene()
        slicer.mrmlScene = self.scene

    def node_ids(self) -> set[str]:
        """Ids of every node in the scene."""
        return {self.scene.GetNthNode(index).GetID() for index in range(self.scene.GetNumberOfNodes())}

    def save(self, path: Path) -> None:
        """Write the scene as .mrb, as Slicer's *Save* does."""
        self.scene.SetRootDirectory(str(path.parent))
        assert self.scene.WriteToMRB(str(path)), f"{path} was not written"

    def load(self, path: Path) -> None:
        """Add a saved .mrb to this scene."""
        assert self.scene.ReadFromMRB(str(path), False, None), f"{path} was not read"


def add_volume(core: SlicerCore, ijk_array: np.ndarray, affine_ras: np.ndarray, name="CT", parent=None):
    """A scalar volume node.

    Args:
        ijk_array: (i, j, k) values. affine_ras: (4, 4) index -> RAS mm. parent: transform node above it.
    """
    node = core.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    slicer.util.updateVolumeFromArray(node, np.ascontiguousarray(ijk_array.transpose(2, 1, 0)))
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(np.asarray(affine_ras, float)))
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().AutoWindowLevelOff()
    node.GetDisplayNode().SetWindowLevel(80, 40)
    if parent is not None:
        node.SetAndObserveTransformNodeID(parent.GetID())
    return node


class SliceView:
    """A slice view with Slicer's own displayable managers and mouse handling, drawn off-screen.

    Attributes:
        node: ``vtkMRMLSliceNode``. logic: ``vtkMRMLSliceLogic``.
    """

    def __init__(self, core: SlicerCore, name: str = "Red", orientation: str = "Axial", size=(600, 600)):
        self.window = vtk.vtkRenderWindow()
        self.window.SetOffScreenRendering(1)
        self.window.SetMultiSamples(0)
        self.renderer = vtk.vtkRenderer()
        self.renderer.GetActiveCamera().ParallelProjectionOn()
        self.window.AddRenderer(self.renderer)
        self.interactor = vtk.vtkRenderWindowInteractor()
        self.interactor.SetRenderWindow(self.window)
        self.interactor.Initialize()
        self.window.SetSize(*size)
        factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
        factory.SetMRMLApplicationLogic(core.app)
        for manager in DISPLAYABLE_MANAGERS:
            if not factory.IsDisplayableManagerRegistered(manager):
                factory.RegisterDisplayableManager(manager)
        self.managers = slicer.vtkMRMLDisplayableManagerGroup()
        self.managers.SetRenderer(self.renderer)
        self.managers.Initialize(factory, self.renderer)
        self.logic = slicer.vtkMRMLSliceLogic()
        self.logic.SetMRMLApplicationLogic(core.app)
        core.app.GetSliceLogics().AddItem(self.logic)
        self.style = slicer.vtkMRMLSliceViewInteractorStyle()
        self.style.SetSliceLogic(self.logic)
        self.style.SetDisplayableManagers(self.managers)
        self.logic.SetMRMLScene(core.scene)
        # A layout may have made the node; adding it again would give the logic another one outside the scene.
        self.node = core.scene.GetNodeByID(f"vtkMRMLSliceNode{name}")
        if self.node is None:
            self.node = self.logic.AddSliceNode(name)
        else:
            self.logic.SetSliceNode(self.node)
        self.node.SetOrientation(orientation)
        self.managers.SetMRMLDisplayableNode(self.node)
        self.interactor.SetInteractorStyle(vtk.vtkInteractorStyleUser())
        self.style.SetInteractor(self.interactor)
        self.mapper = vtk.vtkImageMapper()
        self.mapper.SetColorWindow(255)
        self.mapper.SetColorLevel(127.5)
        self.picture = vtk.vtkActor2D()
        self.picture.SetMapper(self.mapper)
        self.picture.GetProperty().SetDisplayLocationToBackground()

    def show(self, background, foreground=None, opacity: float = 0.5) -> None:
        """Put volumes into the view and fit it to the first."""
        layers = self.logic.GetSliceCompositeNode()
        layers.SetBackgroundVolumeID(background.GetID())
        layers.SetForegroundVolumeID(foreground.GetID() if foreground else None)
        layers.SetForegroundOpacity(opacity if foreground else 0.0)
        self.logic.ResizeSliceNode(*self.window.GetSize())
        self.logic.FitSliceToBackground()
        # the pipeline that ends in the picture changes with the layers
        self.mapper.SetInputConnection(self.logic.GetImageDataConnection())
        if not self.renderer.HasViewProp(self.picture):
            self.renderer.AddViewProp(self.picture)

    def pixels(self, path: Path | None = None) -> np.ndarray:
        """Draw; (row, column, 3) uint8, row 0 on top; also written as PNG if a path is given."""
        self.interactor.Render()
        grab = vtk.vtkWindowToImageFilter()
        grab.SetInput(self.window)
        grab.ReadFrontBufferOff()
        grab.Update()
        if path is not None:
            writer = vtk.vtkPNGWriter()
            writer.SetFileName(str(path))
            writer.SetInputConnection(grab.GetOutputPort())
            writer.Write()
        image = grab.GetOutput()
        width, height, _ = image.GetDimensions()
        return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, -1)[::-1]

    def xy(self, ras: np.ndarray) -> np.ndarray:
        """(3,) RAS -> (2,) display pixels, origin at the bottom left."""
        to_xy = vtk.vtkMatrix4x4()
        vtk.vtkMatrix4x4.Invert(self.node.GetXYToRAS(), to_xy)
        return np.array(to_xy.MultiplyPoint((*ras, 1.0))[:2])

    def drag(self, start: np.ndarray, stop: np.ndarray, steps: int = 5) -> None:
        """Left-button drag between display pixels, through Slicer's own interaction."""

        def move(place: np.ndarray) -> None:
            self.interactor.SetEventInformation(*(round(float(v)) for v in place), 0, 0, chr(0), 0, None)
            self.interactor.InvokeEvent("MouseMoveEvent")

        start, stop = np.asarray(start, float), np.asarray(stop, float)
        move(start)
        move(start)
        self.interactor.InvokeEvent("LeftButtonPressEvent")
        for step in range(1, steps + 1):
            move(start + (stop - start) * step / steps)
        self.interactor.InvokeEvent("LeftButtonReleaseEvent")
        self.interactor.Render()
