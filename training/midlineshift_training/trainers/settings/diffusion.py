"""Settings of stage 1, the denoisers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from midlineshift_training.trainers.settings.common import AtLeastOne, Real, Share, recorded
from midlineshift_training.trainers.settings.denoising import DenoiserNetwork, NoiseSchedule
from midlineshift_training.trainers.settings.scan_sets import ScanSetSettings

DEGRADED_GRIDS = (64, 128)
"""Grids that the degradations of phantoms are made for."""
FROM_SCANS = {"degraded_share": 0.0}
"""Real scans look degraded enough, and what is pasted into phantoms would hide what they show."""


class DiffusionSettings(ScanSetSettings):
    """Settings of a denoiser. It sees the frame that all networks of a model share on 64 points of 3.6 mm."""

    task: Literal["diffusion"] = recorded("What is trained.", "diffusion")
    grid: AtLeastOne = Field(64, description="Points of the denoiser's image along a side.")
    frame_width_mm: Annotated[Real, Field(gt=0)] = Field(230.4, description="Width of the image, frame millimetres.")
    network: DenoiserNetwork = Field(DenoiserNetwork(), description="Architecture of the denoiser.")
    schedule: NoiseSchedule = Field("linear", description="Noise schedule.")
    steps: AtLeastOne = Field(1000, description="Steps of the noise schedule.")
    sampler: Literal["uniform", "loss-second-moment"] = Field(
        "uniform", description="How noise levels are drawn: all alike, or those with large losses more often."
    )
    degraded_share: Share = Field(0.5, description="Share of phantoms that are degraded to look like real scans.")
    validation_batches: AtLeastOne = Field(12, description="Batches of a validation.")
    image_metrics: bool = Field(
        True,
        description="At each check, also MAE and SSIM (MONAI) of slices denoised in one step from t = 300 of 1000.",
    )
    gradient_checkpointing: bool = Field(
        False, description="Compute activations again in the backward pass: less memory, about a third more time."
    )
    gradient_clip: Annotated[Real, Field(ge=0)] | None = Field(
        1.0, description="Largest norm of the gradient; null or 0: not limited."
    )

    cohort: Literal["non-mls", "all"] | None = recorded("Cases to learn from (--cohort).")

    @model_validator(mode="after")
    def _degradations_fit_the_grid(self) -> DiffusionSettings:
        if self.degraded_share > 0 and self.grid not in DEGRADED_GRIDS:
            raise ValueError(
                f"Degradations are made for a grid of 64 or 128, not {self.grid}; set degraded_share to 0."
            )
        return self
