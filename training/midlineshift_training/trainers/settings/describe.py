"""All settings of a training task: names, types, defaults and meanings, for people."""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel

from midlineshift_training.trainers.settings.common import RunSettings, is_recorded

_NAMES = {int: "whole number", float: "number", bool: "true or false", str: "text", type(None): "null"}


@dataclass(frozen=True)
class Setting:
    """One setting: its name (``group.name`` within a group), type, default in YAML, meaning."""

    name: str
    kind: str
    default: str
    meaning: str


def describe(settings: RunSettings) -> list[Setting]:
    """List the settings that a file or ``--set`` may give, with these values as defaults."""
    return list(_settings(settings, ""))


def to_yaml(settings: RunSettings) -> str:
    """Return the settings as a file for ``--config``."""
    names = [name for name in type(settings).model_fields if not is_recorded(name, type(settings))]
    return yaml.safe_dump(settings.model_dump(mode="json", include=set(names)), sort_keys=False)


def _settings(group: BaseModel, prefix: str) -> Iterator[Setting]:
    for name, field in type(group).model_fields.items():
        if isinstance(group, RunSettings) and is_recorded(name, type(group)):
            continue
        value = getattr(group, name)
        if isinstance(value, BaseModel):
            yield from _settings(value, f"{name}.")
            continue
        limits = [limit for one in field.metadata if (limit := _limit(one))]
        kind = ", ".join([_kind(field.annotation), *limits])
        default = yaml.safe_dump(group.model_dump(mode="json")[name], default_flow_style=True).removesuffix("\n...\n")
        yield Setting(prefix + name, kind, default.strip(), field.description or "")


def _kind(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        limits = [limit for one in arguments[1:] for part in _parts(one) if (limit := _limit(part))]
        return ", ".join([_kind(arguments[0]), *limits])
    if origin in (Union, types.UnionType):
        return " or ".join(_kind(one) for one in arguments)
    if origin is Literal:
        return " or ".join(str(one) for one in arguments)
    if origin is list:
        return f"list of {_kind(arguments[0])}"
    if origin is tuple:
        return f"list of {len(arguments)}: {_kind(arguments[0])}"
    return _NAMES.get(annotation, str(annotation))


def _parts(constraint: Any) -> list[Any]:
    return list(getattr(constraint, "metadata", [])) or [constraint]


def _limit(constraint: Any) -> str:
    for sign, name in ((">=", "ge"), (">", "gt"), ("<=", "le"), ("<", "lt")):
        if getattr(constraint, name, None) is not None:
            return f"{sign} {getattr(constraint, name)}"
    return ""
