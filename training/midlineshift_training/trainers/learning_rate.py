"""Learning rate over a run: our cosine, or the rates of guided-diffusion (constant, or annealed linearly to 0)."""

from __future__ import annotations

import math
from typing import Any

import torch

from midlineshift_training.trainers.settings.common import RunSettings

LOWEST_SHARE = 0.01
"""Share of the highest rate that the cosine ends at."""


def rate_schedule(optimizer: torch.optim.Optimizer, settings: RunSettings) -> dict[str, Any]:
    """Return Lightning's entry ``lr_scheduler`` for the schedule that the setting ``rate`` names, by step.

    ``cosine`` is a linear warm-up, then half a cosine; ``linear`` is ``1 - step / max_steps``, which is guided-diffusion's
    ``--lr_anneal_steps``.
    """
    warm_up, last = settings.warm_up, settings.max_steps

    def cosine(step: int) -> float:
        if step < warm_up:
            return (step + 1) / warm_up
        done = min(1.0, (step - warm_up) / max(1, last - warm_up))
        return LOWEST_SHARE + (1 - LOWEST_SHARE) * (0.5 + 0.5 * math.cos(math.pi * done))

    def constant(step: int) -> float:
        return 1.0

    def linear(step: int) -> float:
        return max(0.0, 1 - step / last)

    factor = {"cosine": cosine, "constant": constant, "linear": linear}[settings.rate]
    return {"scheduler": torch.optim.lr_scheduler.LambdaLR(optimizer, factor), "interval": "step"}
