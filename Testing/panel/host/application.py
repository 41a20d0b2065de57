"""``Host``: one running "Slicer" for a test. It makes ``qt``, ``ctk`` and what is missing of ``slicer`` importable."""

from __future__ import annotations

import importlib
import os
import sys
import types
import xml.etree.ElementTree as ET
from pathlib import Path

import slicer
from mrml_core import SlicerCore
from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Signal

from host import fakes, pythonqt_shim
from host.slice_widget import SliceWidget
from host.stubs import STUBS, qMRMLNodeComboBox, qMRMLWidget
from host.ui_loader import QUiLoader

VIEWS_SIZE = (720, 480)
"""Width and height of the area of all views; tests and pictures may change it."""


def _application() -> QtWidgets.QApplication:
    return QtWidgets.QApplication.instance() or QtWidgets.QApplication(["host"])


def install() -> None:
    """Once a process: ``qt``, ``ctk`` and Slicer's Python modules."""
    if "qt" in sys.modules:
        return
    _application().setStyle("Fusion")
    pythonqt_shim.install()
    qt, ctk = types.ModuleType("qt"), types.ModuleType("ctk")
    for module in pythonqt_shim.MODULES:
        vars(qt).update({name: getattr(module, name) for name in dir(module) if not name.startswith("_")})
    vars(qt).update(pythonqt_shim.WRAPPED)
    qt.QUiLoader = QUiLoader
    for name, cls in STUBS.items():
        pythonqt_shim.apply_shim(cls)
        setattr(ctk if name.startswith("ctk") else slicer, name, cls)
    sys.modules.update({"qt": qt, "ctk": ctk, **fakes.modules()})
    for name in ("i18n", "ScriptedLoadableModule", "parameterNodeWrapper"):
        setattr(slicer, name, sys.modules[f"slicer.{name}"])


class LayoutManager:
    """Shows the views that a layout description names; other views it does not know."""

    def __init__(self, core: SlicerCore):
        self._core = core
        self._logic = slicer.vtkMRMLLayoutLogic()
        self._logic.SetMRMLApplicationLogic(core.app)
        self._logic.SetMRMLScene(core.scene)
        self._widgets: dict[str, SliceWidget] = {}
        self._shown = ""
        self._node = self._logic.GetLayoutNode()
        self._tag = self._node.AddObserver("ModifiedEvent", lambda *_: self._follow())
        self._follow()

    def _close(self) -> None:
        """Let the views go: an observer of a node would keep all that it names, some 30 MB a view, for good."""
        self._node.RemoveObserver(self._tag)
        for widget in self._widgets.values():
            widget._free()
        self._widgets.clear()

    def layoutLogic(self):
        return self._logic

    def mrmlScene(self):
        return self._core.scene

    @property
    def layout(self) -> int:
        return self._logic.GetLayoutNode().GetViewArrangement()

    def setLayout(self, number: int) -> None:
        """As Slicer's: nothing for the number that is shown, the conventional layout for an unknown one."""
        node = self._logic.GetLayoutNode()
        if number == node.GetViewArrangement():
            return
        known = node.IsLayoutDescription(number)
        node.SetViewArrangement(number if known else node.SlicerLayoutConventionalView)

    def sliceViewNames(self) -> tuple[str, ...]:
        """The slice views of the layout in use."""
        return tuple(name for name, _ in self.places(100, 100))

    def sliceWidget(self, name: str) -> SliceWidget | None:
        return self._widgets.get(name)

    def _follow(self) -> None:
        """Make the views of the layout in use; those of an earlier one stay."""
        description = self._logic.GetLayoutNode().GetCurrentLayoutDescription() or ""
        if description == self._shown:
            return
        self._shown = description
        for name, (_, _, width, height) in self.places(*VIEWS_SIZE):
            if name not in self._widgets:
                self._widgets[name] = SliceWidget(self._core, name, (width, height))
            self._widgets[name].resize_view(width, height)

    def places(self, width: int, height: int) -> list[tuple[str, tuple[int, int, int, int]]]:
        """Slice view -> (x, y, width, height) in an area for all views, as the layout's splitters say."""
        description = self._logic.GetLayoutNode().GetCurrentLayoutDescription()
        return _split(ET.fromstring(description), 0, 0, width, height) if description else []


def _split(layout, x: int, y: int, width: int, height: int):
    places = []
    items = layout.findall("item")
    weights = [float(item.get("splitSize", 1)) for item in items]
    for item, weight in zip(items, weights, strict=True):
        part = weight / sum(weights)
        across = layout.get("type") == "horizontal"
        own = (round(width * part), height) if across else (width, round(height * part))
        for child in item:
            if child.tag == "layout":
                places += _split(child, x, y, *own)
            elif child.get("class") == "vtkMRMLSliceNode":
                places.append((child.get("singletontag"), (x, y, *own)))
        x, y = (x + own[0], y) if across else (x, y + own[1])
    return places


GAP = 4
"""Pixels between the panel and the views of a picture."""


class CoreIO:
    """``coreIOManager``: what ``slicer.util.loadVolume`` asks of it."""

    def __init__(self, core: SlicerCore):
        self._core = core

    def loadNodes(self, kind, properties, loaded, messages=None) -> bool:
        path = str(properties["fileName"])
        if kind != "VolumeFile" or not os.path.isfile(path):
            return False
        name = properties.get("name") or Path(path).name.split(".")[0]
        node = self._core.logics["Volumes"].AddArchetypeVolume(path, name)
        if node is not None:
            loaded.AddItem(node)
        return node is not None


class Application(pythonqt_shim.QObject):
    """``slicer.app``."""

    startupCompleted = Signal()
    applicationName = "Slicer host"

    def __init__(self, core: SlicerCore):
        super().__init__()
        self._layouts, self._io, self._core = LayoutManager(core), CoreIO(core), core

    def layoutManager(self):
        return self._layouts

    def coreIOManager(self):
        return self._io

    def applicationLogic(self):
        return self._core.app

    def processEvents(self):
        _application().processEvents()

    testing = False

    def testingEnabled(self):
        return self.testing

    def startupEnvironment(self):
        environment = QtCore.QProcessEnvironment()
        for name, value in os.environ.items():
            environment.insert(name, value)
        return environment

    def topLevelWidgets(self):
        return _application().topLevelWidgets()


class Host:
    """A fresh scene, the views, and one loaded module.

    Attributes:
        core: scene and logics. window: main window. widget: the module's widget. failures: exceptions raised in slots.
    """

    def __init__(self, folder: Path):
        install()
        self.core = SlicerCore(folder)
        core = self.core.app
        assert core.GetInteractionNode() and core.GetSelectionNode()  # asking makes them, as the application does
        slicer.app = pythonqt_shim.apply_shim(Application)(self.core)
        slicer.packaging = fakes.Packaging()
        sys.modules["slicer.packaging"] = slicer.packaging
        slicer.modules = types.SimpleNamespace()
        self.selected: list[str] = []
        slicer.util.selectModule = self.selected.append
        self.window = QtWidgets.QMainWindow()
        slicer.util.mainWindow = lambda: self.window
        self.widget = None

    def load_module(self, path: Path, **attributes):
        """What Slicer does: parent object, module class, start-up, widget with ``setup`` and ``enter``.

        Args:
            attributes: set on the widget before ``setup``.
        """
        name = path.stem
        if str(path.parent) not in sys.path:
            sys.path.insert(0, str(path.parent))
        module = importlib.import_module(name)
        slicer.util.modulePath = lambda _: str(path)
        self.module = getattr(module, name)(types.SimpleNamespace(path=str(path)))
        slicer.app.startupCompleted.emit()
        root = qMRMLWidget()
        QtWidgets.QVBoxLayout(root)
        root.setMRMLScene(slicer.mrmlScene)
        self.widget = getattr(module, f"{name}Widget")(root)
        for key, value in attributes.items():
            setattr(self.widget, key, value)
        setattr(slicer.modules, f"{name}Widget", self.widget)
        self.widget.setup()
        self.widget.enter()
        scroll = QtWidgets.QScrollArea()
        scroll.setWidget(root)
        scroll.setWidgetResizable(True)
        self.window.setCentralWidget(scroll)
        self.window.resize(470, 1250)
        self.window.show()
        self.process()
        return module

    def process(self) -> None:
        """Let Qt do what is due."""
        slicer.app.processEvents()

    def show(self, widget) -> None:
        """Scroll the panel so that a widget can be seen; a hidden one cannot be clicked."""
        assert widget.isVisible(), f"{widget.name} is hidden"
        self.window.centralWidget().ensureWidgetVisible(widget)
        self.process()

    def views(self) -> list[SliceWidget]:
        """The slice views of the layout in use."""
        manager = slicer.app.layoutManager()
        return [manager.sliceWidget(name) for name in manager.sliceViewNames()]

    def picture(self, path: Path) -> None:
        """Panel and views beside one another, as PNG."""
        self.process()
        panel = self.window.grab()
        manager = slicer.app.layoutManager()
        places = manager.places(*VIEWS_SIZE)
        canvas = QtGui.QPixmap(panel.width() + GAP + VIEWS_SIZE[0], max(panel.height(), VIEWS_SIZE[1]))
        canvas.fill(QtGui.QColor("#202020"))
        painter = QtGui.QPainter(canvas)
        painter.drawPixmap(0, 0, panel)
        for name, (x, y, _, _) in places:
            view = manager.sliceWidget(name)
            view.draw()
            painter.drawPixmap(panel.width() + GAP + x, y, view.grab())
        painter.end()
        canvas.save(str(path))

    def close(self) -> None:
        """The module and the window go away."""
        if self.widget is not None:
            self.widget.cleanup()
        for box in self.window.findChildren(qMRMLNodeComboBox):
            box.setMRMLScene(None)
        self.window.close()
        self.window.deleteLater()
        self.process()
        QtCore.QCoreApplication.sendPostedEvents(None, QtCore.QEvent.DeferredDelete)  # only a running event loop does
        slicer.app._layouts._close()
        slicer.modules = types.SimpleNamespace()
