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
        self.view.logic.ResizeSliceNode(*size)
        self.setFixedSize(*size)
        self.setMouseTracking(True)

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
