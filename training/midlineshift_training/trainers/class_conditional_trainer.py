"""Stage 1 with one network: training of a class-conditional denoiser (Ho and Salimans 2022, arXiv 2207.12598)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.utils.data import Dataset

from midlineshift_training.datasets.denoiser_pairs import DenoiserSlices, PairedBatch, PairedDataset, PairSettings
from midlineshift_training.datasets.settings import pick
from midlineshift_training.datasets.transforms.frame_variation import AffineVariation
from midlineshift_training.losses.paired_loss import paired_loss
from midlineshift_training.trainers.network_trainer import NetworkTrainer
from midlineshift_training.trainers.settings.class_conditional import ClassConditionalSettings
from MidlineShiftLogic.networks.denoiser import CLASSES, Denoiser
from MidlineShiftLogic.networks.diffusion import class_branches, make_schedule, pseudo_healthy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VALIDATION_SEED = 987_654
SHOWN = 6
"""Slices of a picture."""


class ClassConditionalTrainer(NetworkTrainer):
    """Trains a ``Denoiser`` of any slice and of unshifted slices.

    The score is the mean loss over fixed slices, levels and noise.

    Args:
        settings: of the run. slices, validation: slices to train on and to validate with.
    """

    network_kind = "adm"
    settings: ClassConditionalSettings

    def __init__(
        self, settings: ClassConditionalSettings, slices: DenoiserSlices | None, validation: DenoiserSlices | None
    ):
        super().__init__(settings)
        self.slices, self.validation = slices, validation
        self.network = Denoiser(
            image_size=settings.grid,
            in_channels=1,
            out_channels=1,
            num_classes=CLASSES,
            folding=settings.folding,
            height_condition=True,
            **settings.network.model_dump(),
        ).to(memory_format=self.memory_format)
        self.schedule = make_schedule(settings.schedule, settings.steps)
        self._scores: list[float] = []

    def _batches(self, slices: DenoiserSlices | None, seed: int, first: int, count: int) -> PairedDataset:
        assert slices is not None, "a trainer without slices only loads weights"
        s = self.settings
        affine = AffineVariation(0.5, s.rotation_deg, s.size_jitter, s.place_jitter_px)
        values = {name: getattr(s, name) for name in type(s).model_fields}
        return PairedDataset(slices, pick(PairSettings, values | {"affine": affine}), seed, first, count)

    def training_batches(self, first: int, count: int) -> Dataset:
        return self._batches(self.slices, self.settings.seed, first, count)

    def validation_batches(self) -> Dataset:
        return self._batches(self.validation, VALIDATION_SEED, 0, self.settings.validation_batches)

    def training_step(self, batch: PairedBatch, batch_idx: int) -> torch.Tensor:
        loss = self.loss(batch)
        self.log_terms(loss.mean(), self._terms(loss, batch))
        return loss.mean()

    def loss(self, batch: PairedBatch) -> torch.Tensor:
        """Return loss of each slice of a batch."""
        s = self.settings
        return paired_loss(self.network, self.schedule, batch, s.paired_weight, s.anatomy_weight)

    @staticmethod
    def _terms(loss: torch.Tensor, batch: PairedBatch) -> dict[str, torch.Tensor]:
        kinds = {"null": batch.classes == 0, "paired": batch.paired, "unshifted": (batch.classes > 0) & ~batch.paired}
        return {name: loss[mask].mean() for name, mask in kinds.items() if mask.any()}

    def validation_step(self, batch: PairedBatch, number: int) -> None:
        loss = self.loss(batch)
        values = {f"validation/{name}": value for name, value in self._terms(loss, batch).items()}
        self.log_dict(values, batch_size=len(batch.x), logger=False)
        self._scores.append(float(loss.mean()))

    def validation_score(self) -> float:
        score = sum(self._scores) / max(1, len(self._scores))
        self._scores.clear()
        return score

    def pictures(self) -> dict[str, Figure]:
        from midlineshift_training.trainers.figures.denoiser_figures import draw_pairs

        batch = self.transfer_batch_to_device(self.validation_batches()[0], self.device, 0)
        chosen = torch.nonzero(batch.paired)[:SHOWN, 0]
        if not len(chosen):
            return {}
        x, noise = batch.x[chosen], batch.noise[chosen]
        both = class_branches(self.network, batch.heights[chosen])
        healthy = pseudo_healthy(*both, self.schedule, x, noise, **self.settings.ddim.model_dump(exclude={"noises"}))
        return {"pseudo_healthy": draw_pairs(x, healthy)}
