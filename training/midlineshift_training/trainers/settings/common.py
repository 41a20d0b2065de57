"""Settings of a run: defaults, replaced by a YAML file, replaced by command-line options."""

from __future__ import annotations

from pathlib import Path

import yaml

from MidlineShiftLogic.errors import InputError

# What the engine is told; every stage's defaults hold these.
ENGINE = {
    # forward passes of ``batch`` slices that make one step, over all processes; null: as many as there are processes
    "microbatches": None,
    # checks without a better score after which the run ends; null: never
    "patience": None,
    # earlier checkpoints kept beside the last one
    "earlier_checkpoints": 0,
    # checks from one set of pictures to the next; 0: none
    "pictures_every": 1,
    # torch.compile of the network; channels-last images and weights; AdamW in one kernel (null: on a GPU)
    "compile": False,
    "channels_last": True,
    "fused_optimizer": None,
}


def merge_settings(defaults: dict, config: Path | None, options: dict) -> dict:
    """Merge; nested dictionaries are merged key by key, options that are None are not given.

    Raises:
        InputError: the file cannot be read, is not a mapping, holds a name that is no setting, or something else than
            a mapping where one is needed.
    """
    settings = {key: dict(value) if isinstance(value, dict) else value for key, value in defaults.items()}
    given = {}
    if config is not None:
        try:
            given = yaml.safe_load(Path(config).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise InputError(f"Cannot read the settings {config}: {error}", "settings") from None
        if not isinstance(given, dict):
            raise InputError(f"{config} must be a YAML mapping of settings.", "settings")
    _known(config, given, defaults, "this stage")
    for key, value in [*given.items(), *((k, v) for k, v in options.items() if v is not None)]:
        if isinstance(defaults.get(key), dict):
            if not isinstance(value, dict):
                raise InputError(
                    f"{config} sets {key} to {value!r}, where a mapping of settings is needed.", "settings"
                )
            _known(config, value, defaults[key], key)
            value = settings[key] | value
        settings[key] = value
    return settings


def _known(config: Path | None, given: dict, defaults: dict, what: str) -> None:
    unknown = sorted(str(name) for name in given if name not in defaults)
    if unknown:
        has = ", ".join(sorted(defaults))
        raise InputError(f"{config} sets {', '.join(unknown)}, which {what} does not have; it has {has}.", "settings")
