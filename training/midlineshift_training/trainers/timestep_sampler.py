"""Which noise levels a denoiser is trained at: all alike, or those it finds hard more often.

The second-moment sampler is that of Nichol and Dhariwal 2021 (arXiv 2102.09672, section 3.3), in the form guided-diffusion
gives it (``--schedule_sampler loss-second-moment``).
"""

from __future__ import annotations

import torch
from torch import Tensor

HISTORY = 10
UNIFORM_SHARE = 0.001
SECOND_MOMENT = "loss-second-moment"


class SecondMomentSampler:
    """p(t) ~ sqrt(mean of the last ten losses at t, squared), mixed with 0.1 % of a uniform one; uniform until each step
    has ten losses. Losses are to be weighted by 1 / (T p(t)), so that their expectation stays that of uniform steps.

    Attributes:
        losses: (T, 10), oldest first. counts: (T,) how many of them are known.
    """

    def __init__(self, steps: int):
        self.losses = torch.zeros(steps, HISTORY, dtype=torch.float64)
        self.counts = torch.zeros(steps, dtype=torch.long)

    def probabilities(self) -> Tensor:
        """Return (T,) chance of each step."""
        steps = len(self.counts)
        if (self.counts < HISTORY).any():
            return torch.full((steps,), 1 / steps, dtype=torch.float64)
        p = self.losses.square().mean(1).sqrt()
        return p / p.sum() * (1 - UNIFORM_SHARE) + UNIFORM_SHARE / steps

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return (count,) steps and (count,) weights of their losses."""
        p = self.probabilities()
        drawn = torch.multinomial(p, count, replacement=True, generator=generator)
        return drawn, (1 / (len(p) * p[drawn])).float()

    def update(self, timesteps: Tensor, losses: Tensor) -> None:
        """Take note of losses (N,) found at steps (N,), in this order."""
        for t, loss in zip(timesteps.tolist(), losses.tolist(), strict=True):
            if self.counts[t] == HISTORY:
                self.losses[t, :-1] = self.losses[t, 1:].clone()
                self.losses[t, -1] = loss
            else:
                self.losses[t, self.counts[t]] = loss
                self.counts[t] += 1

    def state(self) -> dict[str, Tensor]:
        """Return what a checkpoint keeps."""
        return {"losses": self.losses, "counts": self.counts}

    def load(self, state: dict[str, Tensor]) -> None:
        """Go on from ``state()``."""
        self.losses, self.counts = state["losses"].clone(), state["counts"].clone()
