"""Default settings of the pose network and of stage 2 on phantoms."""

from midlineshift_training.trainers.settings.common import ENGINE

# The frame all networks of one model share: 128 points of 1.8 mm, the falx spanning 198 frame millimetres.
FRAME = {"grid": 128, "pixel_mm": 1.8, "frame_mm": 198.0}
COMMON = (
    FRAME
    | ENGINE
    | {
        "features": [16, 32, 64, 112, 160],
        # the slice is sampled so many times more densely than the grid
        "fineness": 1,
        "batch": 24,
        "bend_mm": 17.0,
        "learning_rate": 2e-3,
        "weight_decay": 1e-3,
        "warm_up": 100,
        "gradient_clip": 3.0,
        "max_steps": 6000,
        "check_every": 250,
        "validation_batches": 12,
        "ema_decay": 0.995,
        "precision": "bf16-mixed",
        "seed": 0,
        "workers": 0,
    }
)
POSE = COMMON | {"broad": True, "max_steps": 3000}
DEFORMATION = COMMON | {
    "broad": False,
    "features": [24, 48, 96, 144, 192],
    "fineness": 2,
    "noise_difference": True,
    # the denoisers see the slice on this grid; at test t = 300, as in Gong et al.; in training t strays around it
    "noise": {"t": 300, "seed": 0, "schedule": "linear", "steps": 1000, "grid": 64, "gain": 5.0},
    "t_range": [200, 400],
    # weights of Gong et al.'s four terms beside the dense truth; the image term's grows with the epochs as theirs
    "loss": {"image": 0.02, "smooth": 0.02, "landmark": 0.05, "hinge": 0.05},
    # the pseudo-healthy image takes 15 double denoiser passes: a few slices every few steps
    "image_every": 8,
    "image_slices": 2,
    "ddim": {"count": 50, "start": 15, "conditional_weight": 3.0},
}
