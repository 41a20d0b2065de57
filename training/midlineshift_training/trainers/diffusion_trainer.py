"""Stage 1: training of a denoiser (DDPM, Ho et al. 2020; learned variance, Nichol and Dhariwal 2021)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import torch
from torch.utils.data import Dataset

from midlineshift_training.datasets.aligned_slices import AlignedSlices
from midlineshift_training.datasets.denoiser_dataset import DenoiserBatch, DenoiserDataset, DenoiserDataSettings
from midlineshift_training.datasets.settings import pick
from midlineshift_training.losses.diffusion_loss import DiffusionLoss, diffusion_loss
from midlineshift_training.trainers.denoiser_metrics import image_metrics
from midlineshift_training.trainers.gradient_checkpointing import checkpoint_activations
from midlineshift_training.trainers.network_trainer import NetworkTrainer
from midlineshift_training.trainers.settings.diffusion import DiffusionSettings
from midlineshift_training.trainers.timestep_sampler import SECOND_MOMENT, SecondMomentSampler
from MidlineShiftLogic.networks.denoiser import Denoiser
from MidlineShiftLogic.networks.diffusion import make_schedule

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VALIDATION_SEED = 987_654
# The batches draw from seed * 1_000_003 + number; the noise levels of the second-moment sampler from beyond that.
TIMESTEP_STREAM = 2_500_000_000


class DiffusionTrainer(NetworkTrainer):
    """Trains a ``Denoiser`` on aligned slices.

    The score is the mean squared error of the predicted noise over fixed slices, steps and noise.

    Args:
        settings: of the run.
        slices, validation: slices to train on, slices to check with.
    """

    network_kind = "adm"
    settings: DiffusionSettings
    slices: AlignedSlices  # needed to train and to validate; a finished run is opened without
    validation: AlignedSlices

    def __init__(self, settings: DiffusionSettings, slices: AlignedSlices | None, validation: AlignedSlices | None):
        super().__init__(settings)
        self.slices, self.validation = cast(AlignedSlices, slices), cast(AlignedSlices, validation)
        self.network = Denoiser(image_size=settings.grid, **settings.network.model_dump())
        self.network.to(memory_format=self.memory_format)
        if settings.gradient_checkpointing:
            checkpoint_activations(self.network)
        self.schedule = make_schedule(settings.schedule, settings.steps)
        self._scores: list[float] = []
        self.sampler = SecondMomentSampler(settings.steps) if settings.sampler == SECOND_MOMENT else None
        self._found: list[tuple[torch.Tensor, torch.Tensor]] = []

    def training_batches(self, first: int, count: int) -> Dataset:
        return DenoiserDataset(self.slices, pick(DenoiserDataSettings, self.settings), self.settings.seed, first, count)

    def validation_batches(self) -> Dataset:
        count = self.settings.validation_batches
        return DenoiserDataset(
            self.validation, pick(DenoiserDataSettings, self.settings), VALIDATION_SEED, 0, count, even_steps=True
        )

    def loss(self, batch: DenoiserBatch) -> DiffusionLoss:
        """Return loss of each slice of a batch."""
        x = batch.x.contiguous(memory_format=self.memory_format)
        return diffusion_loss(self.network, self.schedule, x, batch.timesteps, batch.noise)

    def training_step(self, batch: DenoiserBatch, batch_idx: int) -> torch.Tensor:
        weights = None
        if self.sampler is not None:
            g = torch.Generator().manual_seed(
                TIMESTEP_STREAM + self.settings.seed * 1_000_003 + self.number_of(batch_idx)
            )
            timesteps, weights = (value.to(batch.x.device) for value in self.sampler.draw(len(batch.x), g))
            batch = replace(batch, timesteps=timesteps)
        loss = self.loss(batch)
        if weights is not None:
            self._found.append((batch.timesteps, loss.total.detach()))
        total = (loss.total if weights is None else loss.total * weights).mean()
        self.log_terms(total, {"mse": loss.mse.mean(), "vb": loss.vb.mean()})
        return total

    def on_train_batch_end(self, outputs, batch: DenoiserBatch, batch_idx: int) -> None:
        # once a step, so that all its microbatches, whoever makes them, draw by the same losses
        if self.sampler is None or (batch_idx + 1) % self.share.own:
            return
        timesteps, losses = (torch.stack(values) for values in zip(*self._found, strict=True))
        self._found.clear()
        if self.share.processes > 1:
            timesteps, losses = self.all_gather(timesteps), self.all_gather(losses)
        self.sampler.update(timesteps.flatten().cpu(), losses.flatten().cpu())

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        if self.sampler is not None:
            checkpoint["sampler"] = self.sampler.state()

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        if self.sampler is not None:
            self.sampler.load(checkpoint["sampler"])

    def validation_step(self, batch: DenoiserBatch, number: int) -> None:
        loss = self.loss(batch)
        values = {"validation/mse": loss.mse.mean(), "validation/vb": loss.vb.mean()}
        if self.settings.image_metrics:
            values |= image_metrics(self.network, self.schedule, batch.x, batch.noise)
        self.log_dict(values, batch_size=len(batch.x), logger=False)
        self._scores.append(float(loss.mse.mean()))

    def validation_score(self) -> float:
        score = sum(self._scores) / max(1, len(self._scores))
        self._scores.clear()
        return score

    def pictures(self) -> dict[str, Figure]:
        from midlineshift_training.trainers.figures.denoiser_figures import draw_denoised, draw_samples

        batch = self.transfer_batch_to_device(self.validation_batches()[0], self.device, 0)
        return {
            "samples": draw_samples(self.network, self.schedule, batch.x[:4]),
            "denoised": draw_denoised(self.network, self.schedule, batch.x[:4], batch.noise[:4]),
        }
