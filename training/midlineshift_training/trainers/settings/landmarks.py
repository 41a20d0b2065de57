"""Settings of stage 2 on scans with sparse landmarks."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from midlineshift_training.trainers.settings.common import AtLeastOne, Real, Share, recorded
from midlineshift_training.trainers.settings.denoising import (
    IMAGE_SIMILARITY,
    Ddim,
    ImageSimilarity,
    LossWeights,
    NoiseDifference,
    TimestepRange,
)
from midlineshift_training.trainers.settings.scan_sets import ScanSetSettings

COARSEST_GRID = 16
"""The network of VoxelMorph halves its input four times."""


class LandmarkSettings(ScanSetSettings):
    """Settings of the deformation network on annotated scans."""

    task: Literal["landmarks"] = recorded("What is trained.", "landmarks")
    grid: AtLeastOne = Field(128, description="Points of the aligned frame along a side.")
    pixel_mm: Annotated[Real, Field(gt=0)] = Field(1.8, description="Frame millimetres between two points.")
    labelled_share: Share | None = Field(
        0.5, description="Share of labelled slices among all draws; null: as in the set."
    )
    mirror: Share = Field(0.5, description="Share of slices that are flipped left to right.")
    rotation_deg: Annotated[Real, Field(ge=0)] = Field(6.0, description="Largest rotation of augmentation.")
    place_jitter_px: Annotated[Real, Field(ge=0)] = Field(1.0, description="Standard deviation of the translation.")
    noise_difference: bool = Field(True, description="Has to be true: a set has no dense truth.")
    noise: NoiseDifference = Field(NoiseDifference(), description="Noise difference at test.")
    t_range: TimestepRange = Field((200, 400), description="Noise levels in training, first and last.")
    loss: LossWeights = Field(LossWeights(), description="Weights of the four terms of Gong et al.")
    image_similarity: ImageSimilarity = IMAGE_SIMILARITY
    image_growth: Annotated[Real, Field(ge=0)] = Field(
        1 / 20, description="What a pass over the training slices adds to the image term's weight."
    )
    ddim: Ddim = Field(Ddim(), description="How pseudo-healthy slices are made.")
    pseudo_healthy: Literal["once", "every step"] = Field(
        "once", description="When the targets of the image term are made (docs/adr/0014)."
    )
    readout: Literal["landmark", "largest"] = Field(
        "landmark",
        description="Error that the best check is chosen by: at the shifted landmark, or of the largest |u|.",
    )

    conditional: str | None = recorded("Run of the non-MLS denoiser (--conditional).")
    unconditional: str | None = recorded("Run of the denoiser of all cases (--unconditional).")

    @model_validator(mode="after")
    def _grids_agree(self) -> LandmarkSettings:
        if self.grid % COARSEST_GRID or self.grid % self.noise.grid:
            raise ValueError(
                f"The setting grid ({self.grid}) must be a multiple of {COARSEST_GRID} and of the denoisers' (noise.grid "
                f"{self.noise.grid})."
            )
        return self
