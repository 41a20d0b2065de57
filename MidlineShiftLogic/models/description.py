"""Describe a model: what ``model.json`` holds.

::

    {
      "format": 1,
      "name": "...", "version": "1.0", "description": "...", "licence": "Apache-2.0",
      "trained_on": "what data, in words",
      "frame": {"grid": 128, "pixel_mm": 1.8, "length_mm": 198.0},     the aligned frame the networks see
      "window_hu": [0, 80],                                            scaled to -1..1
      "noise": {"t": 300, "seed": 0, "schedule": "linear", "steps": 1000, "grid": 64, "gain": 5.0,
                "ddim": {"count": 50, "start": 15, "conditional_weight": 3.0}},
                                                                       null without diffusion models; gain and ddim may
                                                                       be left out (``inference.noise_difference``)
      "components": {
        "pose": {"kind": "midline_unet", "config": {...}, "file": "pose.safetensors", "sha256": "..."},
        "conditional": ..., "unconditional": ...,          or, in place of these two, "denoiser" (class-conditional)
        "deformation": ...,
        "refinement": ...                                  may be left out: looks again along the midline
      },
      "readout": {...},                                                parameters of the shift computation, by name
      "uncertainty": {...},                                            calibration of the intervals, null or left out
                                                                       without one (``measurement.uncertainty``)
      "accuracy": {...},                                               measured figures, for people
      "speed": {"cpu_seconds": 1.2, ...}                               the same; may be left out
    }

A component may carry a ``frame`` of its own where it takes another grid than the model's (the pose network beside the
denoisers of Gong et al.).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.models.registry import KINDS

FORMAT = 1
COMPONENTS = ("pose", "conditional", "unconditional", "denoiser", "deformation", "refinement")
STRIP_KIND = "strip_unet"
"""The kind of network that looks again along the midline, and can do nothing else."""
_FRAME = {"grid": int, "pixel_mm": float, "length_mm": float}
_NOISE = {"t": int, "seed": int, "schedule": str, "steps": int, "grid": int}
_MAY_BE_ZERO = ("t", "seed")
_MAX_NUMBERS = {"grid": 1024, "pixel_mm": 10.0, "length_mm": 400.0, "steps": 100_000, "t": 100_000, "seed": 2**63 - 1}
"""Beyond these no frame or noise schedule makes sense, and memory would run out."""
_MAX_SETTING, _MAX_LEVELS = 65_536, 32
"""Largest number among a network's settings; longest list of them, and deepest nesting of the file."""
_STRIP_LENGTHS, _MAX_STRIP = ("column_mm", "beyond"), 1024
"""Settings of a strip's grid that need not be whole numbers; most rows or columns."""
# The only brain window that the networks take slices in (``inference.window``).
_WINDOW_HU = (0.0, 80.0)


@dataclass(frozen=True)
class Component:
    """One network: kind (``registry.KINDS``), settings, weights file in the model folder, the file's SHA-256, frame."""

    kind: str
    config: dict[str, Any]
    file: str
    sha256: str
    frame: dict[str, Any] | None = None


@dataclass(frozen=True)
class ModelDescription:
    """Contents of ``model.json``; the keys are those of the module's docstring."""

    name: str
    version: str
    description: str
    licence: str
    trained_on: str
    frame: dict[str, Any]
    window_hu: tuple[float, float] = _WINDOW_HU
    noise: dict[str, Any] | None = None
    components: dict[str, Component] = field(default_factory=dict)
    readout: dict[str, Any] = field(default_factory=dict)
    uncertainty: dict[str, Any] | None = None
    accuracy: dict[str, Any] = field(default_factory=dict)
    speed: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object of ``model.json``."""
        content = {"format": FORMAT, **asdict(self)}
        if self.speed is None:
            del content["speed"]
        for component in content["components"].values():
            if component["frame"] is None:
                del component["frame"]
        return content


def parse_description(content: Any) -> ModelDescription:
    """Check the content of a ``model.json``. InputError says which key is missing or wrong, without naming the file."""
    _want(content, "the file", dict)
    _require_finite(content, "the file")
    if content.get("format") != FORMAT:
        raise InputError(f"its 'format' is {content.get('format')!r} and this version reads {FORMAT}", "model-json")
    texts = {key: _text(content, key) for key in ("name", "version", "description", "licence", "trained_on")}
    components = _want(content.get("components"), "'components'", dict)
    noise, uncertainty = content.get("noise"), content.get("uncertainty")
    return ModelDescription(
        **texts,
        frame=_numbers(content.get("frame"), "frame", _FRAME),
        window_hu=_window(content.get("window_hu")),
        noise=None if noise is None else _numbers(noise, "noise", _NOISE),
        components={name: _component(name, value) for name, value in components.items()},
        readout=_want(content.get("readout", {}), "'readout'", dict),
        uncertainty=None if uncertainty is None else _want(uncertainty, "'uncertainty'", dict),
        accuracy=_want(content.get("accuracy", {}), "'accuracy'", dict),
        speed=None if content.get("speed") is None else _want(content["speed"], "'speed'", dict),
    )


def _component(name: str, content: Any) -> Component:
    where = f"components.{name}"
    if name not in COMPONENTS:
        raise InputError(f"it has an unknown component {name!r}", "model-json")
    _want(content, f"'{where}'", dict)
    kind, file, digest = (_text(content, key, where) for key in ("kind", "file", "sha256"))
    if kind not in KINDS:
        raise InputError(f"'{where}.kind' is {kind!r}, and known kinds are {', '.join(KINDS)}", "unknown-kind")
    if (name == "refinement") != (kind == STRIP_KIND):
        raise InputError(f"'{where}.kind' is {kind!r}, which does not do for this component", "model-json")
    if file.startswith(".") or any(mark in file for mark in "/\\:"):
        raise InputError(f"'{where}.file' is {file!r} and not the name of a file in the model folder", "model-json")
    frame = content.get("frame")
    return Component(
        kind=kind,
        config=_config(content.get("config"), f"'{where}.config'"),
        file=file,
        sha256=digest,
        frame=None if frame is None else _numbers(frame, f"{where}.frame", _FRAME),
    )


def _config(content: Any, where: str) -> dict[str, Any]:
    """Settings of a network: whole numbers, lists of them, true or false, null, ``dropout``, or the ``grid`` of strips."""
    for name, value in _want(content, where, dict).items():
        if name == "grid" and isinstance(value, dict):
            _strip_grid(value, f"{where} gives grid")
            continue
        numbers = value if isinstance(value, list) else [value]
        fits = all(
            one is None or isinstance(one, bool) or (isinstance(one, int) and 0 <= one <= _MAX_SETTING)
            for one in numbers
        )
        if name == "dropout":
            fits = isinstance(value, int | float) and 0 <= value < 1
        if not fits or len(numbers) > _MAX_LEVELS:
            raise InputError(f"{where} gives {name} as {str(value)[:40]!r}, which no network takes", "model-json")
    return content


def _strip_grid(content: dict[str, Any], where: str) -> None:
    """Rows and columns are whole numbers, lengths and fractions may be any."""
    for name, value in content.items():
        whole = name not in _STRIP_LENGTHS
        most = _MAX_STRIP if whole else _MAX_NUMBERS["pixel_mm"]
        kinds = int if whole else int | float
        if (
            isinstance(value, bool)
            or not isinstance(value, kinds)
            or not (0 < value <= most or (value == 0 and not whole))
        ):
            raise InputError(f"{where} {name} as {str(value)[:40]!r}, which no network takes", "model-json")


def _require_finite(content: Any, where: str, level: int = 0) -> None:
    """Refuse numbers that are not finite, and absurd nesting."""
    if level > _MAX_LEVELS:
        raise InputError(f"{where} is nested too deeply", "model-json")
    if isinstance(content, float) and not math.isfinite(content):
        raise InputError(f"{where} is {content} and must be a finite number", "model-json")
    if isinstance(content, dict | list):
        items = content.items() if isinstance(content, dict) else enumerate(content)
        for key, value in items:
            _require_finite(value, f"'{key}'", level + 1)


def _text(content: dict, key: str, where: str = "") -> str:
    full = f"{where}.{key}" if where else key
    value = _want(content.get(key), f"'{full}'", str)
    if not value:
        raise InputError(f"'{full}' is empty", "model-json")
    return value


def _numbers(content: Any, where: str, keys: dict[str, type]) -> dict[str, Any]:
    _want(content, f"'{where}'", dict)
    for key, kind in keys.items():
        value = _want(content.get(key), f"'{where}.{key}'", (int, float) if kind is float else kind)
        if kind is not str and not (value > 0 or (value == 0 and key in _MAY_BE_ZERO)):
            raise InputError(f"'{where}.{key}' is {value!r} and must be positive", "model-json")
        if kind is not str and value > _MAX_NUMBERS.get(key, math.inf):
            raise InputError(f"'{where}.{key}' is {value!r} and at most {_MAX_NUMBERS[key]} is possible", "model-json")
    return content


def _window(content: Any) -> tuple[float, float]:
    if content != list(_WINDOW_HU):
        raise InputError(f"'window_hu' is {content!r} and this version only reads 0..80 HU, [0, 80]", "model-json")
    return _WINDOW_HU


def _want(value: Any, what: str, kinds: type | tuple[type, ...]) -> Any:
    if value is None:
        raise InputError(f"{what} is missing", "model-json")
    if not isinstance(value, kinds) or isinstance(value, bool):
        raise InputError(f"{what} is of the wrong type ({type(value).__name__})", "model-json")
    return value
