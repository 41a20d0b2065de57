"""Brain midline shift on head CT. Research use only; not a medical device.

``measure`` is the whole way from a file to a number; the rest of the package is its parts. Nothing heavy is imported
until it is used.
"""

from __future__ import annotations

__all__ = ["measure"]


def __getattr__(name: str):
    if name == "measure":
        from MidlineShiftLogic.api import measure

        return measure
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
