"""Training of the reading networks: the pose network and the deformation network (stage 2)."""

from __future__ import annotations

from pathlib import Path

import lightning
import torch
from torch.utils.data import Dataset

from midlineshift_training.cohorts.phantom_store import PhantomSlices
from midlineshift_training.cohorts.reading_batches import FrameVariation, ReadingBatch, ReadingBatches
from midlineshift_training.losses.reading_loss import reading_loss
from midlineshift_training.stages.engine import cosine_schedule
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.models.weights import read_weights
from MidlineShiftLogic.networks.midline_unet import MidlineUNet
from MidlineShiftLogic.pipeline.window import two_windows


class ReadingStage(lightning.LightningModule):
    """Trains a ``MidlineUNet``.

    Args:
        settings: ``grid``, ``pixel_mm``, ``frame_mm``, ``batch``, ``learning_rate``, ``max_steps``, ``seed``,
            ``features``, ``fineness``, ``broad`` (pose regime).
        slices: training phantoms; validation phantoms.
    """

    network_kind = "midline_unet"

    def __init__(self, settings: dict, slices: PhantomSlices | None, validation: PhantomSlices | None):
        super().__init__()
        self.settings, self.slices, self.validation = settings, slices, validation
        self.variation = FrameVariation(broad=settings["broad"], bend_mm=settings["bend_mm"])
        self.network = self.build_network().to(memory_format=torch.channels_last)
        self._errors: list[tuple[torch.Tensor, int]] = []

    def build_network(self) -> MidlineUNet:
        s = self.settings
        return MidlineUNet(2, tuple(s["features"]), flow=not s["broad"], fineness=s["fineness"])

    def _batches(self, slices, count, seed, first=0) -> Dataset:
        s = self.settings
        return ReadingBatches(
            slices, s["batch"], first + count, self.variation, s["grid"], s["pixel_mm"], s["frame_mm"], seed, first,
            s["fineness"],
        )  # fmt: skip

    def training_batches(self, first: int, count: int) -> Dataset:
        return self._batches(self.slices, count, self.settings["seed"], first)

    def validation_batches(self) -> Dataset:
        # degraded and varied as in training, always the same
        return self._batches(self.validation, self.settings["validation_batches"], 987_654)

    def inputs(self, batch: ReadingBatch, number: int | None = None) -> torch.Tensor:
        """(B, C, H, W) network input of a batch; ``number`` seeds what is random about it in training."""
        return two_windows(batch.hu).to(memory_format=torch.channels_last)

    def loss(self, batch: ReadingBatch) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        return reading_loss(self.network(self.inputs(batch)), batch)

    def training_step(self, batch: ReadingBatch, number: int) -> torch.Tensor:
        total, terms = self.loss(batch)
        self.log("train/total", total, prog_bar=True)
        self.log_dict({f"train/{name}": value for name, value in terms.items()})
        return total

    def validation_step(self, batch: ReadingBatch, number: int) -> None:
        total, terms = self.loss(batch)
        self.log_dict({f"validation/{name}": value for name, value in terms.items()}, batch_size=len(batch.hu))
        self._errors.append((total.detach(), len(batch.hu)))

    def validation_score(self) -> float:
        score = sum(float(v) * n for v, n in self._errors) / max(1, sum(n for _, n in self._errors))
        self._errors.clear()
        return score

    def configure_optimizers(self):
        s = self.settings
        optimizer = torch.optim.AdamW(self.network.parameters(), s["learning_rate"], weight_decay=s["weight_decay"])
        return {
            "optimizer": optimizer,
            "lr_scheduler": cosine_schedule(optimizer, s["max_steps"], warm_up=100),
        }


def load_initial(network: torch.nn.Module, checkpoint: str | Path) -> list[str]:
    """Fill a network from a safetensors file as far as names and shapes fit; further input channels start at zero.

    Returns:
        Names of the parameters that kept their own initial values.

    Raises:
        InputError: the file cannot be read, or fills no parameter at all.
    """
    own, given = network.state_dict(), read_weights(Path(checkpoint))
    kept = []
    for name, value in own.items():
        other = given.get(name)
        if other is not None and other.shape == value.shape:
            value.copy_(other)
        elif (
            other is not None
            and other.ndim == 4
            and other.shape[0] == value.shape[0]
            and other.shape[1] < value.shape[1]
        ):
            value.zero_()
            value[:, : other.shape[1]] = other
        else:
            kept.append(name)
    if len(kept) == len(own):
        raise InputError(f"{checkpoint} fits this network nowhere; give the weights of a reading network.", "init")
    return kept
