"""Default settings of stage 1, the denoisers."""

from midlineshift_training.trainers.settings.common import ENGINE

DEFAULTS = ENGINE | {
    # the frame all networks of one model share; the denoisers see it on 64 points of 3.6 mm
    "grid": 64,
    "frame_width_mm": 230.4,
    "frame_mm": 198.0,
    "network": {
        "base_channels": 32,
        "channel_multipliers": [1, 2, 2, 4],
        "residual_blocks": 1,
        "attention_resolutions": [16, 8],
        "head_channels": 32,
        "dropout": 0.0,
    },
    "schedule": "linear",
    "steps": 1000,
    # of a set with sparse landmarks: frame, and which slices of a case are taken (``datasets.annotated_slices``)
    "frame": "aligned",
    "slices": "brain",
    "heights_mm": [-25.0, 70.0],
    "non_mls_below_mm": 1.5,
    # shifted cases are rare in life: Gong et al. over-sample them for the denoiser of all cases
    "mls_share": 0.5,
    # how noise levels are drawn (``stages.timesteps``)
    "sampler": "uniform",
    "rotation_deg": 15.0,
    "size_jitter": 0.06,
    "place_jitter_px": 0.7,
    "degraded_share": 0.5,
    "batch": 16,
    "learning_rate": 1e-3,
    "rate": "cosine",
    "weight_decay": 1e-4,
    "warm_up": 100,
    "max_steps": 3000,
    # in place of max_steps: passes over the slices, with a check after each
    "epochs": None,
    "check_every": 250,
    "validation_batches": 12,
    "ema_decay": 0.995,
    "gradient_clip": 1.0,
    "precision": "bf16-mixed",
    "seed": 0,
    "workers": 0,
}


# real scans look degraded enough, and what is pasted into phantoms would hide what they show
FROM_SET = {"degraded_share": 0.0}
