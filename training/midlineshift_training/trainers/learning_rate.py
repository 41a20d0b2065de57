"""Learning rate over a run: our cosine, or the rates of guided-diffusion (constant, or annealed linearly to 0)."""

from __future__ import annotations

from typing import Any

import torch

from MidlineShiftLogic.errors import InputError

RATES = ("cosine", "constant", "linear")


def with_learning_rate(found: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """What ``NetworkTrainer.configure_optimizers`` gave, with the schedule that the setting ``rate`` names.

    ``linear`` is ``1 - step / max_steps``, guided-diffusion's ``--lr_anneal_steps``. InputError for another name.
    """
    rate, last = settings.get("rate", "cosine"), settings["max_steps"]
    if rate not in RATES:
        raise InputError(f"The setting rate is {rate!r}; there are {', '.join(RATES)}.", "settings")
    if rate == "cosine":
        return found
    factor = (lambda step: 1.0) if rate == "constant" else (lambda step: max(0.0, 1 - step / last))
    schedule = torch.optim.lr_scheduler.LambdaLR(found["optimizer"], factor)
    return found | {"lr_scheduler": {"scheduler": schedule, "interval": "step"}}
