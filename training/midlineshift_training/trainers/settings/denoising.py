"""Groups of settings about the denoisers, shared by the stages that use them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from midlineshift_training.trainers.settings.common import AtLeastOne, NotNegative, Real, Section

NoiseSchedule = Literal["linear", "cosine"]
TimestepRange = tuple[NotNegative, NotNegative]


class NoiseDifference(Section):
    """Noise difference of the two denoisers at test, as stored in ``model.json``; Gong et al. take t = 300 of 1000."""

    t: NotNegative = Field(300, description="Noise level at test.")
    seed: NotNegative = Field(0, description="Seed of the one noise image used for every slice.")
    schedule: NoiseSchedule = Field("linear", description="Noise schedule of the denoisers.")
    steps: AtLeastOne = Field(1000, description="Steps of the noise schedule.")
    grid: AtLeastOne = Field(64, description="The denoisers' grid, points along a side.")
    gain: Real = Field(5.0, description="Factor that brings the difference to order one.")


class Ddim(Section):
    """How pseudo-healthy slices are made; stored in ``model.json``."""

    count: AtLeastOne = Field(50, description="DDIM steps that span the noise schedule.")
    start: AtLeastOne = Field(15, description="DDIM step that the slice is noised to, and denoised from.")
    conditional_weight: Real = Field(3.0, description="w in the guidance w e_con - (w - 1) e_unc.")
    own_level: bool = Field(
        False, description="Each network call is given the level of its input, not the one before as by Gong et al."
    )
    noises: AtLeastOne = Field(
        1, description="Noises that a pseudo-healthy image is averaged over at test; 1 in training."
    )

    by_difference: bool = Field(
        False,
        description="The image is the slice and what the class makes different, so that scanner noise stays in it.",
    )

    @model_validator(mode="after")
    def _start_within_count(self) -> Ddim:
        if self.start > self.count - 1:
            raise ValueError(f"The DDIM step to start from (start {self.start}) must be below count ({self.count}).")
        return self


class LossWeights(Section):
    """Weights of the four terms of Gong et al., and of a fifth; 0 leaves a term out."""

    image: Annotated[Real, Field(ge=0)] = Field(1.0, description="Image term, mean squared grey value difference.")
    smooth: Annotated[Real, Field(ge=0)] = Field(1.0, description="Smoothness, squared differences of the field.")
    landmark: Annotated[Real, Field(ge=0)] = Field(1.0, description="Field at the landmarks of a slice.")
    hinge: Annotated[Real, Field(ge=0)] = Field(1.0, description="Displacement beyond the case's shift.")
    bending: Annotated[Real, Field(ge=0)] = Field(
        0.0, description="Bending energy of the field (MONAI); beside or in place of smoothness."
    )


ImageSimilarity = Literal["squares", "local correlation"]
IMAGE_SIMILARITY: Any = Field(
    "squares",
    description="How the image term compares: squared differences (Gong et al.), or MONAI's local normalised correlation.",
)


class DenoiserNetwork(Section):
    """Architecture of a denoiser (the ADM U-Net of guided-diffusion)."""

    base_channels: AtLeastOne = Field(32, description="Channels of the first level.")
    channel_multipliers: list[AtLeastOne] = Field([1, 2, 2, 4], description="Channels of each level over those.")
    residual_blocks: AtLeastOne = Field(1, description="Residual blocks of each level.")
    attention_resolutions: list[AtLeastOne] = Field([16, 8], description="Grids, in points, with self-attention.")
    head_channels: AtLeastOne = Field(32, description="Channels of an attention head.")
    dropout: Annotated[Real, Field(ge=0, lt=1)] = Field(0.0, description="Share of activations dropped in training.")
