"""Which slices come in a batch: drawn by weight, or every one once an epoch in a shuffled order."""

from __future__ import annotations

import torch
from torch import Tensor

_EPOCH_STREAM = 2_000_000_000
"""Seeds of the shuffles; the batches draw from seed * 1_000_003 + number."""


class SliceSampler:
    """Batch number -> slices, the same for the same seed whenever it is asked for.

    Args:
        weights: (S,) how often each slice comes; all equal: each comes once an epoch, shuffled anew each time.
        batch: slices a batch. seed: of the order.
    """

    def __init__(self, weights: Tensor, batch: int, seed: int):
        self.weights, self.batch, self.seed = weights, batch, seed
        self.shuffled = bool((weights == weights[0]).all())

    def slices(self, number: int, generator: torch.Generator) -> Tensor:
        """Return (B,) slices of batch ``number``; ``generator`` is used where they are drawn by weight."""
        if not self.shuffled:
            return torch.multinomial(self.weights, self.batch, replacement=True, generator=generator)
        count = len(self.weights)
        places = torch.arange(number * self.batch, (number + 1) * self.batch)
        epochs = places // count
        orders = {int(epoch): self._order(int(epoch)) for epoch in epochs.unique()}
        return torch.stack([orders[int(e)][p] for e, p in zip(epochs, places % count, strict=True)])

    def _order(self, epoch: int) -> Tensor:
        g = torch.Generator().manual_seed(_EPOCH_STREAM + self.seed * 1_000_003 + epoch)
        return torch.randperm(len(self.weights), generator=g)


def with_share(weights: Tensor, group: Tensor, share: float | None) -> Tensor:
    """Scale weights so that a group makes ``share`` of all draws; unchanged for None, or if only one side has any.

    Args:
        weights: (S,). group: (S,) bool.
    """
    inside, outside = weights[group].sum(), weights[~group].sum()
    if share is None or not inside or not outside:
        return weights
    return torch.where(group, weights * share / inside, weights * (1 - share) / outside)
