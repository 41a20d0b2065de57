"""Name the software that made a result: our version and those of the libraries that decide the numbers."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

NAME = "midlineshift"
LIBRARIES = ("torch", "numpy", "scipy")
UNKNOWN = "not installed"


def package_version(name: str = NAME) -> str:
    """Return the version of an installed distribution; ``"not installed"`` for a checkout that is only on the path."""
    try:
        return version(name)
    except PackageNotFoundError:
        return UNKNOWN


def software() -> dict[str, str]:
    """Return the provenance, JSON-ready: name, version, Python, the libraries. Nothing about the user or the machine's name."""
    found = {library: package_version(library) for library in LIBRARIES}
    return {"name": NAME, "version": package_version(), "python": platform.python_version(), **found}
