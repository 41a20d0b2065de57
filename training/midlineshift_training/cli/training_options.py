"""What the commands of both stages are told in the same way: preset, length, and sets with sparse landmarks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from midlineshift_training.cli.convert import spacing_option
from midlineshift_training.cli.run_options import run_options
from midlineshift_training.trainers.settings.presets import NAMES


def set_options(function):
    """Add ``--preset``, ``--max-steps``, ``--epochs``, ``--validation-data`` and ``--spacing``."""
    options = [
        click.option("--preset", type=click.Choice(NAMES), help="Settings to start from.  [default: ours]"),
        click.option("--max-steps", type=click.IntRange(min=1), help="Steps to train."),
        click.option("--epochs", type=click.IntRange(min=1), help="Passes over the slices, in place of steps."),
        click.option(
            "--validation-data",
            multiple=True,
            type=click.Path(path_type=Path),
            help="Set to check with; by default the set's own validation cases.",
        ),
        spacing_option,
    ]
    for option in reversed(options):
        function = option(function)
    return function


def midline_options(function):
    for option in reversed(
        [
            click.option(
                "--data",
                required=True,
                multiple=True,
                type=click.Path(path_type=Path),
                help="Phantoms or set; may be repeated.",
            ),
            click.option("--out", required=True, type=click.Path(path_type=Path), help="Run folder."),
            click.option("--config", type=click.Path(path_type=Path), help="YAML whose settings replace the defaults."),
            click.option("--init", type=click.Path(path_type=Path), help="Weights (.safetensors) to start from."),
            click.option(
                "--validation-cases",
                default=24,
                show_default=True,
                type=click.IntRange(min=1),
                help="Last cases of --data, held out.",
            ),
            click.option("--seed", type=int, help="Seed of data order, augmentation and initial weights."),
        ]
    ):
        function = option(function)
    return run_options(function)


def is_annotated(data: Sequence[Path]) -> bool:
    """Whether the data are sets with sparse landmarks; InputError for a mixture with folders of phantoms."""
    from midlineshift_training.datasets.annotated.load import is_landmark_set
    from MidlineShiftLogic.errors import InputError

    kinds = {is_landmark_set(path) for path in data}
    if len(kinds) > 1:
        raise InputError(
            "Phantoms and sets with landmarks cannot be mixed in one run; make a set of the phantoms with 'convert "
            "--phantoms', or train on one and go on with --init on the other.",
            "data",
        )
    return kinds.pop()


def set_choices(validation_data: Sequence[Path], spacing: Sequence[float] | None) -> dict[str, Any]:
    """What a run remembers of its set; None where nothing was given."""
    return {
        "validation_data": [str(path) for path in validation_data] or None,
        "spacing": list(spacing) if spacing else None,
    }


def settings_of_run(
    defaults: dict[str, Any],
    choices: dict[str, Any],
    out: Path,
    config: Path | None,
    options: dict[str, Any],
    resume: bool,
) -> dict[str, Any]:
    """All settings of a run, with what was chosen for it beside them; those of a resumed run are as it was started.

    Raises:
        InputError: settings that do not exist or contradict one another, or the run was started with another choice.
    """
    from midlineshift_training.trainers.run_folder.finished_run import resumed_choices, resumed_settings
    from midlineshift_training.trainers.settings.common import merge_settings
    from MidlineShiftLogic.errors import InputError

    if options.get("max_steps") and options.get("epochs"):
        raise InputError("Give --max-steps or --epochs, not both.", "usage")
    base = resumed_settings(out, defaults) if resume else defaults
    settings = merge_settings(base, config, options)
    changed = settings["max_steps"] != base["max_steps"]
    if "epochs" in base and (options.get("max_steps") or (changed and settings["epochs"] == base["epochs"])):
        settings["epochs"] = None
    return settings | (resumed_choices(out, choices) if resume else choices)
