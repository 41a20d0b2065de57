"""Random numbers of the network (dropout) that depend on the microbatch alone, and exact resumption."""

from __future__ import annotations

import lightning
import torch

from midlineshift_training.trainers.deterministic_sampler import DeterministicBatches

NETWORK_STREAM = 2_250_000_000
"""Beyond the seeds of the batches (from 0) and of the deformation network's noise (from 1.5 and 3 thousand millions)."""
SEED_STRIDE = 1_000_003
"""Between the first seeds of two runs whose ``seed`` differs by one: more than any run's microbatches."""


class SeedMicrobatches(lightning.Callback):
    """Seed torch by (seed, number of the microbatch), and begin a new epoch on resumption, however long that before was."""

    def __init__(self, seed: int, data: DeterministicBatches):
        self.seed, self.data = seed, data

    def on_load_checkpoint(self, trainer, pl_module, checkpoint):
        # Checkpoints are written where an epoch ends. Lightning takes the microbatches counted in it for a part of an
        # epoch if epochs are longer now: there are fewer processes, or checks are farther apart.
        counted = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]["current"]
        length = self.data.steps_from(checkpoint["global_step"]) * self.data.share.own
        counted.update(dict.fromkeys(counted, length))

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        torch.manual_seed(NETWORK_STREAM + self.seed * SEED_STRIDE + pl_module.number_of(batch_idx))
