"""Draw the three linked slice views of a case off-screen, and pass the mouse to Slicer's own interaction."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from MidlineShiftLogic.scene.coordinates import as_array
from MidlineShiftLogic.scene.nodes import MeasurementNodes

SCAN, NORMAL, MOVED = "scan", "normal", "moved"
VIEWS = (SCAN, NORMAL, MOVED)
"""The scan with its landmarks, the scan warped back to normal, and the displacement over the scan."""
SHOWN_IN = {
    "landmarks": (SCAN,),
    "landmark_labels": (SCAN,),
    "ideal_midline": (SCAN, NORMAL),
    "deformed_midline": (SCAN,),
    "distance": (SCAN,),
    "grid": (MOVED,),
}
DISPLACEMENT_OPACITY = 0.6
SMALLEST_PX, LARGEST_PX = 64, 1600
FASTEST_PNG = 1
DRAG_QUALITY = 85
"""JPEG while something moves; a picture that stands still is lossless."""
BUTTONS = {"down": "LeftButtonPressEvent", "move": "MouseMoveEvent", "up": "LeftButtonReleaseEvent"}
NEAREST_MM, FARTHEST_MM = 20.0, 600.0
"""Limits of the field of view when zooming."""


class SliceViews:
    """Hold the views of one case.

    Args:
        app: ``trame_slicer.core.SlicerApp`` with the scene of the case.
        prefix: Makes the names of the views unique in the scene.
    """

    def __init__(self, app: Any, prefix: str):
        import vtk
        from trame_slicer.views import SliceView
        from trame_slicer.views.render_scheduler import NoScheduleRendering

        # trame-slicer observes an event that VTK calls deprecated, and says so for each view
        before = vtk.vtkObject.GetGlobalWarningDisplay()
        vtk.vtkObject.GlobalWarningDisplayOff()
        self._views = {
            name: SliceView(
                app.scene, app.app_logic, f"{prefix}{name}", scheduled_render_strategy=NoScheduleRendering()
            )
            for name in VIEWS
        }
        vtk.vtkObject.SetGlobalWarningDisplay(before)
        for view in self._views.values():
            view.render_window().SetMultiSamples(0)
            view.set_background_color([0, 0, 0])
            view.render_window().SetSize(SMALLEST_PX, SMALLEST_PX)
        self._nodes: MeasurementNodes | None = None

    @property
    def nodes(self) -> list[Any]:
        """The ``vtkMRMLSliceNode`` of each view."""
        return [self._slice_node(name) for name in VIEWS]

    def show(self, nodes: MeasurementNodes) -> None:
        """Show a measurement; without a displacement the second and the third view stay black."""
        self._nodes = nodes
        layers = {
            SCAN: (nodes.volume, None),
            NORMAL: (nodes.warped, None),
            MOVED: (None if nodes.magnitude is None else nodes.volume, nodes.magnitude),
        }
        for name, (background, foreground) in layers.items():
            view = self._views[name]
            view.set_background_volume_id(None if background is None else background.GetID())
            view.set_foreground_volume_id(None if foreground is None else foreground.GetID())
            view.set_foreground_opacity(DISPLACEMENT_OPACITY if foreground is not None else 0.0)
        for role, names in SHOWN_IN.items():
            node = nodes.node(role)
            display = None if node is None else node.GetDisplayNode()
            if display is not None:
                display.RemoveAllViewNodeIDs()
                for name in names:
                    display.AddViewNodeID(self._slice_node(name).GetID())

    def resize(self, name: str, width: int, height: int) -> None:
        """Set the size of a view in pixels; its field of view keeps its scale."""
        view = self._views[name]
        size = tuple(int(np.clip(one, SMALLEST_PX, LARGEST_PX)) for one in (width, height))
        if tuple(view.render_window().GetSize()) != size:
            view.render_window().SetSize(*size)
            view.interactor().SetSize(*size)
            view._logic.ResizeSliceNode(*size)

    def frame(self, centre_ras: np.ndarray, width_mm: float, height_mm: float) -> None:
        """Show a part of the slice, as large as fits, in every view.

        Args:
            centre_ras: (3,) RAS mm of its middle.
            width_mm, height_mm: Its size.
        """
        for name in VIEWS:
            node = self._slice_node(name)
            columns, rows = self._views[name].render_window().GetSize()
            pixel_mm = max(width_mm / columns, height_mm / rows)
            node.SetFieldOfView(columns * pixel_mm, rows * pixel_mm, node.GetFieldOfView()[2])
            place = np.linalg.inv(as_array(node.GetSliceToRAS())) @ (*centre_ras, 1.0)
            node.SetXYZOrigin(place[0], place[1], 0.0)

    def zoom(self, factor: float, name: str = SCAN, at: Sequence[float] | None = None) -> None:
        """Zoom all views by ``factor`` (above 1: nearer), around a place of one view.

        Args:
            factor: Ratio of the magnifications.
            name: The view that ``at`` is in.
            at: Fractions (x, y) of the view from its upper left corner; the middle if None.
        """
        node = self._slice_node(name)
        width, height, _ = node.GetFieldOfView()
        factor = float(np.clip(factor, width / FARTHEST_MM, width / NEAREST_MM))
        x, y = (0.5, 0.5) if at is None else at
        left, top, _ = node.GetXYZOrigin()
        shift = (1 - 1 / factor) * np.array([(x - 0.5) * width, (0.5 - y) * height])
        for other in self.nodes:
            own_width, own_height, own_depth = other.GetFieldOfView()
            other.SetFieldOfView(own_width / factor, own_height / factor, own_depth)
            other.SetXYZOrigin(left + shift[0], top + shift[1], 0.0)

    def pan(self, name: str, right: float, down: float) -> None:
        """Move the picture of all views by fractions of the size of one view."""
        width, height, _ = self._slice_node(name).GetFieldOfView()
        left, top, _ = self._slice_node(name).GetXYZOrigin()
        for other in self.nodes:
            other.SetXYZOrigin(left - right * width, top + down * height, 0.0)

    def mouse(self, name: str, kind: str, x: float, y: float) -> None:
        """Pass a mouse event to the view; Slicer's markups decide what it does.

        Args:
            kind: ``down``, ``move`` or ``up`` of the left button.
            x, y: Fractions of the view from its upper left corner.
        """
        view = self._views[name]
        width, height = view.render_window().GetSize()
        interactor = view.interactor()
        place = round(x * (width - 1)), round((1 - y) * (height - 1))
        interactor.SetEventInformation(*place, 0, 0, chr(0), 0, None)
        if kind == "down":
            interactor.InvokeEvent("MouseMoveEvent")  # what is under the pointer is found by moving
            interactor.InvokeEvent("MouseMoveEvent")
        interactor.InvokeEvent(BUTTONS[kind])

    def place_at(self, name: str, x: float, y: float) -> np.ndarray:
        """Return the (3,) RAS mm of a place in a view, given as fractions from its upper left corner."""
        view = self._views[name]
        width, height = view.render_window().GetSize()
        matrix = as_array(self._slice_node(name).GetXYToRAS())
        return (matrix @ (x * (width - 1), (1 - y) * (height - 1), 0.0, 1.0))[:3]

    def place_of(self, name: str, ras: np.ndarray) -> tuple[float, float]:
        """Return the fractions (x, y) from the upper left corner of a view where a RAS place is drawn."""
        view = self._views[name]
        width, height = view.render_window().GetSize()
        matrix = np.linalg.inv(as_array(self._slice_node(name).GetXYToRAS()))
        x, y = (matrix @ (*ras, 1.0))[:2]
        return float(x / (width - 1)), float(1 - y / (height - 1))

    def picture(self, name: str, moving: bool) -> bytes:
        """Draw a view; JPEG while something moves, else PNG."""
        from PIL import Image

        buffer = io.BytesIO()
        image = Image.fromarray(self.pixels(name))
        if moving:
            image.save(buffer, "JPEG", quality=DRAG_QUALITY)
        else:
            image.save(buffer, "PNG", compress_level=FASTEST_PNG)
        return buffer.getvalue()

    def pixels(self, name: str) -> np.ndarray:
        """Draw a view; return (row, column, 3) uint8, row 0 on top."""
        from slicer import vtkMRMLLayerDisplayableManager
        from vtk import vtkImageData
        from vtk.util.numpy_support import vtk_to_numpy

        view = self._views[name]
        view.interactor().Render()
        image = vtkImageData()
        vtkMRMLLayerDisplayableManager.RenderWindowBufferToImage(view.render_window(), image)
        width, height, _ = image.GetDimensions()
        return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, -1)[::-1, :, :3]

    def clear(self) -> None:
        """Show nothing, so that the volumes can be removed from the scene."""
        self._nodes = None
        for view in self._views.values():
            view.set_background_volume_id(None)
            view.set_foreground_volume_id(None)

    def _slice_node(self, name: str) -> Any:
        return self._views[name]._view_node
