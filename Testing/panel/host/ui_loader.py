"""``qt.QUiLoader``: builds the panel's .ui with the stand-ins and refuses classes it does not know."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from PySide6 import QtCore, QtUiTools

from host import pythonqt_shim
from host.stubs import STUBS


class QUiLoader(QtUiTools.QUiLoader):
    """Makes the widgets of a .ui file with PythonQt's manners and replays its ``vtkMRMLScene*`` connections."""

    def createWidget(self, name, parent=None, object_name=""):
        known = STUBS.get(name) or pythonqt_shim.WRAPPED.get(name)
        if known is None:
            raise TypeError(f"no stand-in for {name}")
        widget = known(parent)
        widget.setObjectName(object_name)
        widget._made_by_ui = True
        self._made.append(widget)
        return widget

    def load(self, device, parent=None):
        self._made = []
        root = ET.fromstring(bytes(device.readAll().data()))
        connections = [
            [c.findtext(key) for key in ("sender", "signal", "receiver", "slot")] for c in root.iter("connection")
        ]
        # PySide would drop connections with MRML types silently; made here in Python, a missing one shows.
        for element in [element for element in root if element.tag == "connections"]:
            root.remove(element)
        buffer = QtCore.QBuffer()
        buffer.setData(ET.tostring(root))
        buffer.open(QtCore.QIODevice.ReadOnly)
        widget = super().load(buffer, parent)
        by_name = {made.property("objectName"): made for made in self._made}
        widget._keep = self._made
        for made in self._made:
            made.__dict__["_sealed"] = True  # only now: PySide's loader sets children as attributes of the root
        for sender, signal, receiver, slot in connections:
            by_name[sender].connect(signal, getattr(by_name[receiver], slot.split("(")[0]))
        return widget
