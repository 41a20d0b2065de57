"""Train the networks that are measured with: the pose network and the deformation network (stage 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch.utils.data import Dataset

from midlineshift_training.datasets.midline_dataset import MidlineBatch, MidlineDataset
from midlineshift_training.datasets.phantom_slices import PhantomSlices
from midlineshift_training.datasets.transforms.frame_variation import FrameVariation
from midlineshift_training.losses.midline_loss import midline_loss
from midlineshift_training.trainers.midline_metrics import shift_errors
from midlineshift_training.trainers.network_trainer import NetworkTrainer
from midlineshift_training.trainers.settings.midline import DeformationSettings, PoseSettings
from MidlineShiftLogic.inference.window import two_windows
from MidlineShiftLogic.networks.midline_unet import MidlineUNet

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class MidlineTrainer(NetworkTrainer):
    """Trains a ``MidlineUNet``.

    Args:
        settings: of the run.
        slices: to train on; to validate with.
    """

    network_kind = "midline_unet"
    settings: PoseSettings | DeformationSettings
    slices: PhantomSlices  # needed to train and to validate; a finished run is opened without
    validation: PhantomSlices

    def __init__(
        self,
        settings: PoseSettings | DeformationSettings,
        slices: PhantomSlices | None,
        validation: PhantomSlices | None,
    ):
        super().__init__(settings)
        self.slices, self.validation = cast(PhantomSlices, slices), cast(PhantomSlices, validation)
        unequal = settings.unequal_share if isinstance(settings, DeformationSettings) else 0.0
        self.variation = FrameVariation(broad=settings.broad, bend_mm=settings.bend_mm, unequal=unequal)
        self.network = self.build_network().to(memory_format=self.memory_format)
        self._errors: list[tuple[torch.Tensor, int]] = []

    def build_network(self) -> MidlineUNet:
        s = self.settings
        return MidlineUNet(2, tuple(s.features), flow=not s.broad, upsampling=s.upsampling)

    def _batches(self, slices, count, seed, first=0) -> Dataset:
        s = self.settings
        return MidlineDataset(
            slices, s.batch, first + count, self.variation, s.grid, s.pixel_mm, s.frame_mm, seed, first,
            s.upsampling, s.unlabelled_share, s.labelled_share,
        )  # fmt: skip

    def training_batches(self, first: int, count: int) -> Dataset:
        return self._batches(self.slices, count, self.settings.seed, first)

    def validation_batches(self) -> Dataset:
        # degraded and varied as in training, always the same
        return self._batches(self.validation, self.settings.validation_batches, 987_654)

    def inputs(self, batch: MidlineBatch, number: int | None = None) -> torch.Tensor:
        """Return (B, C, H, W) network input of a batch; ``number`` seeds what is random about it in training."""
        return two_windows(batch.hu).to(memory_format=self.memory_format)

    def training_step(self, batch: MidlineBatch, batch_idx: int) -> torch.Tensor:
        total, terms = midline_loss(self.network(self.inputs(batch)), batch)
        self.log_terms(total, terms)
        return total

    def validation_step(self, batch: MidlineBatch, number: int) -> None:
        out = self.network(self.inputs(batch))
        total, terms = midline_loss(out, batch)
        self.log_dict(
            {f"validation/{name}": value for name, value in terms.items()}, batch_size=len(batch.hu), logger=False
        )
        for name, errors in shift_errors(out, batch).items():
            known = errors[errors.isfinite()]
            if len(known):
                self.log(f"validation/{name}", known.mean(), batch_size=len(known), logger=False)
        self._errors.append((total.detach(), len(batch.hu)))

    def pictures(self) -> dict[str, Figure]:
        from midlineshift_training.trainers.figures.midline_figures import draw_fields, most_shifted_slices

        batch = self.transfer_batch_to_device(self.validation_batches()[0], self.device, 0)
        chosen = most_shifted_slices(batch)
        return {"fields": draw_fields(self.network(self.inputs(chosen)), chosen)}

    def validation_score(self) -> float:
        score = sum(float(v) * n for v, n in self._errors) / max(1, sum(n for _, n in self._errors))
        self._errors.clear()
        return score
