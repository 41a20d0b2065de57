"""Settings of a data set out of the settings of a run, which hold more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar, cast

T = TypeVar("T")


def pick(kind: type[T], settings: Mapping[str, Any] | Any) -> T:
    """Fill a dataclass with the entries (or attributes) of the same names.

    Args:
        kind: a dataclass, such as ``DenoiserDataSettings``. settings: a mapping or an object with attributes.
    """
    get = settings.__getitem__ if isinstance(settings, Mapping) else lambda name: getattr(settings, name)
    return kind(**{field.name: get(field.name) for field in fields(cast(Any, kind))})
