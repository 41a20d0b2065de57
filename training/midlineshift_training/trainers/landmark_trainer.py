"""Stage 2 on real scans, as Gong et al. train it: sparse landmarks, case labels, and pseudo-healthy slices.

There is no dense truth. The network is theirs (a VoxelMorph U-Net on the slice and the denoisers' noise difference), and so
are the four terms of the loss (``losses.deformation_loss``); every label may be missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import Dataset

from midlineshift_training.datasets.annotated_slices import AnnotatedSlices
from midlineshift_training.datasets.landmark_dataset import (
    LandmarkBatch,
    LandmarkDataset,
    LandmarkDataSettings,
    SlicesInOrder,
)
from midlineshift_training.datasets.settings import pick
from midlineshift_training.losses import deformation_loss
from midlineshift_training.trainers.deformation_trainer import HEALTHY_STREAM, NOISE_STREAM
from midlineshift_training.trainers.landmark_metrics import landmark_errors
from midlineshift_training.trainers.network_trainer import NetworkTrainer
from midlineshift_training.trainers.processes import is_first
from midlineshift_training.trainers.pseudo_healthy_targets import (
    ONCE,
    PseudoHealthyTargets,
    load_or_make_targets,
    make_pseudo_healthy,
)
from midlineshift_training.trainers.run_folder.finished_run import load_denoiser_pair
from midlineshift_training.trainers.settings.landmarks import LandmarkSettings
from MidlineShiftLogic.geometry.fields import integrate
from MidlineShiftLogic.inference.noise_difference import NoiseSettings, denoiser_input, noise_channel
from MidlineShiftLogic.inference.window import BRAIN_WINDOW_HU, window
from MidlineShiftLogic.networks.diffusion import make_schedule
from MidlineShiftLogic.networks.voxelmorph import DeformationNet

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class LandmarkTrainer(NetworkTrainer):
    """Trains a ``DeformationNet`` on a set with sparse landmarks.

    The score is the mean absolute error, in mm, of the number that ``readout`` names: ``landmark``, |u| at the shifted
    landmark of labelled slices; or ``largest``, max |u| of labelled slices (Gong et al.). Without any labelled slice it is
    that of the cases' largest |u|, and without any case label the validation loss.

    Args:
        settings: of the run.
        slices, validation: slices to train on, slices to check with.
        run: run folder, where pseudo-healthy slices are kept; None keeps them in memory only.
    """

    network_kind = "voxelmorph"
    settings: LandmarkSettings
    slices: AnnotatedSlices  # needed to train and to validate; a finished run is opened without
    validation: AnnotatedSlices
    SHARED = (*NetworkTrainer.SHARED, "_healthy")

    def __init__(
        self,
        settings: LandmarkSettings,
        slices: AnnotatedSlices | None,
        validation: AnnotatedSlices | None,
        run: Path | None = None,
    ):
        super().__init__(settings)
        self.slices, self.validation = cast(AnnotatedSlices, slices), cast(AnnotatedSlices, validation)
        self.run_folder = run
        self.network = DeformationNet(in_channels=2).to(memory_format=self.memory_format)
        self.noise = NoiseSettings(**settings.noise.model_dump())
        self.schedule = make_schedule(self.noise.schedule, self.noise.steps)
        # outside the module tree: their weights are neither trained, averaged nor checkpointed
        self._denoisers = [
            network.requires_grad_(False).to(memory_format=self.memory_format)
            for network in load_denoiser_pair(settings.conditional, settings.unconditional)
        ]
        self._healthy: PseudoHealthyTargets | None = None
        self._checked: list[dict[str, Tensor]] = []

    def training_batches(self, first: int, count: int) -> Dataset:
        return LandmarkDataset(self.slices, pick(LandmarkDataSettings, self.settings), self.settings.seed, first, count)

    def validation_batches(self) -> Dataset:
        return SlicesInOrder(self.validation, self.settings.batch)

    def on_fit_start(self) -> None:
        self._denoisers = [network.to(self.device) for network in self._denoisers]
        if self.settings.pseudo_healthy == ONCE and self.settings.loss.image and self._healthy is None:
            self._healthy = self._make_all() if self.run_folder is None else load_or_make_targets(
                self.run_folder, len(self.slices), self._all_healthy, is_first()
            )  # fmt: skip

    def _make_all(self) -> PseudoHealthyTargets:
        return PseudoHealthyTargets(torch.cat([one.half().cpu() for one in self._all_healthy()]))

    def _all_healthy(self) -> Iterator[Tensor]:
        for number, batch in enumerate(SlicesInOrder(self.slices, self.settings.batch)):
            x = denoiser_input(batch.hu.to(self.device), self.noise.grid)
            yield self._make(x, self._generator(HEALTHY_STREAM, number))

    def _make(self, x: Tensor, g: torch.Generator) -> Tensor:
        return make_pseudo_healthy(tuple(self._denoisers), self.schedule, x, self.settings.ddim, g)

    def _generator(self, stream: int, number: int) -> torch.Generator:
        """Return random numbers of the run's seed and the batch's number alone, which a resumed run repeats."""
        return torch.Generator().manual_seed(stream + self.settings.seed * 1_000_003 + number)

    def displacement(self, batch: LandmarkBatch, number: int | None = None) -> Tensor:
        """Return (B, 2, size, size) field of a batch, rows and columns in px.

        Args:
            number: of the training batch, seeds noise level and noise; None: the level and the noise of measuring.
        """
        timesteps = noise = None
        if number is not None:
            g = self._generator(NOISE_STREAM, number)
            low, high = self.settings.t_range
            timesteps = torch.randint(low, high + 1, (len(batch.hu),), generator=g).to(batch.hu.device)
            grid = self.noise.grid
            noise = torch.randn(len(batch.hu), 1, grid, grid, generator=g).to(batch.hu.device)
        conditional, unconditional = self._denoisers
        with torch.no_grad():
            channel = noise_channel(batch.hu, conditional, unconditional, self.noise, timesteps, noise)
        inputs = torch.cat([window(batch.hu, BRAIN_WINDOW_HU)[:, None], channel], 1)
        velocity = self.network(inputs.to(memory_format=self.memory_format))
        with torch.autocast(velocity.device.type, enabled=False):  # half precision is too coarse for places on 256 px
            return integrate(velocity.float())

    def training_step(self, batch: LandmarkBatch, batch_idx: int) -> Tensor:
        number = self.number_of(batch_idx)
        field = self.displacement(batch, number)
        terms = {
            "smooth": deformation_loss.smoothness_loss(field).mean(),
            "landmark": deformation_loss.landmark_loss(field, batch.landmarks).mean(),
            "hinge": deformation_loss.hinge_loss(field, batch.limit).mean(),
        }
        weights = self.term_weights(self.settings.loss.model_dump(), self.settings.image_growth, len(self.slices))
        if weights["bending"]:
            terms["bending"] = deformation_loss.bending_loss(field).mean()
        if weights["image"]:
            terms["image"] = self._image_term(batch, field, number)
        total = sum(weights[name] * value for name, value in terms.items())
        self.log_terms(total, terms)
        return total

    def _image_term(self, batch: LandmarkBatch, field: Tensor, number: int) -> Tensor:
        """Compute the image term on the denoisers' grid, with the field in its pixels."""
        grid = self.noise.grid
        x = denoiser_input(batch.hu, grid)
        healthy = self._healthy.of(batch) if self._healthy else self._make(x, self._generator(HEALTHY_STREAM, number))
        finer = field.shape[-1] // grid
        coarse = functional.adaptive_avg_pool2d(field, grid) / finer
        mask = (functional.adaptive_avg_pool2d(batch.head[:, None], grid) > 0.5).float()
        return deformation_loss.compare_images(self.settings.image_similarity, x, healthy, coarse, mask)

    def validation_step(self, batch: LandmarkBatch, number: int) -> None:
        field = self.displacement(batch)
        length = field.norm(dim=1)
        points = batch.landmarks[:, 2:3].nan_to_num().flip(-1)
        at_landmark = deformation_loss.sample(field, points)[:, 0].norm(dim=-1)
        terms = (
            deformation_loss.smoothness_loss(field),
            deformation_loss.landmark_loss(field, batch.landmarks),
            deformation_loss.hinge_loss(field, batch.limit),
        )
        self._checked.append(
            {
                "case": batch.case,
                "true_mm": batch.true_mm,
                "limit_mm": batch.limit * batch.pixel_mm,
                "landmark": at_landmark * batch.pixel_mm,
                "largest": length.flatten(1).amax(1) * batch.pixel_mm,
                "loss": sum(terms),
            }
        )

    def validation_score(self) -> float:
        found = {name: torch.cat([one[name] for one in self._checked]) for name in self._checked[0]}
        self._checked.clear()
        figures = landmark_errors(found)
        self.log_dict({f"validation/{name}": value for name, value in figures.items()}, batch_size=1, logger=False)
        for name in (f"slice_{self.settings.readout}_mae_mm", "case_mae_mm", "loss"):
            if name in figures:
                return figures[name]
        raise AssertionError("a validation has a loss")

    def pictures(self) -> dict[str, Figure]:
        from midlineshift_training.trainers.figures.landmark_figures import draw_landmark_fields, telling

        batch = telling(self.validation)
        batch = self.transfer_batch_to_device(batch, self.device, 0)
        x = denoiser_input(batch.hu, self.noise.grid)
        healthy = self._make(x, self._generator(HEALTHY_STREAM, 0))
        return {"fields": draw_landmark_fields(batch, self.displacement(batch), x, healthy)}
