"""Make the report of a case for people: one self-contained HTML file, and a PDF made from it.

``report_html`` is a pure function of a ``Measurement``; ``write_report`` puts its result into the case's folder. Neither
needs torch, and nothing heavy is imported before they are called.
"""

from __future__ import annotations

import importlib

_HOME = {"report_html": "page", "write_report": "write", "read_result": "results"}

__all__ = ["read_result", "report_html", "write_report"]


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
