"""Stand-ins for the ctk and qMRML widgets that the panel's .ui file names: real Qt widgets on the real MRML scene."""

from __future__ import annotations

from typing import ClassVar

from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Property, Signal

HEADER = 24


class ctkCollapsibleButton(QtWidgets.QAbstractButton):
    """A titled box that folds: a child that is shown while it is folded is hidden again, and shown on unfolding."""

    contentsCollapsed = Signal(bool)
    SIGNALS: ClassVar = {"contentsCollapsed(bool)": "contentsCollapsed"}

    def __init__(self, parent=None):
        super().__init__(parent)
        self._collapsed, self._hidden = False, []
        self.setContentsMargins(4, HEADER, 4, 4)
        policy = QtWidgets.QSizePolicy
        self.setSizePolicy(policy.Preferred, policy.Preferred)

    def event(self, event):
        if event.type() == QtCore.QEvent.ChildPolished and isinstance(event.child(), QtWidgets.QWidget):
            event.child().installEventFilter(self)
        return super().event(event)

    def eventFilter(self, child, event):
        if self.__dict__.get("_collapsed") and event.type() == QtCore.QEvent.ShowToParent:
            if child not in self._hidden:
                self._hidden.append(child)
            child.hide()
        return False

    def _set_collapsed(self, collapsed):
        if collapsed == self._collapsed:
            return
        if collapsed:
            children = [child for child in self.children() if isinstance(child, QtWidgets.QWidget)]
            self._hidden = [child for child in children if not child.isHidden()]
            for child in self._hidden:
                child.hide()
        self._collapsed = collapsed
        if not collapsed:
            for child in self._hidden:
                child.show()
        self.setMaximumHeight(HEADER if collapsed else 16777215)
        self.contentsCollapsed.emit(collapsed)
        self.update()

    collapsed = Property(bool, lambda self: self._collapsed, _set_collapsed)

    def sizeHint(self):
        layout = self.layout()
        return QtCore.QSize(100, HEADER) if layout is None or self._collapsed else layout.totalSizeHint()

    def minimumSizeHint(self):
        layout = self.layout()
        return QtCore.QSize(20, HEADER) if layout is None or self._collapsed else layout.totalMinimumSize()

    def mousePressEvent(self, event):
        if event.position().y() < HEADER:
            self._set_collapsed(not self._collapsed)

    def paintEvent(self, event):
        painter, option = QtGui.QPainter(self), QtWidgets.QStyleOptionButton()
        option.rect = QtCore.QRect(0, 0, self.property("width"), HEADER - 2)
        option.text = ("▸ " if self._collapsed else "▾ ") + self.property("text")
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


class qMRMLNodeComboBox(QtWidgets.QWidget):
    """A selector that lists the scene's nodes of some classes and follows the scene; no combo box itself, as in Slicer."""

    currentNodeChanged = Signal(object)
    SIGNALS: ClassVar = {"currentNodeChanged(vtkMRMLNode*)": "currentNodeChanged"}

    def __init__(self, parent=None):
        super().__init__(parent)
        self._options = {
            "nodeTypes": [], "addEnabled": True, "removeEnabled": True, "renameEnabled": False, "noneEnabled": False,
            "showHidden": False, "showChildNodeTypes": True, "selectNodeUponCreation": True, "noneDisplay": "None",
        }  # fmt: skip
        self._scene, self._tags, self._busy, self._current, self._attributes = None, [], False, "", []
        self._box = QtWidgets.QComboBox()
        QtWidgets.QVBoxLayout(self).addWidget(self._box)
        self.layout().setContentsMargins(0, 0, 0, 0)
        self._box.setSizePolicy(QtWidgets.QSizePolicy.Ignored, QtWidgets.QSizePolicy.Fixed)
        self._box.currentIndexChanged.connect(self._index_changed)

    def setMRMLScene(self, scene):
        for tag in self._tags:
            self._scene.RemoveObserver(tag)
        for node, tag in self.__dict__.pop("_followed", {}).values():
            node.RemoveObserver(tag)
        self._scene, self._tags = scene, []
        if scene:
            events = (scene.NodeAddedEvent, scene.NodeRemovedEvent, scene.EndCloseEvent, scene.EndImportEvent)
            self._tags = [scene.AddObserver(event, lambda *_: self._fill()) for event in events]
        self._fill()

    def mrmlScene(self):
        return self._scene

    def addAttribute(self, kind, name, value=None):
        self._attributes.append((kind, name, value))
        self._fill()

    def _shown(self, node, kind) -> bool:
        if node.GetHideFromEditors() and not self._options["showHidden"]:
            return False
        if not self._options["showChildNodeTypes"] and node.GetClassName() != kind:
            return False
        return all(
            node.GetAttribute(name) is not None and value in (None, node.GetAttribute(name))
            for of, name, value in self._attributes
            if of == kind
        )

    def _fill(self):
        if self._scene is None:
            return
        self._busy = True
        self._box.clear()
        if self._options["noneEnabled"]:
            self._box.addItem(self._options["noneDisplay"], "")
        for kind in self._options["nodeTypes"]:
            for i in range(self._scene.GetNumberOfNodesByClass(kind)):
                node = self._scene.GetNthNodeByClass(i, kind)
                self._follow(node)
                if self._shown(node, kind):
                    self._box.addItem(node.GetName() or node.GetID(), node.GetID())
        self._busy = False
        index = self._box.findData(self._current)
        self._box.setCurrentIndex(index if index >= 0 else 0 if self._box.property("count") else -1)
        self._index_changed()

    def _follow(self, node):
        """An attribute may be set after the node was added: Slicer's model follows each node."""
        followed = self.__dict__.setdefault("_followed", {})
        if node.GetID() not in followed:
            followed[node.GetID()] = node, node.AddObserver("ModifiedEvent", self._node_modified)

    def _node_modified(self, node, event):
        listed = self._box.findData(node.GetID()) >= 0
        wanted = any(node.IsA(kind) and self._shown(node, kind) for kind in self._options["nodeTypes"])
        if listed != wanted and not self._busy and node.GetScene() is self._scene:
            self._fill()

    def _index_changed(self, *_):
        if self._busy:
            return
        chosen = self._box.itemData(self._box.property("currentIndex")) or ""
        if chosen != self._current:
            self._current = chosen
            self.currentNodeChanged.emit(self.currentNode())

    def currentNode(self):
        return self._scene.GetNodeByID(self._current) if self._scene and self._current else None

    def nodeCount(self):
        return self._box.property("count") - int(self._options["noneEnabled"])

    def nodeFromIndex(self, index):
        return self._scene.GetNodeByID(self._box.itemData(index + int(self._options["noneEnabled"])) or "")

    def setCurrentNode(self, node):
        self.setCurrentNodeID(node.GetID() if node else "")

    def setCurrentNodeID(self, node_id):
        self._box.setCurrentIndex(self._box.findData(node_id or ""))

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
