"""Doubles of the Python parts of Slicer that slicer-core does not bring, as far as a scripted module uses them."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import types
import typing
import unittest
from dataclasses import dataclass, field
from urllib.request import url2pathname

import slicer
import vtk


class ScriptedLoadableModule:
    def __init__(self, parent):
        self.parent, self.moduleName = parent, type(self).__name__


class ScriptedLoadableModuleWidget:
    def __init__(self, parent=None):
        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.parent, self.layout = parent, parent.layout()

    def resourcePath(self, name):
        return os.path.join(os.path.dirname(slicer.util.modulePath(self.moduleName)), "Resources", name)

    def setup(self):
        pass

    def onReload(self):
        slicer.util.reloadScriptedModule(self.moduleName)


class ScriptedLoadableModuleLogic:
    def __init__(self, parent=None):
        self.moduleName = type(self).__name__.removesuffix("Logic")

    def getParameterNode(self):
        node = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
        if node is None:
            node = slicer.vtkMRMLScriptedModuleNode()
            node.SetSingletonTag(self.moduleName)
            node.SetModuleName(self.moduleName)
            node.SetName(self.moduleName)
            node = slicer.mrmlScene.AddNode(node)
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    def delayDisplay(self, message, milliseconds=0):
        slicer.app.processEvents()


@dataclass(frozen=True)
class WithinRange:
    minimum: float
    maximum: float


def parameterNodeWrapper(cls):
    """Class attributes with types -> values kept in a MRML node, and ``connectGui`` to widgets that name them."""
    hints = typing.get_type_hints(cls, include_extras=True)
    kinds = {
        name: typing.get_args(hint)[0] if typing.get_origin(hint) is typing.Annotated else hint
        for name, hint in hints.items()
    }
    defaults = {name: getattr(cls, name, None) for name in hints}

    def is_node(kind):
        return isinstance(kind, type) and issubclass(kind, slicer.vtkMRMLNode)

    def bounds(name):
        extra = typing.get_args(hints[name])[1:] if typing.get_origin(hints[name]) is typing.Annotated else ()
        return next((one for one in extra if isinstance(one, WithinRange)), None)

    def init(self, node):
        self.parameterNode, self._tags, self._busy = node, {}, False
        for name, kind in kinds.items():
            if not is_node(kind) and node.GetParameter(name) == "" and defaults[name] not in (None, ""):
                setattr(self, name, defaults[name])

    def make(name, kind):
        read = {bool: lambda text: text == "True", int: int, float: float, str: str}.get(kind)

        def get(self):
            if is_node(kind):
                return self.parameterNode.GetNodeReference(name)
            text = self.parameterNode.GetParameter(name)
            return read(text) if text else kind()

        def put(self, value):
            if is_node(kind):
                self.parameterNode.SetNodeReferenceID(name, value.GetID() if value else None)
                return
            limits = bounds(name)
            if limits and not limits.minimum <= value <= limits.maximum:
                raise ValueError(f"{name}={value} is out of range")
            if not isinstance(value, (int, float) if kind is float else kind):
                raise TypeError(f"{name} takes {kind.__name__}, not {type(value).__name__}")
            self.parameterNode.SetParameter(name, str(kind(value)))

        return property(get, put)

    def access(widget):
        kind = widget.className()
        if kind == "qMRMLNodeComboBox":
            return widget.currentNode, widget.setCurrentNode, "currentNodeChanged(vtkMRMLNode*)"
        if kind == "QCheckBox":
            return (lambda: widget.checked), (lambda v: setattr(widget, "checked", v)), "toggled(bool)"
        if kind == "QDoubleSpinBox":
            return (lambda: widget.value), (lambda v: setattr(widget, "value", v)), "valueChanged(double)"
        if kind == "QLineEdit":
            return (lambda: widget.text), (lambda v: setattr(widget, "text", v)), "textChanged(QString)"
        raise TypeError(f"no connector for {kind}")

    def connect_gui(self, ui):
        named = {widget.property("SlicerParameterName"): widget for widget in vars(ui).values()}
        named.pop(None, None)
        unknown = set(named) - set(kinds)
        if unknown:
            raise ValueError(f"no parameter {sorted(unknown)}")
        live = {"on": True}
        for name, widget in named.items():
            limits = bounds(name)
            if limits:
                widget.minimum, widget.maximum = limits.minimum, limits.maximum
            read, write, signal = access(widget)
            write(getattr(self, name))
            widget.connect(
                signal,
                lambda *_, name=name, read=read: live["on"] and not self._busy and setattr(self, name, read()),
            )

        def update(*_):
            if self._busy:
                return
            self._busy = True
            try:
                for name, widget in named.items():
                    read, write, _ = access(widget)
                    if read() != getattr(self, name):
                        write(getattr(self, name))
            finally:
                self._busy = False

        tag = self.parameterNode.AddObserver(vtk.vtkCommand.ModifiedEvent, update)
        self._tags[tag] = live
        return tag

    def disconnect_gui(self, tag):
        self._tags.pop(tag)["on"] = False
        self.parameterNode.RemoveObserver(tag)

    for name, kind in kinds.items():
        setattr(cls, name, make(name, kind))
    cls.__init__, cls.connectGui, cls.disconnectGui = init, connect_gui, disconnect_gui
    return cls


@dataclass
class Packaging:
    """``slicer.packaging``: checks are real, installs are recorded and end as a test says."""

    installed: list = field(default_factory=list)
    code: int = 0
    busy: bool = False
    error: Exception | None = None

    def isPipInstallInProgress(self) -> bool:
        return self.busy

    def pip_check(self, req, _seen=None) -> bool:
        from packaging.requirements import Requirement

        wanted = Requirement(req)
        try:
            return importlib.metadata.version(wanted.name).partition("+")[0] in wanted.specifier
        except importlib.metadata.PackageNotFoundError:
            return False

    def pip_install(
        self, requirements, constraints=None, no_deps_requirements=None, skip_packages=None, blocking=True,
        show_progress=True, requester=None, logCallback=None, completedCallback=None,
    ):  # fmt: skip
        if self.error is not None:
            raise self.error
        if self.busy and not blocking:
            raise RuntimeError("another installation is in progress")
        self.installed.append(list(requirements))
        if slicer.app.testingEnabled():
            return  # blocking, and nothing is called back
        logCallback(f"Collecting {requirements[-1]}")
        completedCallback(self.code)


class SampleDataLogic:
    """``SampleData``: keeps what is registered and loads it from where it is."""

    sources: typing.ClassVar[dict] = {}

    @classmethod
    def registerCustomSampleDataSource(
        cls, category=None, sampleName=None, uris=None, fileNames=None, nodeNames=None, customDownloader=None,
        thumbnailFileName=None, loadFileTypes=None, loadFiles=None, loadFileProperties=None, checksums=None,
        loadFileType=None,
    ):  # fmt: skip
        assert os.path.isfile(thumbnailFileName)
        cls.sources[sampleName] = (uris, nodeNames, checksums)

    @classmethod
    def downloadSample(cls, sampleName):
        """The volume node; raises where nothing can be loaded, as Slicer's does."""
        uri, name, checksums = cls.sources.get(sampleName) or [][0]
        path = url2pathname(uri.removeprefix("file://"))
        with open(path, "rb") as file:
            digest = hashlib.sha256(file.read()).hexdigest()
        if checksums not in (None, f"SHA256:{digest}"):
            raise ValueError(f"checksum of {path} is wrong")
        return slicer.util.loadVolume(path, {"name": name})


def modules() -> dict[str, types.ModuleType]:
    """Module name -> module, for ``sys.modules``."""
    made = {
        "slicer.i18n": {"tr": lambda text: text, "translate": lambda context, text: text},
        "slicer.ScriptedLoadableModule": {
            cls.__name__: cls
            for cls in (
                ScriptedLoadableModule,
                ScriptedLoadableModuleWidget,
                ScriptedLoadableModuleLogic,
                ScriptedLoadableModuleTest,
            )
        },
        "slicer.parameterNodeWrapper": {"parameterNodeWrapper": parameterNodeWrapper, "WithinRange": WithinRange},
        "SampleData": {"SampleDataLogic": SampleDataLogic, "downloadSample": SampleDataLogic.downloadSample},
    }
    result = {}
    for name, content in made.items():
        module = types.ModuleType(name)
        vars(module).update(content)
        result[name] = module
    return result
