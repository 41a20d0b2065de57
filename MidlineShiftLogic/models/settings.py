"""Parse settings that ``model.json`` gives by name (``readout``, ``noise``) into the dataclass that holds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, cast

from MidlineShiftLogic.errors import InputError

Settings = TypeVar("Settings")


def parse_settings(kind: type[Settings], given: Mapping[str, Any], where: str) -> Settings:
    """Build a settings dataclass, whose fields all have defaults, with the given values in place of these.

    Args:
        kind: the dataclass; a field whose default is a dataclass is parsed in the same way.
        given: name -> number, text, or list of as many numbers as the default has. Names of earlier versions are
            accepted where ``kind`` lists them in ``RENAMED`` (old name -> name of its field).
        where: how to call ``given`` in messages, for example ``"'readout' of model.json"``.

    Raises:
        InputError: a name that ``kind`` does not have, a value of another sort than its default, or values that do not
            fit together (code ``model-json``).
    """
    renamed = getattr(kind, "RENAMED", {})
    defaults = {field.name: field.default for field in fields(cast(Any, kind))}
    values = {}
    for given_name, value in given.items():
        name = renamed.get(given_name, given_name)
        if name not in defaults:
            known = ", ".join(defaults)
            raise InputError(
                f"{where} sets {name!r}, which this version does not know; it knows {known}.", "model-json"
            )
        if is_dataclass(defaults[name]) and isinstance(value, Mapping):
            values[name] = parse_settings(type(defaults[name]), value, f"{name!r} in {where}")
            continue
        if not _same_sort(value, defaults[name]):
            raise InputError(
                f"{where} sets {name!r} to {value!r}, where something like {defaults[name]!r} is needed.", "model-json"
            )
        values[name] = tuple(value) if isinstance(value, list) else value
    try:
        return kind(**values)
    except ValueError as error:
        raise InputError(f"{where} cannot be used: {error}.", "model-json") from None


def _same_sort(value: Any, default: Any) -> bool:
    if isinstance(default, tuple):
        pair = isinstance(value, list | tuple) and len(value) == len(default)
        return pair and all(_same_sort(v, d) for v, d in zip(value, default, strict=True))
    if isinstance(default, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is type(default)
