"""Write a measurement as DICOM structured report and secondary captures, and read it back (docs/reference/dicom-objects.md).

``source_of(ct)`` or ``source_of_files(files)`` -> ``structured_report`` and ``captures`` -> ``write_objects``;
``read_report`` turns a report of midlineshift into its ``Measurement``. Writing needs highdicom (extra ``dicom``), reading only
pydicom; both are imported when a function is called.
"""

from __future__ import annotations

import importlib

_WHERE = {
    "Source": "source",
    "source_of": "source",
    "source_of_files": "source",
    "structured_report": "build_report",
    "captures": "capture",
    "write_objects": "write",
    "require_highdicom": "write",
    "read_report": "report_reader",
    "referenced_images": "report_reader",
}

__all__ = [
    "Source",
    "captures",
    "read_report",
    "referenced_images",
    "require_highdicom",
    "source_of",
    "source_of_files",
    "structured_report",
    "write_objects",
]


def __getattr__(name: str):
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
