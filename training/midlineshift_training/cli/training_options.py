"""Options of the commands that take sets of scans, and the settings that follow from all options."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from midlineshift_training.cli.convert import spacing_option
from midlineshift_training.trainers.settings.common import RunSettings
from midlineshift_training.trainers.settings.presets import NAMES


def scan_set_options(function: Callable) -> Callable:
    """Add ``--preset``, ``--max-steps``, ``--epochs``, ``--validation-data`` and ``--spacing``."""
    options = [
        click.option("--preset", type=click.Choice(NAMES), help="Settings to start from.  [default: ours]"),
        click.option("--max-steps", type=click.IntRange(min=1), help="Steps to train."),
        click.option("--epochs", type=click.IntRange(min=1), help="Passes over the slices, in place of steps."),
        click.option(
            "--validation-data",
            multiple=True,
            type=click.Path(path_type=Path),
            help="Set to validate with; by default the set's own validation cases.",
        ),
        spacing_option,
    ]
    for option in reversed(options):
        function = option(function)
    return function


def fold_option(function: Callable) -> Callable:
    """Add ``--leave-out-fold``."""
    return click.option(
        "--leave-out-fold",
        type=int,
        help="Fold of the sets with landmarks that is not trained on but validated with, for cross-validation.",
    )(function)


def is_annotated(data: Sequence[Path], mixed: bool = False) -> bool:
    """Return whether all data are sets with sparse landmarks.

    Args:
        data: folders and sets. mixed: whether a mixture of sets and folders of phantoms can be trained on.

    Raises:
        InputError: a mixture where none is possible.
    """
    from midlineshift_training.datasets.annotated import load
    from MidlineShiftLogic.errors import InputError

    kinds = {load.is_annotated(path) for path in data}
    if len(kinds) > 1 and not mixed:
        raise InputError(
            "Phantoms and sets with landmarks cannot be mixed in one run; make a set of the phantoms with 'convert "
            "--phantoms', or train on one and go on with --init on the other.",
            "data",
        )
    return kinds == {True}


def scan_set_choices(validation_data: Sequence[Path], spacing: Sequence[float] | None) -> dict[str, Any]:
    """Return what a run remembers of its set; None where nothing was given."""
    return {
        "validation_data": [str(path) for path in validation_data] or None,
        "spacing": list(spacing) if spacing else None,
    }


def settings_of_run(
    defaults: RunSettings,
    choices: dict[str, Any],
    out: Path,
    config: Path | None,
    assignments: Sequence[str],
    options: dict[str, Any],
    resume: bool,
) -> RunSettings:
    """Return all settings of a run, with what was chosen for it beside them; a resumed run starts from its own.

    Args:
        defaults: of the command, or a preset. choices: what a run remembers beside its settings.
        out: run folder. config: YAML file. assignments: ``name=value`` of ``--set``. options: of the command.

    Raises:
        InputError: settings that do not exist or contradict one another, or the run was started with another choice.
    """
    from midlineshift_training.trainers.run_folder.finished_run import resumed_choices
    from midlineshift_training.trainers.settings.merge import merge_settings
    from midlineshift_training.trainers.settings.stored import load_run_settings
    from MidlineShiftLogic.errors import InputError

    if options.get("max_steps") and options.get("epochs"):
        raise InputError("Give --max-steps or --epochs, not both.", "usage")
    base = load_run_settings(out) if resume else defaults
    if type(base) is not type(defaults):
        raise InputError(f"{out} is a run of another command; resume it with that one.", "resume")
    settings = merge_settings(base, config, assignments, options)
    length_changed = settings.max_steps != base.max_steps
    epochs_kept = getattr(settings, "epochs", None) == getattr(base, "epochs", None)
    if hasattr(base, "epochs") and (options.get("max_steps") or (length_changed and epochs_kept)):
        settings |= {"epochs": None}
    return settings | (resumed_choices(out, choices) if resume else choices)
