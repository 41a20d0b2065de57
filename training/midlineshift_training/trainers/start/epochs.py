"""Length of a run told in passes over its slices."""

from __future__ import annotations

import math
from typing import Any

from MidlineShiftLogic.errors import InputError


def steps_of_epochs(settings: dict[str, Any], slices: int) -> dict[str, int]:
    """``max_steps`` and ``check_every`` (once an epoch) that ``epochs`` asks for; nothing where it is None.

    Args:
        settings: ``epochs``, ``batch``, ``microbatches``. slices: to train on.
    """
    epochs = settings.get("epochs")
    if epochs is None:
        return {}
    if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 1:
        raise InputError(f"The setting epochs must be a whole number from 1 on, not {epochs!r}.", "settings")
    a_step = settings["batch"] * (settings.get("microbatches") or 1)
    an_epoch = math.ceil(slices / a_step)
    return {"max_steps": epochs * an_epoch, "check_every": an_epoch}
