"""Stage 2: the deformation network, which sees the slice and the denoisers' noise difference.

One class-conditional denoiser may stand for the two of Gong et al.

The loss is the dense truth of the phantoms plus the four terms of Gong et al. (image, smoothness, landmark, hinge)
with the faults of their code mended (``losses.deformation_loss``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from midlineshift_training.datasets.midline_dataset import MidlineBatch
from midlineshift_training.datasets.phantom_slices import PhantomSlices
from midlineshift_training.losses import deformation_loss
from midlineshift_training.losses.midline_loss import midline_loss
from midlineshift_training.trainers.class_conditional_denoiser import load_class_conditional
from midlineshift_training.trainers.midline_trainer import MidlineTrainer
from midlineshift_training.trainers.pseudo_healthy_targets import make_pseudo_healthy
from midlineshift_training.trainers.run_folder.finished_run import load_denoiser_pair
from midlineshift_training.trainers.settings.midline import DeformationSettings
from MidlineShiftLogic.inference.noise_difference import NoiseSettings, denoiser_input, noise_channel
from MidlineShiftLogic.inference.window import two_windows
from MidlineShiftLogic.networks.diffusion import Network, class_branches, make_schedule
from MidlineShiftLogic.networks.midline_unet import MidlineUNet, SlicePrediction

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The batches draw from seed * 1_000_003 + number. These are beyond that for every usual seed, so that the noise levels,
# the noise and the pseudo-healthy slices do not repeat the random numbers that made the pictures. (torch's CPU generator
# looks at the lower 32 bits of a seed only, so no larger offset helps.)
NOISE_STREAM = 1_500_000_000
HEALTHY_STREAM = 3_000_000_000


class DeformationTrainer(MidlineTrainer):
    """Train the deformation network on phantoms."""

    settings: DeformationSettings

    def __init__(self, settings: DeformationSettings, slices: PhantomSlices | None, validation: PhantomSlices | None):
        super().__init__(settings, slices, validation)
        self.noise = NoiseSettings(**settings.noise.model_dump())
        self.schedule = make_schedule(self.noise.schedule, self.noise.steps)
        # outside the module tree: their weights are neither trained, averaged nor checkpointed
        self._denoisers: list[torch.nn.Module] = []
        if settings.noise_difference:
            if settings.denoiser:
                networks = [load_class_conditional(settings.denoiser)]
            else:
                networks = load_denoiser_pair(settings.conditional, settings.unconditional)
            self._denoisers = [
                network.requires_grad_(False).to(memory_format=self.memory_format) for network in networks
            ]

    def build_network(self) -> MidlineUNet:
        s = self.settings
        return MidlineUNet(3 if s.noise_difference else 2, tuple(s.features), upsampling=s.upsampling)

    def on_fit_start(self) -> None:
        self._denoisers = [network.to(self.device) for network in self._denoisers]

    def _generator(self, stream: int, number: int) -> torch.Generator:
        """Return random numbers of the run's seed and the batch's number alone, which a resumed run repeats."""
        return torch.Generator().manual_seed(stream + self.settings.seed * 1_000_003 + number)

    def _pair(self, heights: torch.Tensor) -> tuple[Network, Network]:
        """Return the denoisers of unshifted and of all cases, for slices at these heights (N,) mm."""
        if len(self._denoisers) == 1:
            network = self._denoisers[0]
            return class_branches(network, heights if network.config.get("height_condition") else None)
        conditional, unconditional = self._denoisers
        return conditional, unconditional

    def inputs(self, batch: MidlineBatch, number: int | None = None) -> torch.Tensor:
        windows = two_windows(batch.hu)
        if self._denoisers:
            timesteps = noise = None
            if number is not None:
                g = self._generator(NOISE_STREAM, number)
                low, high = self.settings.t_range
                timesteps = torch.randint(low, high + 1, (len(windows),), generator=g).to(windows.device)
                grid = self.noise.grid
                noise = torch.randn(len(windows), 1, grid, grid, generator=g).to(windows.device)
            with torch.no_grad():
                channel = noise_channel(batch.hu, *self._pair(batch.height), self.noise, timesteps, noise)
            windows = torch.cat([windows, channel], 1)
        return windows.to(memory_format=self.memory_format)

    def training_step(self, batch: MidlineBatch, batch_idx: int) -> torch.Tensor:
        number = self.number_of(batch_idx)
        out = self.network(self.inputs(batch, number))
        total, terms = midline_loss(out, batch)
        method = self._method_terms(out, batch, number)
        weights = self.term_weights(self.settings.loss.model_dump(), self.settings.image_growth, len(self.slices))
        total = total + sum(weights[name] * value for name, value in method.items())
        self.log_terms(total, terms | method)
        return total

    def pictures(self) -> dict[str, Figure]:
        from midlineshift_training.trainers.figures.denoiser_figures import draw_pairs
        from midlineshift_training.trainers.figures.midline_figures import most_shifted_slices

        figures = super().pictures()
        if self._denoisers:
            batch = self.transfer_batch_to_device(self.validation_batches()[0], self.device, 0)
            chosen = most_shifted_slices(batch)
            x = denoiser_input(chosen.hu, self.noise.grid)
            figures["pseudo_healthy"] = draw_pairs(x, self._pseudo_healthy(x, chosen.height, 0))
        return figures

    def _method_terms(self, out: SlicePrediction, batch: MidlineBatch, number: int) -> dict[str, torch.Tensor]:
        """Compute the four terms of Gong et al. on the half grid, with fields in its pixels."""
        if out.displacement is None:
            raise ValueError("the terms of the method need a network with a displacement field")
        field = out.displacement / 2
        middle = (field.shape[-1] - 1) / 2
        anterior, posterior = batch.ends.unbind(1)
        d = posterior - anterior
        foot = anterior + ((batch.shifted - anterior) * d).sum(-1, keepdim=True) / d.square().sum(-1, keepdim=True) * d
        landmarks = torch.stack([anterior, posterior, batch.shifted, foot], 1) / 2 + middle
        landmarks = torch.where(batch.measurable[:, None, None] > 0, landmarks, torch.nan)
        terms = {
            "smooth": deformation_loss.smoothness_loss(field).mean(),
            "landmark": deformation_loss.landmark_loss(field, landmarks).mean(),
            "hinge": deformation_loss.hinge_loss(field, batch.case_limit / 2).mean(),
        }
        if self.settings.loss.bending:
            terms["bending"] = deformation_loss.bending_loss(field).mean()
        if self._denoisers and self.trainer.global_step % self.settings.image_every == 0:
            k = self.settings.image_slices
            x = denoiser_input(batch.hu[:k], self.noise.grid)
            healthy = self._pseudo_healthy(x, batch.height[:k], number)
            x, healthy = (functional.adaptive_avg_pool2d(image, field.shape[-1]) for image in (x, healthy))
            terms["image"] = deformation_loss.compare_images(
                self.settings.image_similarity, x, healthy, field[:k], batch.inside[:k, None]
            )
        return terms

    def _pseudo_healthy(self, x: torch.Tensor, heights: torch.Tensor, number: int) -> torch.Tensor:
        """Denoise the slices with guidance toward the denoiser of unshifted cases, as ``settings.ddim`` says."""
        g = self._generator(HEALTHY_STREAM, number)
        return make_pseudo_healthy(self._pair(heights), self.schedule, x, self.settings.ddim, g)
