"""PySide6 with the manners of PythonQt, so that a panel written for Slicer runs unchanged.

PythonQt reads properties as attributes (``label.text`` is a str), connects by C++ signature
(``button.connect("clicked(bool)", f)``) and refuses new attributes on C++ objects. A mistake that PythonQt would only
whisper about (a misspelt signal) is an error here.
"""

from __future__ import annotations

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("PYSIDE6_OPTION_PYTHON_ENUM", "0x02")  # enums that behave like integers, as in PythonQt

from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import QObject

MODULES = (QtCore, QtGui, QtWidgets)
WRAPPED: dict[str, type] = {}
"""Qt class name -> the Python class that stands for it in the ``qt`` module."""

NUMBERS = ("int", "double", "float", "bool", "uint")
_qt_connect, _qt_disconnect = QObject.connect, QObject.disconnect


def _signal(self: QObject, signature: str):
    """The bound PySide signal of a C++ signature. ValueError if the class has none such (PythonQt returns False)."""
    normalized = bytes(QtCore.QMetaObject.normalizedSignature(signature).data()).decode()
    name, _, arguments = normalized.partition("(")
    named = getattr(type(self), "SIGNALS", {})
    if normalized in named:
        return getattr(self, named[normalized])
    if self.metaObject().indexOfSignal(normalized) < 0:
        raise ValueError(f"{type(self).__name__} has no signal {signature!r}")
    signal = getattr(self, name)
    types = arguments.rstrip(")")
    try:
        return signal[tuple(types.split(","))] if "," in types else signal[types] if types else signal
    except (KeyError, IndexError, TypeError):
        return signal


def _connect(self, signature, *receiver):
    if not isinstance(signature, str):
        return _qt_connect(self, signature, *receiver)
    target = receiver[0] if len(receiver) == 1 else getattr(receiver[0], receiver[1].split("(")[0])
    _signal(self, signature).connect(target)
    return True


def _disconnect(self, signature, *receiver):
    if not isinstance(signature, str):
        return _qt_disconnect(self, signature, *receiver)
    _signal(self, signature).disconnect(*receiver[:1])
    return True


def _set_property(self, name: str, value, kind: str):
    if isinstance(value, str) and kind in NUMBERS:
        raise AttributeError(f"property {name!r} of type {kind!r} does not accept a str")
    self.setProperty(name, value)


def _strict_setattr(self, name: str, value):
    """Only what the class has may be set on a widget: a typo in a property's name is an error, as in PythonQt."""
    known = hasattr(type(self), name) or name in self.__dict__ or name.startswith("_")
    sealed = (type(self) in WRAPPED.values() and "_made_by_ui" not in self.__dict__) or self.__dict__.get("_sealed")
    if sealed and not known:
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}; new ones cannot be set on C++ objects")
    for owner in type(self).__mro__:
        setter = vars(owner).get("__setattr__")
        if setter is not None and setter is not _strict_setattr:
            return setter(self, name, value)


def apply_shim(cls: type) -> type:
    """Replace connect, disconnect and attribute setting in one class's own dict: PySide looks nowhere else for them."""
    cls.connect, cls.disconnect, cls.__setattr__ = _connect, _disconnect, _strict_setattr
    return cls


def _own(cls, **_options):
    cls.connect, cls.disconnect = _connect, _disconnect


def _qobject_classes():
    for module in MODULES:
        for name in dir(module):  # PySide makes its types lazily: dir and getattr, not vars
            cls = getattr(module, name)
            if isinstance(cls, type) and issubclass(cls, QObject):
                yield name, cls


def _properties_as_attributes(cls: type) -> None:
    meta = cls.staticMetaObject
    for i in range(meta.propertyOffset(), meta.propertyCount()):
        name, kind = meta.property(i).name(), meta.property(i).typeName()
        if (cls.__name__, name) == ("QTimer", "singleShot"):
            continue  # the static method has the same name
        if name in ("sizeHint", "minimumSizeHint"):
            continue  # Qt calls these virtual methods, and would be sent back to the property
        setattr(
            cls,
            name,
            property(
                lambda self, name=name: self.property(name),
                lambda self, value, name=name, kind=kind: _set_property(self, name, value, kind),
            ),
        )


def install() -> None:
    """Change PySide6's classes once for this process and fill ``WRAPPED``."""
    if WRAPPED:
        return
    seen = set()
    for _, cls in _qobject_classes():
        if cls not in seen:
            seen.add(cls)
            _properties_as_attributes(cls)
    QObject.name = property(lambda self: self.property("objectName"), lambda self, v: self.setProperty("objectName", v))
    QObject.className = lambda self: self.metaObject().className()
    QObject.delete = lambda self: self.deleteLater()
    applications = ("QObject", "QApplication", "QCoreApplication", "QGuiApplication")
    for name, cls in list(_qobject_classes()):
        if name in applications:
            continue
        body = {
            "connect": _connect,
            "disconnect": _disconnect,
            "__setattr__": _strict_setattr,
            "__init_subclass__": classmethod(_own),
        }
        try:
            WRAPPED[name] = type(cls)(name, (cls,), body)
        except (TypeError, RuntimeError):
            continue  # a final or abstract class that no panel makes
    WRAPPED["QObject"] = type(QObject)(
        "QObject", (QObject,), {"connect": _connect, "disconnect": _disconnect, "__init_subclass__": classmethod(_own)}
    )
