"""Settings of other configurations than ours: those that Gong et al. trained with (arXiv 2301.00409 and their code).

What differs from ours in each is told in docs/training-from-gong.md. Their networks see heads as scanned, on 256 px of
0.9 mm (``models.import_authors`` reads their checkpoints so).
"""

from __future__ import annotations

from typing import Any

from MidlineShiftLogic.models.import_authors import GRID, LENGTH_MM, PIXEL_MM

OURS, AUTHORS = "ours", "authors"
NAMES = (OURS, AUTHORS)

_COMMON = {
    "frame_mm": LENGTH_MM,
    "frame": "as scanned",
    "slices": "authors",
    "mls_share": None,
    "learning_rate": 1e-4,
    "rate": "constant",
    "epochs": 100,
    "ema_decay": 0.9999,
    "gradient_clip": None,
    "precision": "32-true",
}
AUTHORS_DIFFUSION = _COMMON | {
    "grid": GRID,
    "frame_width_mm": GRID * PIXEL_MM,
    "network": {
        "base_channels": 128,
        "channel_multipliers": [1, 1, 2, 2, 4, 4],
        "residual_blocks": 2,
        "attention_resolutions": [32, 16, 8],
        "head_channels": 64,
        "dropout": 0.0,
    },
    "schedule": "linear",
    "steps": 1000,
    "sampler": "uniform",
    "rotation_deg": 15.0,
    "size_jitter": 0.0,
    "place_jitter_px": 0.0,
    "degraded_share": 0.0,
    "batch": 2,
    "weight_decay": 0.0,
}
AUTHORS_DEFORMATION = _COMMON | {
    "grid": GRID,
    "pixel_mm": PIXEL_MM,
    "labelled_share": None,
    "mirror": 0.0,
    "rotation_deg": 0.0,
    "size_jitter": 0.0,
    "place_jitter_px": 0.0,
    "batch": 16,
    "weight_decay": 0.0,
    "noise": {"t": 300, "seed": 0, "schedule": "linear", "steps": 1000, "grid": GRID, "gain": 1.0},
    "t_range": [0, 999],
    "loss": {"image": 1.0, "smooth": 1.0, "landmark": 1.0, "hinge": 1.0},
    "image_growth": 1 / 20,
    "ddim": {"count": 50, "start": 15, "conditional_weight": 3.0},
    "pseudo_healthy": "every step",
    "readout": "largest",
}


def with_preset(defaults: dict[str, Any], preset: str | None, authors: dict[str, Any]) -> dict[str, Any]:
    """A stage's defaults, those of the preset ``authors`` in their place if it is asked for."""
    return defaults | authors if preset == AUTHORS else defaults
