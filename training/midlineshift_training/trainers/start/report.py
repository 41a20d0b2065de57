"""What a run says before it starts."""

from __future__ import annotations

from midlineshift_training.trainers.processes import say
from midlineshift_training.trainers.settings.common import RunSettings

MOST_NAMES = 12
"""Held-out cases that are named one by one."""


def report_cases(settings: RunSettings, kind: str) -> None:
    """Print how many cases are trained on and which are held out for validation."""
    names = settings.held_out[:MOST_NAMES]
    more = len(settings.held_out) - len(names)
    listed = ", ".join(names) + (f" and {more} more" if more else "")
    say(f"{settings.cases} {kind} to train on; held out for validation: {settings.validation_cases} ({listed})")
