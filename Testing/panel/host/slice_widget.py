"""A Slicer slice view in a Qt widget: drawn by Slicer's own displayable managers, moved by Qt's mouse."""

from __future__ import annotations

import numpy as np
from mrml_core import SliceView
from PySide6 import QtGui, QtWidgets
from PySide6.QtCore import Qt


class SliceWidget(QtWidgets.QLabel):
    """``qMRMLSliceWidget`` as far as panels and a hand on a mouse use it."""

    def __init__(self, core, name: str, size: tuple[int, int]):
        super().__init__()
        self.view = SliceView(core, name, "Axial", size)
        self.view.renderer.AddViewProp(self.view.picture)
        self.resize_view(*size)
        self.setMouseTracking(True)

    def _free(self) -> None:
        """Give the view's graphics memory back."""
        self.view.style.SetInteractor(None)
        self.view.managers.SetMRMLDisplayableNode(None)
        self.view.renderer.RemoveAllViewProps()
        self.view.window.Finalize()

    def resize_view(self, width: int, height: int) -> None:
        """What a splitter does."""
        self.view.window.SetSize(width, height)
        self.view.interactor.UpdateSize(width, height)
        self.view.logic.ResizeSliceNode(width, height)
        self.setFixedSize(width, height)

    def sliceView(self):
        return self

    def renderWindow(self):
        return self.view.window

    def scheduleRender(self):
        pass  # it is drawn when a picture is wanted

    def sliceLogic(self):
        return self.view.logic

    def mrmlSliceNode(self):
        return self.view.node

    def draw(self) -> None:
        """Show what the view shows now."""
        mapper = self.view.picture.GetMapper()
        mapper.SetInputConnection(self.view.logic.GetImageDataConnection())  # another one when layers change
        pixels = np.ascontiguousarray(self.view.pixels()[..., :3])
        height, width, _ = pixels.shape
        image = QtGui.QImage(pixels.data, width, height, pixels.strides[0], QtGui.QImage.Format_RGB888)
        self.setPixmap(QtGui.QPixmap.fromImage(image.copy()))

    def place(self, ras) -> tuple[int, int]:
        """RAS -> (x, y) of this widget, origin on top."""
        x, y = self.view.xy(ras)
        return round(float(x)), self.property("height") - 1 - round(float(y))

    def _tell(self, event, name: str) -> None:
        place = event.position()
        interactor = self.view.interactor
        x, y = int(place.x()), self.property("height") - 1 - int(place.y())
        interactor.SetEventInformation(x, y, 0, 0, chr(0), 0, None)
        interactor.InvokeEvent(name)

    def mouseMoveEvent(self, event):
        self._tell(event, "MouseMoveEvent")

    def mousePressEvent(self, event):
        self._tell(event, "MouseMoveEvent")
        self._tell(event, "LeftButtonPressEvent" if event.button() == Qt.LeftButton else "RightButtonPressEvent")

    def mouseReleaseEvent(self, event):
        self._tell(event, "LeftButtonReleaseEvent" if event.button() == Qt.LeftButton else "RightButtonReleaseEvent")

    def texts(self) -> dict[str, tuple[float, float]]:
        """The texts that are written into the view -> where, in parts of it from the lower left corner."""
        found = {}
        for prop in self._props():
            if prop.IsA("vtkTextActor") and prop.GetVisibility() and prop.GetInput():
                found[prop.GetInput()] = prop.GetPosition()
        return found

    def reach(self, text: str) -> tuple[float, float, float, float]:
        """(left, right, bottom, top) of a text that is written into the view, in parts of the view."""
        for prop in self._props():
            if prop.IsA("vtkTextActor") and prop.GetInput() == text:
                box = [0.0] * 4
                prop.GetBoundingBox(self.view.renderer, box)
                width, height = self.view.window.GetSize()
                x, y = prop.GetPosition()[0] * width, prop.GetPosition()[1] * height
                return (x + box[0]) / width, (x + box[1]) / width, (y + box[2]) / height, (y + box[3]) / height
        raise AssertionError(f"{text!r} is not in the view")

    def colour_bar(self):
        """(title, colours from low to high as (r, g, b), mm from, mm to, number of labels); None where there is no bar."""
        for prop in self._props():
            if prop.IsA("vtkScalarBarActor") and prop.GetVisibility():
                table = prop.GetLookupTable()
                low, high = table.GetRange()
                colours = [table.GetTableValue(i)[:3] for i in range(table.GetNumberOfTableValues())]
                return prop.GetTitle(), colours, low, high, prop.GetNumberOfLabels()
        return None

    def _props(self):
        props = self.view.renderer.GetViewProps()
        return [props.GetItemAsObject(index) for index in range(props.GetNumberOfItems())]
