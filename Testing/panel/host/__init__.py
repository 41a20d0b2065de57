"""A host for the real panel without the Slicer application: PySide6 stands in for PythonQt, slicer-core is Slicer's own
MRML. ``application.Host`` loads a scripted module's real ``.py`` and ``.ui``.

It proves imports, names in the .ui, properties, connections, enabled states, the parameter node, and real MRML effects.
It does not prove looks in Slicer, module discovery, the CMake packaging, or pip inside Slicer.
"""
