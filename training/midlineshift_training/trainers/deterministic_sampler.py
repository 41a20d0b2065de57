"""Deterministic sampling: which numbered microbatch is whose.

A step of the optimizer takes ``microbatches`` forward and backward passes, and its gradient is their mean. Microbatch i
of step s has the number s * microbatches + i, and its contents depend on (seed, number) alone; so do the random numbers
of the network (dropout). How many processes share the microbatches of a step changes nothing but rounding
(docs/adr/0017), and a run that was killed and resumed sees exactly what an undisturbed one would have seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import lightning
from torch.utils.data import DataLoader, Subset

_CLOSED_EPOCH = [0]
"""Stands for all batches of the epoch that a checkpoint ended."""


@dataclass(frozen=True)
class MicrobatchShare:
    """Part of each step that one process does.

    Attributes:
        microbatches: of a step, over all processes. processes: how many share them. rank: this one's number.
    """

    microbatches: int = 1
    processes: int = 1
    rank: int = 0

    @property
    def own(self) -> int:
        """Return how many microbatches of a step that this process makes."""
        return self.microbatches // self.processes

    def number(self, first_step: int, index: int) -> int:
        """Number, over the whole run, of the ``index``-th microbatch that this process makes from ``first_step`` on."""
        step, place = divmod(index, self.own)
        return (first_step + step) * self.microbatches + self.rank * self.own + place


class DeterministicBatches(lightning.LightningDataModule):
    """Hands the trainer the microbatches of ``check_every`` steps an epoch, numbered on from the trainer's step.

    Every process validates on all validation batches, which are few: so all know the same score without asking.

    Lightning closes the epoch that a checkpoint ended before it begins the next one, and for that asks for the closed epoch's
    batches, too. It takes them for a part of an epoch if their number differs from that of the checkpoint, as it does once
    there are fewer processes or checks are farther apart. One batch, which is never trained on, closes an epoch of any
    length.

    Args:
        module: makes the batches. check_every: steps of an epoch. max_steps: of the run. workers: processes that make batches.
        share: this process's part of each step. resumed: whether the trainer goes on from a checkpoint.
    """

    def __init__(
        self, module, check_every: int, max_steps: int, workers: int, share: MicrobatchShare, resumed: bool = False
    ):
        super().__init__()
        self.resumed = resumed
        self.module, self.check_every, self.max_steps, self.workers, self.share = (
            module, check_every, max_steps, workers, share,
        )  # fmt: skip

    def train_dataloader(self):
        if self.resumed:
            self.resumed = False
            return DataLoader(_CLOSED_EPOCH, batch_size=None)
        first, share = self.trainer.global_step, self.share
        steps = min(self.check_every, self.max_steps - first)
        self.module.first_step = first
        batches = self.module.training_batches(first * share.microbatches, steps * share.microbatches)
        if share.processes > 1:
            start = first * share.microbatches
            batches = Subset(batches, [share.number(first, i) - start for i in range(steps * share.own)])
        return DataLoader(batches, batch_size=None, num_workers=self.workers)

    def val_dataloader(self):
        return DataLoader(self.module.validation_batches(), batch_size=None)
