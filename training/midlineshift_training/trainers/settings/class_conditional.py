"""Settings of the class-conditional denoiser, which stands for both diffusion models."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from midlineshift_training.datasets.denoiser_pairs import TwinKind
from midlineshift_training.trainers.settings.common import AtLeastOne, Real, Share, Whole, recorded
from midlineshift_training.trainers.settings.denoising import Ddim, DenoiserNetwork, NoiseSchedule
from midlineshift_training.trainers.settings.scan_sets import ScanSetSettings


class ClassConditionalSettings(ScanSetSettings):
    """Settings of one denoiser of any slice and of unshifted slices, on 128 points of 1.8 mm folded to 64."""

    task: Literal["class-conditional"] = recorded("What is trained.", "class-conditional")
    grid: AtLeastOne = Field(128, description="Points of the denoiser's image along a side.")
    frame_width_mm: Annotated[Real, Field(gt=0)] = Field(230.4, description="Width of the image, frame millimetres.")
    heights_mm: tuple[Real, Real] = Field((-20.0, 55.0), description="Lowest and highest slice, frame millimetres.")
    network: DenoiserNetwork = Field(
        DenoiserNetwork(channel_multipliers=[1, 2, 3, 4], attention_resolutions=[8]),
        description="Architecture of the denoiser; attention_resolutions count points after folding.",
    )
    folding: AtLeastOne = Field(2, description="Blocks of so many points a side become channels.")
    schedule: NoiseSchedule = Field("linear", description="Noise schedule.")
    steps: AtLeastOne = Field(1000, description="Steps of the noise schedule.")
    largest_t: AtLeastOne = Field(
        110, description="Noise levels in training are below it; a little above the one used."
    )
    t: Annotated[Whole, Field(ge=0)] = Field(50, description="Noise level of the noise difference, for the model.")
    ddim: Ddim = Field(
        Ddim(count=20, start=1, conditional_weight=1.0, own_level=True, noises=6),
        description="How pseudo-healthy slices are made, for the pictures and for the model.",
    )
    null_share: Share = Field(0.15, description="Share of slices without a class.")
    paired_share: Share = Field(0.7, description="Share of shifted slices that are denoised toward their twins.")
    twin: TwinKind = Field(
        "straightened", description="Twins whose ventricles and sulci are as empty as the slice's, or opened."
    )
    paired_weight: Annotated[Real, Field(ge=0)] = Field(
        4.0, description="Weight of the error of x_0 of slices with twins, beside the error of the noise of the others."
    )
    anatomy_weight: Annotated[Real, Field(ge=0)] = Field(
        5.0,
        description="Weight of their smoothed error, which is anatomy and not noise, beside 1 for that of each pixel.",
    )
    real_share: Share = Field(0.5, description="Share of real slices, where there are any.")
    height_jitter_mm: Annotated[Real, Field(ge=0)] = Field(2.0, description="Spread of the error of a slice's height.")
    degraded_share: Share = Field(0.25, description="Share of slices that are degraded as scans can be.")
    rotation_deg: Annotated[Real, Field(ge=0)] = Field(8.0, description="Largest rotation of augmentation.")
    place_jitter_px: Annotated[Real, Field(ge=0)] = Field(1.0, description="Standard deviation of the translation.")
    batch: AtLeastOne = Field(16, description="Slices of one forward pass.")
    learning_rate: Annotated[Real, Field(ge=0)] = Field(8e-4, description="Highest learning rate of AdamW.")
    ema_decay: Share = Field(0.998, description="Decay of the averaged weights, a step.")
    max_steps: AtLeastOne = Field(4000, description="Steps of the optimizer.")
    warm_up: AtLeastOne = Field(150, description="Steps over which the rate rises, of the cosine schedule.")
    validation_batches: AtLeastOne = Field(12, description="Batches of a validation.")
    gradient_clip: Annotated[Real, Field(ge=0)] | None = Field(
        1.0, description="Largest norm of the gradient; null or 0: not limited."
    )

    @model_validator(mode="after")
    def _shares_and_levels(self) -> ClassConditionalSettings:
        if self.null_share + self.paired_share > 1:
            raise ValueError("null_share and paired_share together must not be more than 1.")
        if self.largest_t > self.steps:
            raise ValueError(f"largest_t ({self.largest_t}) must not be above steps ({self.steps}).")
        if self.frame != "aligned":
            raise ValueError("A class-conditional denoiser is trained on aligned heads only (frame: aligned).")
        if self.grid % self.folding:
            raise ValueError(f"The grid ({self.grid}) must divide by folding ({self.folding}).")
        return self
