"""Train the refinement network, which looks again along a first midline."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch

from midlineshift_training.datasets.phantom_slices import PhantomSlices
from midlineshift_training.datasets.strip_dataset import StripBatch, StripDataset
from midlineshift_training.datasets.transforms.frame_variation import FrameVariation
from midlineshift_training.losses.refinement_loss import refinement_loss
from midlineshift_training.trainers.network_trainer import NetworkTrainer
from midlineshift_training.trainers.refinement_metrics import refined_errors
from midlineshift_training.trainers.settings.midline import RefinementSettings
from MidlineShiftLogic.inference.refine_midlines import strip_inputs
from MidlineShiftLogic.networks.strip_unet import StripUNet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VALIDATION_SEED = 987_654


class RefinementTrainer(NetworkTrainer):
    """Trains a ``StripUNet``.

    Args:
        settings: of the run.
        slices: to train on; to validate with.
    """

    network_kind = "strip_unet"
    settings: RefinementSettings
    network: StripUNet
    slices: PhantomSlices  # needed to train and to validate; a finished run is opened without
    validation: PhantomSlices

    def __init__(self, settings: RefinementSettings, slices: PhantomSlices | None, validation: PhantomSlices | None):
        super().__init__(settings)
        self.slices, self.validation = cast(PhantomSlices, slices), cast(PhantomSlices, validation)
        self.variation = FrameVariation(
            broad=False,
            bend_mm=settings.bend_mm,
            unequal=settings.unequal_share,
            degraded=1 - settings.clean_share,
        )
        self.network = StripUNet(tuple(settings.features)).to(memory_format=self.memory_format)
        self._losses: list[tuple[torch.Tensor, int]] = []

    def _batches(self, slices: PhantomSlices, count: int, seed: int, first: int = 0) -> StripDataset:
        s = self.settings
        frame = (s.grid, s.pixel_mm, s.frame_mm)
        return StripDataset(
            slices, self.network.grid, s.batch, first + count, self.variation, frame, seed, first,
            s.upsampling, s.unlabelled_share, s.labelled_share, s.effaced_share,
        )  # fmt: skip

    def training_batches(self, first: int, count: int) -> StripDataset:
        return self._batches(self.slices, count, self.settings.seed, first)

    def validation_batches(self) -> StripDataset:
        # degraded and varied as in training, always the same
        return self._batches(self.validation, self.settings.validation_batches, VALIDATION_SEED)

    def inputs(self, batch: StripBatch) -> torch.Tensor:
        """Return (B, 3, H, W) network input of a batch."""
        return strip_inputs(batch.strips).to(memory_format=self.memory_format)

    def training_step(self, batch: StripBatch, batch_idx: int) -> torch.Tensor:
        total, terms = refinement_loss(self.network(self.inputs(batch)), batch, self.network.grid)
        self.log_terms(total, terms)
        return total

    def validation_step(self, batch: StripBatch, number: int) -> None:
        logits, size = self.network(self.inputs(batch)), len(batch.strips)
        total, terms = refinement_loss(logits, batch, self.network.grid)
        self.log_dict({f"validation/{name}": value for name, value in terms.items()}, batch_size=size, logger=False)
        for name, errors in refined_errors(logits, batch, self.network.grid).items():
            known = errors[errors.isfinite()]
            if len(known):
                self.log(f"validation/{name}", known.mean(), batch_size=len(known), logger=False)
        self._losses.append((total.detach(), size))

    def pictures(self) -> dict[str, Figure]:
        from midlineshift_training.trainers.figures.strip_figures import draw_strips

        batch = self.transfer_batch_to_device(self.validation_batches()[0], self.device, 0)
        return {"strips": draw_strips(self.network(self.inputs(batch)), batch, self.network.grid)}

    def validation_score(self) -> float:
        score = sum(float(v) * n for v, n in self._losses) / max(1, sum(n for _, n in self._losses))
        self._losses.clear()
        return score
