"""Random numbers of the network (dropout) that depend on the microbatch alone."""

from __future__ import annotations

import lightning
import torch

NETWORK_STREAM = 2_250_000_000
"""Beyond the seeds of the batches (from 0) and of the deformation network's noise (from 1.5 and 3 thousand millions)."""
SEED_STRIDE = 1_000_003
"""Between the first seeds of two runs whose ``seed`` differs by one: more than any run's microbatches."""


class SeedMicrobatches(lightning.Callback):
    """Seed torch by (seed, number of the microbatch)."""

    def __init__(self, seed: int):
        self.seed = seed

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        torch.manual_seed(NETWORK_STREAM + self.seed * SEED_STRIDE + pl_module.number_of(batch_idx))
