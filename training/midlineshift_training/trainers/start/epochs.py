"""Length of a run given in passes over its slices."""

from __future__ import annotations

import math

from midlineshift_training.trainers.settings.scan_sets import ScanSetSettings


def steps_of_epochs(settings: ScanSetSettings, slices: int) -> dict[str, int]:
    """Return ``max_steps`` and ``check_every`` (once an epoch) that ``epochs`` asks for; nothing where it is None.

    Args:
        settings: of the run. slices: number to train on.
    """
    if settings.epochs is None:
        return {}
    an_epoch = math.ceil(slices / (settings.batch * (settings.microbatches or 1)))
    return {"max_steps": settings.epochs * an_epoch, "check_every": an_epoch}
