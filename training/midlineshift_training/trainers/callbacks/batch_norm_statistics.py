"""Batch normalisation that does not depend on how many processes share a step."""

from __future__ import annotations

import lightning
import torch
from torch import nn

from midlineshift_training.trainers.deterministic_sampler import MicrobatchShare

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class BatchNormStatistics(lightning.Callback):
    """Running statistics of a step are the mean over its microbatches, each started from those of the step before.

    Activations are normalised by the microbatch they are in, on one process as on many. Left alone, the running
    statistics would be those of the first process only, or would move once a microbatch instead of once a step.
    """

    def __init__(self, share: MicrobatchShare):
        self.share = share
        self._start: list[torch.Tensor] = []
        self._sum: list[torch.Tensor] = []

    @staticmethod
    def _buffers(network) -> list[torch.Tensor]:
        norms = [module for module in network.modules() if isinstance(module, NORMS)]
        return [buffer for norm in norms for buffer in norm.buffers()]

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if self.share.microbatches == 1:
            return
        buffers = self._buffers(pl_module.network)
        if batch_idx % self.share.own == 0:
            self._start = [buffer.clone() for buffer in buffers]
            self._sum = [torch.zeros_like(buffer) for buffer in buffers]
        else:
            for buffer, start in zip(buffers, self._start, strict=True):
                buffer.copy_(start)

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if self.share.microbatches == 1:
            return
        buffers = self._buffers(pl_module.network)
        for buffer, total in zip(buffers, self._sum, strict=True):
            total += buffer
        if (batch_idx + 1) % self.share.own:
            return
        for buffer, total in zip(buffers, self._sum, strict=True):
            if buffer.is_floating_point():  # the others count steps
                buffer.copy_(trainer.strategy.reduce(total, reduce_op="sum") / self.share.microbatches)
