"""What all training stages have in common."""

from __future__ import annotations

import copy
from typing import Any

import lightning
import torch
from torch import Tensor
from torch.utils.data import Dataset

from midlineshift_training.trainers.deterministic_sampler import MicrobatchShare
from midlineshift_training.trainers.learning_rate import rate_schedule
from midlineshift_training.trainers.settings.common import RunSettings


class NetworkTrainer(lightning.LightningModule):
    """A LightningModule with what the engine asks of a stage beside Lightning's own hooks.

    A stage sets ``network`` and ``network_kind`` and fills the methods that raise ``NotImplementedError`` here.

    Attributes:
        settings: of the run.
        first_step: step of the optimizer at which the current epoch began. share: this process's part of each step.
    """

    network: torch.nn.Module
    network_kind: str
    SHARED: tuple[str, ...] = ("slices", "validation", "_denoisers")
    """Attributes that the averaged copy of the stage shares: the data alone may fill half the memory."""

    def __init__(self, settings: RunSettings):
        super().__init__()
        self.settings = settings
        self.first_step, self.share = 0, MicrobatchShare()
        self.last_terms: dict[str, Tensor] = {}
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def training_batches(self, first: int, count: int) -> Dataset:
        """Return data set of ready batches number ``first`` .. ``first + count - 1`` of the run."""
        raise NotImplementedError

    def validation_batches(self) -> Dataset:
        """Return data set of ready, fixed validation batches."""
        raise NotImplementedError

    def validation_score(self) -> float:
        """Return figure of the validation just run; lower is better."""
        raise NotImplementedError

    def pictures(self) -> dict[str, Any]:
        """Name -> matplotlib ``Figure`` of what the network does with fixed cases; called while it is in eval mode."""
        return {}

    def number_of(self, batch_idx: int) -> int:
        """Return number, over the whole run, of a training batch that Lightning counts from the epoch's start."""
        return self.share.number(self.first_step, batch_idx)

    @property
    def memory_format(self) -> torch.memory_format:
        """Return layout of images and convolution weights."""
        return torch.channels_last if self.settings.channels_last else torch.contiguous_format

    def term_weights(self, weights: dict[str, float], image_growth: float, slices: int) -> dict[str, float]:
        """Return the loss weights, that of the image term grown by the whole passes over the training slices so far.

        As in Gong et al.'s schedule, where an epoch is a pass over the data. How often one validates does not matter.

        Args:
            weights: by name, at the start. image_growth: a pass's addition to the factor 1. slices: to train on.
        """
        a_step = self.settings.batch * self.share.microbatches
        passes = self.trainer.global_step * a_step // slices
        return weights | {"image": weights["image"] * (1 + passes * image_growth)}

    def log_terms(self, total: Tensor, terms: dict[str, Tensor]) -> None:
        """Note a training step's loss and its terms, each apart, for the loggers and for the next check's row."""
        self.last_terms = {name: value.detach() for name, value in {"total": total, **terms}.items()}
        for name, value in {"total": total, **terms}.items():
            # not made a number here: that would wait for the device at every step
            self._sums[name] = self._sums.get(name, 0) + value.detach().float()
            self._counts[name] = self._counts.get(name, 0) + 1

    def pop_terms(self) -> dict[str, Tensor]:
        """Return means of the logged terms since the last call, by name."""
        sums, counts = self._sums, self._counts
        self._sums, self._counts = {}, {}
        return {name: value / counts[name] for name, value in sums.items()}

    def configure_optimizers(self):
        s = self.settings
        fused = s.fused_optimizer
        if fused is None:
            # with a scaler the fused kernel unscales the gradients itself, after they were to be clipped
            fused = self.device.type == "cuda" and s.precision != "16-mixed"
        parameters = self.network.parameters()
        optimizer = torch.optim.AdamW(parameters, s.learning_rate, weight_decay=s.weight_decay, fused=fused)
        return {"optimizer": optimizer, "lr_scheduler": rate_schedule(optimizer, s)}

    def configure_gradient_clipping(self, optimizer, gradient_clip_val=None, gradient_clip_algorithm=None):
        # Lightning's own refuses fused optimizers in all mixed precision, though only a scaler (fp16) speaks against them
        if gradient_clip_val:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), gradient_clip_val)

    def __deepcopy__(self, memo):
        for name in self.SHARED:
            if self.__dict__.get(name) is not None:
                memo[id(self.__dict__[name])] = self.__dict__[name]
        twin = self.__class__.__new__(self.__class__)
        memo[id(self)] = twin
        twin.__setstate__(copy.deepcopy(self.__getstate__(), memo))
        return twin
