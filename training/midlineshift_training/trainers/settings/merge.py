"""Settings of a run from defaults, a YAML file, ``--set`` and the command's own options, each over the one before."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import AliasChoices, BaseModel, ValidationError

from midlineshift_training.trainers.settings.common import RunSettings, is_recorded
from MidlineShiftLogic.errors import InputError

Kind = TypeVar("Kind", bound=RunSettings)


def merge_settings(
    base: Kind, config: Path | None = None, assignments: Sequence[str] = (), options: dict[str, Any] | None = None
) -> Kind:
    """Merge what was given into the base settings; groups are merged name by name.

    Args:
        base: defaults, a preset, or the settings of a run to resume.
        config: YAML file. assignments: ``name=value`` of ``--set``, values in YAML. options: of the command; None: not given.

    Raises:
        InputError: the file cannot be read, a setting does not exist, or its value is of the wrong type or out of range.
    """
    values = base.model_dump()
    if config is not None:
        _merge_into(values, _read_yaml(config), type(base), str(config))
    for assignment in assignments:
        _merge_into(values, _parse(assignment), type(base), f"--set {assignment}")
    values |= {name: value for name, value in (options or {}).items() if value is not None}
    return checked(type(base), values)


def checked(kind: type[Kind], values: dict[str, Any]) -> Kind:
    """Return settings of these values. InputError says in one sentence what is wrong with the first bad one."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise InputError(_first_problem(error), "settings") from None


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1}: {getattr(error, 'problem', None)})" if mark else ""
        raise InputError(f"The settings {path} are not YAML{where}.", "settings") from None
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not a text file"
        raise InputError(f"Cannot read the settings {path}: {why}.", "settings") from None
    if not isinstance(given, dict):
        raise InputError(f"{path} must be a YAML mapping of settings.", "settings")
    return given


def _parse(assignment: str) -> dict[str, Any]:
    """Turn ``noise.t=250`` into ``{"noise": {"t": 250}}``."""
    name, equals, text = assignment.partition("=")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        equals = ""
    if not (name.strip() and equals):
        raise InputError(f"--set {assignment}: give it as name=value, as in --set learning_rate=1e-4.", "settings")
    for part in reversed(name.strip().split(".")):
        value = {part: value}
    return value


def _merge_into(
    values: dict[str, Any], given: dict[Any, Any], kind: type[BaseModel], where: str, group: str = ""
) -> None:
    """Put given values over values, in place; ``where`` is the file or option that they are from."""
    names = {name: name for name in kind.model_fields}
    for name, field in kind.model_fields.items():
        if isinstance(field.validation_alias, AliasChoices):  # names that the setting had before
            names |= {str(alias): name for alias in field.validation_alias.choices}
    if issubclass(kind, RunSettings):
        names = {given: name for given, name in names.items() if not is_recorded(name, kind)}
    unknown = sorted(str(name) for name in given if name not in names)
    if unknown:
        what = f"The group {group}" if group else "This run"
        alike = get_close_matches(unknown[0], names, n=1)
        guess = f" (did you mean {names[alike[0]]}?)" if alike else ""
        known = ", ".join(sorted(set(names.values())))
        raise InputError(
            f"{where} sets {', '.join(unknown)}. {what} has no such setting{guess}; it has {known}.", "settings"
        )
    for key, value in given.items():
        name = names[key]
        inner = kind.model_fields[name].annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            if not isinstance(value, dict):
                raise InputError(
                    f"{where} sets {name} to {value!r}, where a mapping of settings is needed.", "settings"
                )
            _merge_into(values[name], value, inner, where, name)
        else:
            values[name] = value


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False)[0]
    name = ".".join(str(part) for part in problem["loc"] if not isinstance(part, int))
    message = problem["msg"].removeprefix("Value error, ")
    if not name or (problem["type"] == "value_error" and isinstance(problem["input"], dict)):
        return message  # settings that contradict one another
    message = message.removeprefix("Input should be").strip().partition(", unable to parse")[0]
    if problem["type"] == "list_type":
        message = f"a list, as [{problem['input']}]"
    elif problem["type"] in ("int_from_float", "int_parsing"):
        message = "a whole number"
    return f"The setting {name} must be {message}, not {problem['input']!r}."
