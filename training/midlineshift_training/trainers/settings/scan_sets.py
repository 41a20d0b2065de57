"""Settings of runs that take sets of scans: which slices, how long, and with which learning rate."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from midlineshift_training.trainers.settings.common import AtLeastOne, Real, RunSettings, Share, recorded


class ScanSetSettings(RunSettings):
    """What stage 1, and stage 2 on annotated scans, have in common."""

    frame_mm: Annotated[Real, Field(gt=0)] = Field(198.0, description="Length of every falx in frame millimetres.")
    frame: Literal["aligned", "as scanned"] = Field(
        "aligned", description="Heads upright, centred and of one falx length, or as they were scanned."
    )
    slices: Literal["brain", "authors"] = Field(
        "brain", description="Slices within heights_mm, or all but the lowest 8 and highest 5 (Gong et al.)."
    )
    heights_mm: tuple[Real, Real] = Field((-25.0, 70.0), description="Lowest and highest slice, frame millimetres.")
    non_mls_below_mm: Annotated[Real, Field(ge=0)] = Field(1.5, description="Shift from which a case counts as MLS.")
    mls_share: Share | None = Field(0.5, description="Share of MLS cases among all draws; null: as in the data.")
    rotation_deg: Annotated[Real, Field(ge=0)] = Field(15.0, description="Largest rotation of augmentation.")
    size_jitter: Annotated[Real, Field(ge=0, lt=1)] = Field(0.06, description="Largest change of size, a share.")
    place_jitter_px: Annotated[Real, Field(ge=0)] = Field(0.7, description="Standard deviation of the translation.")
    epochs: AtLeastOne | None = Field(
        None, description="In place of max_steps: passes over the slices, with a check after each."
    )

    preset: str | None = recorded("Settings that the run started from (--preset).")
    spacing: tuple[float, float, float] | None = recorded("Of .npy arrays, mm (--spacing).")
    validation_data: list[str] | None = recorded("Sets to validate with (--validation-data).")
