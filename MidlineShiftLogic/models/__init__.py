"""Models: folders of networks with their description. ``load_model`` is the way in.

Names are imported when they are used: listing models and reading their descriptions takes no torch.
"""

from __future__ import annotations

import importlib

_HOME = {
    "Model": "folder",
    "load_model": "folder",
    "save_model": "folder",
    "DEFAULT_MODEL": "locate",
    "list_models": "locate",
}

__all__ = ["DEFAULT_MODEL", "Model", "list_models", "load_model", "save_model"]


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
