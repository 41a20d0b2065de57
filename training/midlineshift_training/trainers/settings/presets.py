"""Settings of other configurations than ours: those that Gong et al. trained with (arXiv 2301.00409 and their code).

docs/explanation/differences-from-the-paper.md says what differs from ours. Their networks see heads as scanned, on
256 px of 0.9 mm (``models.import_authors`` loads their checkpoints so).
"""

from __future__ import annotations

from midlineshift_training.trainers.settings.common import RunSettings
from midlineshift_training.trainers.settings.denoising import Ddim, DenoiserNetwork, LossWeights, NoiseDifference
from midlineshift_training.trainers.settings.diffusion import DiffusionSettings
from midlineshift_training.trainers.settings.landmarks import LandmarkSettings
from MidlineShiftLogic.models.import_authors import GRID, LENGTH_MM, PIXEL_MM

OURS, AUTHORS = "ours", "authors"
NAMES = (OURS, AUTHORS)

_COMMON = {
    "frame_mm": LENGTH_MM,
    "frame": "as scanned",
    "slices": "authors",
    "mls_share": None,
    "learning_rate": 1e-4,
    "weight_decay": 0.0,
    "rate": "constant",
    "epochs": 100,
    "ema_decay": 0.9999,
    "gradient_clip": None,
    "precision": "32-true",
    "size_jitter": 0.0,
    "place_jitter_px": 0.0,
}
AUTHORS_DIFFUSION = DiffusionSettings(
    **_COMMON,
    grid=GRID,
    frame_width_mm=GRID * PIXEL_MM,
    network=DenoiserNetwork(
        base_channels=128,
        channel_multipliers=[1, 1, 2, 2, 4, 4],
        residual_blocks=2,
        attention_resolutions=[32, 16, 8],
        head_channels=64,
        dropout=0.0,
    ),
    schedule="linear",
    steps=1000,
    sampler="uniform",
    rotation_deg=15.0,
    degraded_share=0.0,
    batch=2,
)
AUTHORS_LANDMARKS = LandmarkSettings(
    **_COMMON,
    grid=GRID,
    pixel_mm=PIXEL_MM,
    labelled_share=None,
    mirror=0.0,
    rotation_deg=0.0,
    batch=16,
    noise=NoiseDifference(t=300, seed=0, schedule="linear", steps=1000, grid=GRID, gain=1.0),
    t_range=(0, 999),
    loss=LossWeights(image=1.0, smooth=1.0, landmark=1.0, hinge=1.0),
    image_growth=1 / 20,
    ddim=Ddim(count=50, start=15, conditional_weight=3.0),
    pseudo_healthy="every step",
    readout="largest",
)


def with_preset(ours: RunSettings, preset: str | None, authors: RunSettings) -> RunSettings:
    """Return the preset's settings if the preset ``authors`` is asked for, else ours."""
    return authors if preset == AUTHORS else ours
