"""Settings of a run: defaults, replaced by a YAML file, replaced by command-line options."""

from __future__ import annotations

from pathlib import Path

import yaml

from MidlineShiftLogic.errors import InputError


def merge_settings(defaults: dict, config: Path | None, options: dict) -> dict:
    """Merge; nested dictionaries are merged key by key, options that are None are not given.

    Raises:
        InputError: the file cannot be read, is not a mapping, or holds a name that is no setting.
    """
    settings = {key: dict(value) if isinstance(value, dict) else value for key, value in defaults.items()}
    given = {}
    if config is not None:
        try:
            given = yaml.safe_load(Path(config).read_text())
        except (OSError, yaml.YAMLError) as error:
            raise InputError(f"Cannot read the settings {config}: {error}", "settings") from None
        if not isinstance(given, dict):
            raise InputError(f"{config} must be a YAML mapping of settings.", "settings")
    unknown = sorted(set(given) - set(defaults))
    if unknown:
        raise InputError(
            f"{config} sets {', '.join(unknown)}, which this stage does not have; it has {', '.join(sorted(defaults))}.",
            "settings",
        )
    for key, value in [*given.items(), *((k, v) for k, v in options.items() if v is not None)]:
        settings[key] = settings[key] | value if isinstance(settings.get(key), dict) else value
    return settings
