"""Which numbered microbatch is whose.

A step of the optimizer takes ``microbatches`` forward and backward passes, and its gradient is their mean. Microbatch i
of step s has the number s * microbatches + i, and its contents depend on (seed, number) alone; so do the random numbers
of the network (dropout). How many processes share the microbatches of a step changes nothing but rounding
(docs/adr/0017), and a run that was killed and resumed sees exactly what an undisturbed one would have seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import lightning
import torch
from torch.utils.data import DataLoader, Subset

# Beyond the numbers that the batches (from 0) and the deformation stage (from 1.5 and 3 thousand millions) are drawn from.
NETWORK_STREAM = 2_250_000_000


@dataclass(frozen=True)
class MicrobatchShare:
    """What one process does of each step.

    Attributes:
        microbatches: of a step, over all processes. processes: how many share them. rank: this one's number.
    """

    microbatches: int = 1
    processes: int = 1
    rank: int = 0

    @property
    def own(self) -> int:
        """Microbatches of a step that this process makes."""
        return self.microbatches // self.processes

    def number(self, first_step: int, index: int) -> int:
        """Number, over the whole run, of the ``index``-th microbatch that this process makes from ``first_step`` on."""
        step, place = divmod(index, self.own)
        return (first_step + step) * self.microbatches + self.rank * self.own + place


class DeterministicBatches(lightning.LightningDataModule):
    """Hands the trainer the microbatches of ``check_every`` steps an epoch, numbered on from the trainer's step.

    Every process validates on all validation batches, which are few: so all know the same score without asking.
    """

    def __init__(self, stage, check_every: int, max_steps: int, workers: int, share: MicrobatchShare):
        super().__init__()
        self.stage, self.check_every, self.max_steps, self.workers, self.share = (
            stage, check_every, max_steps, workers, share,
        )  # fmt: skip

    def steps_from(self, first: int) -> int:
        """Steps of the epoch that begins at step ``first``."""
        return min(self.check_every, self.max_steps - first)

    def train_dataloader(self):
        first, share = self.trainer.global_step, self.share
        steps = self.steps_from(first)
        self.stage.first_step = first
        batches = self.stage.training_batches(first * share.microbatches, steps * share.microbatches)
        if share.processes > 1:
            start = first * share.microbatches
            batches = Subset(batches, [share.number(first, i) - start for i in range(steps * share.own)])
        return DataLoader(batches, batch_size=None, num_workers=self.workers)

    def val_dataloader(self):
        return DataLoader(self.stage.validation_batches(), batch_size=None)


class SeedMicrobatches(lightning.Callback):
    """What is random inside the network depends on (seed, number of the microbatch) alone, too; what is logged is logged
    at the step of the run; and a resumed run begins a new epoch, however long the one before it was."""

    def __init__(self, seed: int, data: DeterministicBatches):
        self.seed, self.data = seed, data

    def on_load_checkpoint(self, trainer, pl_module, checkpoint):
        # Checkpoints are written where an epoch ends. Lightning takes the microbatches counted in it for a part of an
        # epoch if epochs are longer now: there are fewer processes, or checks are farther apart.
        counted = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]["current"]
        length = self.data.steps_from(checkpoint["global_step"]) * self.data.share.own
        counted.update(dict.fromkeys(counted, length))

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        # Lightning's counter for loggers goes one too far with each resumption from an epoch's end
        trainer.fit_loop.epoch_loop._batches_that_stepped = trainer.global_step
        torch.manual_seed(NETWORK_STREAM + self.seed * 1_000_003 + pl_module.number_of(batch_idx))
