"""Stand-ins for the ctk and qMRML widgets that the panel's .ui file names: real Qt widgets on the real MRML scene."""

from __future__ import annotations

from typing import ClassVar

from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Property, Signal

HEADER = 24


class ctkCollapsibleButton(QtWidgets.QWidget):
    """A titled box that folds."""

    contentsCollapsed = Signal(bool)
    SIGNALS: ClassVar = {"contentsCollapsed(bool)": "contentsCollapsed"}

    def __init__(self, parent=None):
        super().__init__(parent)
        self._text, self._collapsed, self._hidden = "", False, []
        self.setContentsMargins(4, HEADER, 4, 4)

    def _set_text(self, text):
        self._text = text
        self.update()

    def _set_collapsed(self, collapsed):
        if collapsed == self._collapsed:
            return
        self._collapsed = collapsed
        if collapsed:
            children = [child for child in self.children() if isinstance(child, QtWidgets.QWidget)]
            self._hidden = [child for child in children if not child.isHidden()]
        for child in self._hidden:
            child.setVisible(not collapsed)
        self.setMaximumHeight(HEADER if collapsed else 16777215)
        self.contentsCollapsed.emit(collapsed)
        self.update()

    text = Property(str, lambda self: self._text, _set_text)
    collapsed = Property(bool, lambda self: self._collapsed, _set_collapsed)

    def mousePressEvent(self, event):
        if event.position().y() < HEADER:
            self._set_collapsed(not self._collapsed)

    def paintEvent(self, event):
        painter, option = QtGui.QPainter(self), QtWidgets.QStyleOptionButton()
        option.rect = QtCore.QRect(0, 0, self.property("width"), HEADER - 2)
        option.text = ("▸ " if self._collapsed else "▾ ") + self._text
        option.palette = self.property("palette")
        option.state = QtWidgets.QStyle.State_Enabled | QtWidgets.QStyle.State_Raised
        self.style().drawControl(QtWidgets.QStyle.CE_PushButton, option, painter, self)


class qMRMLWidget(QtWidgets.QWidget):
    """The root of a module's panel: it hands the scene on."""

    mrmlSceneChanged = Signal(object)
    SIGNALS: ClassVar = {"mrmlSceneChanged(vtkMRMLScene*)": "mrmlSceneChanged"}
    _scene = None

    def setMRMLScene(self, scene):
        self._scene = scene
        self.mrmlSceneChanged.emit(scene)

    def mrmlScene(self):
        return self._scene


class qMRMLNodeComboBox(QtWidgets.QComboBox):
    """A selector that lists the scene's nodes of some classes and follows the scene."""

    currentNodeChanged = Signal(object)
    SIGNALS: ClassVar = {"currentNodeChanged(vtkMRMLNode*)": "currentNodeChanged"}

    def __init__(self, parent=None):
        super().__init__(parent)
        self._options = {
            "nodeTypes": [], "addEnabled": True, "removeEnabled": True, "renameEnabled": False, "noneEnabled": False,
            "showHidden": False, "showChildNodeTypes": True, "selectNodeUponCreation": True, "noneDisplay": "None",
        }  # fmt: skip
        self._scene, self._tags, self._busy, self._current = None, [], False, ""
        self.currentIndexChanged.connect(self._index_changed)

    def setMRMLScene(self, scene):
        for tag in self._tags:
            self._scene.RemoveObserver(tag)
        self._scene, self._tags = scene, []
        if scene:
            events = (scene.NodeAddedEvent, scene.NodeRemovedEvent, scene.EndCloseEvent, scene.EndImportEvent)
            self._tags = [scene.AddObserver(event, lambda *_: self._fill()) for event in events]
        self._fill()

    def mrmlScene(self):
        return self._scene

    def _shown(self, node, kind) -> bool:
        hidden = node.GetHideFromEditors() and not self._options["showHidden"]
        return not hidden and (self._options["showChildNodeTypes"] or node.GetClassName() == kind)

    def _fill(self):
        if self._scene is None:
            return
        self._busy = True
        self.clear()
        if self._options["noneEnabled"]:
            self.addItem(self._options["noneDisplay"], "")
        for kind in self._options["nodeTypes"]:
            for i in range(self._scene.GetNumberOfNodesByClass(kind)):
                node = self._scene.GetNthNodeByClass(i, kind)
                if self._shown(node, kind):
                    self.addItem(node.GetName() or node.GetID(), node.GetID())
        self._busy = False
        index = self.findData(self._current)
        self.setCurrentIndex(index if index >= 0 else 0 if self.property("count") else -1)
        self._index_changed()

    def _index_changed(self, *_):
        if self._busy:
            return
        chosen = self.itemData(self.property("currentIndex")) or ""
        if chosen != self._current:
            self._current = chosen
            self.currentNodeChanged.emit(self.currentNode())

    def currentNode(self):
        return self._scene.GetNodeByID(self._current) if self._scene and self._current else None

    def setCurrentNode(self, node):
        self.setCurrentNodeID(node.GetID() if node else "")

    def setCurrentNodeID(self, node_id):
        self.setCurrentIndex(self.findData(node_id or ""))

    def _option(name, kind):
        def write(self, value):
            self._options[name] = value
            self._fill()

        return Property(kind, lambda self: self._options[name], write)

    nodeTypes = _option("nodeTypes", "QStringList")
    addEnabled = _option("addEnabled", bool)
    removeEnabled = _option("removeEnabled", bool)
    renameEnabled = _option("renameEnabled", bool)
    noneEnabled = _option("noneEnabled", bool)
    showChildNodeTypes = _option("showChildNodeTypes", bool)
    showHidden = _option("showHidden", bool)
    noneDisplay = _option("noneDisplay", str)
    selectNodeUponCreation = _option("selectNodeUponCreation", bool)
    del _option


STUBS = {cls.__name__: cls for cls in (ctkCollapsibleButton, qMRMLWidget, qMRMLNodeComboBox)}
