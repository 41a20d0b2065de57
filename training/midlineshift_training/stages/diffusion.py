"""Stage 1: training of a denoiser (DDPM, Ho et al. 2020; learned variance, Nichol and Dhariwal 2021)."""

from __future__ import annotations

import time

import lightning
import torch
from torch.utils.data import Dataset

from midlineshift_training.cohorts.aligned_slices import AlignedSlices, NoisedBatch, NoisedBatches
from midlineshift_training.losses.diffusion_loss import DiffusionLoss, diffusion_loss
from midlineshift_training.stages.engine import cosine_schedule
from MidlineShiftLogic.networks.denoiser import Denoiser
from MidlineShiftLogic.networks.diffusion import make_schedule

VALIDATION_SEED = 987_654


class DiffusionStage(lightning.LightningModule):
    """Trains a ``Denoiser`` on aligned slices; a ``Stage`` of the engine.

    The score is the mean squared error of the predicted noise over fixed slices, steps and noise.

    Args:
        settings: see ``diffusion_command.DEFAULTS``.
        slices, validation: slices to train on, slices to check with.
        minutes: time after which training ends with the next check; None for no limit.
    """

    network_kind = "adm"

    def __init__(
        self,
        settings: dict,
        slices: AlignedSlices | None,
        validation: AlignedSlices | None,
        minutes: float | None = None,
    ):
        super().__init__()
        self.settings, self.slices, self.validation = settings, slices, validation
        self.network = Denoiser(image_size=settings["grid"], **settings["network"])
        self.network.to(memory_format=torch.channels_last)
        self.schedule = make_schedule(settings["schedule"], settings["steps"])
        self._deadline = None if minutes is None else time.monotonic() + 60 * minutes
        self._scores: list[float] = []

    def training_batches(self, first: int, count: int) -> Dataset:
        return NoisedBatches(self.slices, self.settings, self.settings["seed"], first, count)

    def validation_batches(self) -> Dataset:
        count = self.settings["validation_batches"]
        return NoisedBatches(self.validation, self.settings, VALIDATION_SEED, 0, count, even_steps=True)

    def loss(self, batch: NoisedBatch) -> DiffusionLoss:
        """Loss of each slice of a batch."""
        x = batch.x.contiguous(memory_format=torch.channels_last)
        return diffusion_loss(self.network, self.schedule, x, batch.timesteps, batch.noise)

    def training_step(self, batch: NoisedBatch, number: int) -> torch.Tensor:
        loss = self.loss(batch)
        self.log("train/loss", loss.total.mean(), prog_bar=True, batch_size=len(batch.x))
        self.log_dict({"train/mse": loss.mse.mean(), "train/vb": loss.vb.mean()}, batch_size=len(batch.x))
        return loss.total.mean()

    def validation_step(self, batch: NoisedBatch, number: int) -> None:
        loss = self.loss(batch)
        values = {"validation/mse": loss.mse.mean(), "validation/vb": loss.vb.mean()}
        self.log_dict(values, batch_size=len(batch.x))
        self._scores.append(float(loss.mse.mean()))

    def validation_score(self) -> float:
        score = sum(self._scores) / max(1, len(self._scores))
        self._scores.clear()
        return score

    def on_train_epoch_end(self) -> None:
        if self._deadline is not None and time.monotonic() > self._deadline:
            self.trainer.should_stop = True

    def configure_optimizers(self):
        s = self.settings
        optimizer = torch.optim.AdamW(self.network.parameters(), s["learning_rate"], weight_decay=s["weight_decay"])
        return {"optimizer": optimizer, "lr_scheduler": cosine_schedule(optimizer, s["max_steps"], s["warm_up"])}
