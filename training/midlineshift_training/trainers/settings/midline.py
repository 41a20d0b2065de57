"""Settings of the pose, deformation and refinement networks on phantoms, whose shift is known everywhere."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AliasChoices, Field, model_validator

from midlineshift_training.datasets.phantom_slices import LABELLED_SHARE, UNLABELLED_SHARE
from midlineshift_training.trainers.settings.common import AtLeastOne, NotNegative, Real, RunSettings, Share, recorded
from midlineshift_training.trainers.settings.denoising import (
    IMAGE_SIMILARITY,
    Ddim,
    ImageSimilarity,
    LossWeights,
    NoiseDifference,
    TimestepRange,
)


class _MidlineSettings(RunSettings):
    # the frame that all networks of one model share
    grid: AtLeastOne = Field(128, description="Points of the aligned frame along a side.")
    pixel_mm: Annotated[Real, Field(gt=0)] = Field(1.8, description="Frame millimetres between two points.")
    frame_mm: Annotated[Real, Field(gt=0)] = Field(198.0, description="Length of every falx in frame millimetres.")
    features: list[AtLeastOne] = Field([16, 32, 64, 112, 160], description="Channels of the U-Net's levels.")
    upsampling: AtLeastOne = Field(
        1,
        validation_alias=AliasChoices("upsampling", "fineness"),
        description="How many times more densely than the grid the slice is sampled.",
    )
    batch: AtLeastOne = Field(24, description="Slices of one forward pass.")
    bend_mm: Annotated[Real, Field(ge=0)] = Field(17.0, description="Largest shift that augmentation bends in.")
    unlabelled_share: Share = Field(
        UNLABELLED_SHARE, description="Share of unlabelled real slices in a batch, where there are any."
    )
    labelled_share: Share = Field(
        LABELLED_SHARE, description="Share of real slices with landmarks in a batch, where there are any."
    )
    learning_rate: Annotated[Real, Field(ge=0)] = Field(2e-3, description="Highest learning rate of AdamW.")
    weight_decay: Annotated[Real, Field(ge=0)] = Field(1e-3, description="Weight decay of AdamW.")
    validation_batches: AtLeastOne = Field(12, description="Batches of a validation.")

    leave_out_fold: int | None = recorded("Fold of the sets that the run is not trained on (--leave-out-fold).")


class PoseSettings(_MidlineSettings):
    """Settings of the pose network."""

    task: Literal["pose"] = recorded("What is trained.", "pose")
    broad: bool = Field(True, description="Heads in any pose, as the pose network sees them; no displacement field.")


class RefinementSettings(_MidlineSettings):
    """Settings of the refinement network, which looks again along a first midline."""

    task: Literal["refinement"] = recorded("What is trained.", "refinement")
    features: list[AtLeastOne] = Field(
        [16, 32, 64, 96, 128], min_length=1, max_length=5, description="Channels of the strip U-Net's levels."
    )
    upsampling: Literal[2] = Field(2, description="How many times more densely than the grid the slice is sampled.")
    bend_mm: Annotated[Real, Field(ge=0)] = Field(22.0, description="Largest shift that augmentation bends in.")
    unequal_share: Share = Field(
        0.3, description="Share of slices with one lateral ventricle made wider or narrower; the midline stays."
    )
    clean_share: Share = Field(0.5, description="Share of slices that are given a little noise and not degraded.")
    effaced_share: Share = Field(
        0.0,
        description="Share of strips with one lateral ventricle emptied, as a mass beside it does; the midline stays.",
    )
    unlabelled_share: Share = Field(
        0.25, description="Share of unlabelled real slices in a batch, where there are any."
    )
    warm_up: NotNegative = Field(50, description="Steps over which the rate rises, of the cosine schedule.")


class DeformationSettings(_MidlineSettings):
    """Settings of the deformation network on phantoms."""

    task: Literal["deformation"] = recorded("What is trained.", "deformation")
    broad: bool = Field(False, description="Heads in any pose, as the pose network sees them; no displacement field.")
    features: list[AtLeastOne] = Field([24, 48, 96, 144, 192], description="Channels of the U-Net's levels.")
    upsampling: AtLeastOne = Field(
        2,
        validation_alias=AliasChoices("upsampling", "fineness"),
        description="How many times more densely than the grid the slice is sampled.",
    )
    max_steps: AtLeastOne = Field(6000, description="Steps of the optimizer.")
    unequal_share: Share = Field(
        0.3, description="Share of slices with one lateral ventricle made wider or narrower; the midline stays."
    )
    noise_difference: bool = Field(True, description="The network sees the denoisers' noise difference.")
    noise: NoiseDifference = Field(NoiseDifference(), description="Noise difference at test.")
    t_range: TimestepRange = Field((200, 400), description="Noise levels in training, first and last.")
    loss: LossWeights = Field(
        LossWeights(image=0.02, smooth=0.02, landmark=0.05, hinge=0.05),
        description="Weights of the four terms of Gong et al. beside the dense truth.",
    )
    image_similarity: ImageSimilarity = IMAGE_SIMILARITY
    image_growth: Annotated[Real, Field(ge=0)] = Field(
        1 / 20, description="What a pass over the training slices adds to the image term's weight."
    )
    image_every: AtLeastOne = Field(8, description="Steps from one image term to the next: its target is costly.")
    image_slices: AtLeastOne = Field(2, description="Slices of a batch that the image term is made for.")
    ddim: Ddim = Field(Ddim(), description="How pseudo-healthy slices are made.")

    conditional: str | None = recorded("Run of the non-MLS denoiser (--conditional).")
    unconditional: str | None = recorded("Run of the denoiser of all cases (--unconditional).")
    denoiser: str | None = recorded("Run, or model, of one class-conditional denoiser in their place (--denoiser).")

    @model_validator(mode="after")
    def _grids_agree(self) -> DeformationSettings:
        if self.noise_difference and self.grid not in (self.noise.grid, 2 * self.noise.grid):
            raise ValueError(
                f"The denoisers' grid (noise.grid {self.noise.grid}) must be that of the deformation network (grid "
                f"{self.grid}), or half of it: the image term compares the two."
            )
        return self
