"""Parameters that ``model.json`` gives by name (``readout``, ``noise``) -> the dataclass that holds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from MidlineShiftLogic.errors import InputError

Parameters = TypeVar("Parameters")


def parameters(kind: type[Parameters], given: Mapping[str, Any], where: str) -> Parameters:
    """An instance of ``kind``, a dataclass whose fields all have defaults, with the given values in place of them.

    Args:
        given: name -> number, text, or list of as many numbers as the default has.
        where: how to call ``given`` in messages, e.g. ``"'readout' of model.json"``.

    Raises:
        InputError: a name that ``kind`` does not have, or a value of another sort than its default (code ``model-json``).
    """
    defaults = {field.name: field.default for field in fields(kind)}
    values = {}
    for name, value in given.items():
        if name not in defaults:
            known = ", ".join(defaults)
            raise InputError(
                f"{where} sets {name!r}, which this version does not know; it knows {known}.", "model-json"
            )
        if not _same_sort(value, defaults[name]):
            raise InputError(
                f"{where} sets {name!r} to {value!r}, where something like {defaults[name]!r} is needed.", "model-json"
            )
        values[name] = tuple(value) if isinstance(value, list) else value
    return kind(**values)


def _same_sort(value: Any, default: Any) -> bool:
    if isinstance(default, tuple):
        pair = isinstance(value, list | tuple) and len(value) == len(default)
        return pair and all(_same_sort(v, d) for v, d in zip(value, default, strict=True))
    if isinstance(default, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is type(default)
