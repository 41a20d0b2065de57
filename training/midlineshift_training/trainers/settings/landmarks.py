"""Default settings of stage 2 on sets with sparse landmarks."""

from midlineshift_training.trainers.settings.common import ENGINE
from midlineshift_training.trainers.settings.midline import DEFORMATION, FRAME

LANDMARKS = (
    FRAME
    | ENGINE
    | {
        # which slices are taken and in what frame (``datasets.annotated_slices``)
        "frame": "aligned",
        "slices": "brain",
        "heights_mm": [-25.0, 70.0],
        "non_mls_below_mm": 1.5,
        # shares of MLS cases and of labelled slices among all draws; null: as they are in the set
        "mls_share": 0.5,
        "labelled_share": 0.5,
        "mirror": 0.5,
        "rotation_deg": 6.0,
        "size_jitter": 0.06,
        "place_jitter_px": 1.0,
        "batch": 16,
        "learning_rate": 1e-3,
        "rate": "cosine",
        "weight_decay": 1e-4,
        "warm_up": 100,
        "gradient_clip": 3.0,
        "max_steps": 3000,
        # in place of max_steps: passes over the slices, with a check after each
        "epochs": None,
        "check_every": 250,
        "ema_decay": 0.995,
        "precision": "bf16-mixed",
        "seed": 0,
        "workers": 0,
        "noise_difference": True,
        "noise": DEFORMATION["noise"],
        "t_range": DEFORMATION["t_range"],
        # weights of Gong et al.'s terms; the image term's grows by image_growth an epoch
        "loss": {"image": 1.0, "smooth": 1.0, "landmark": 1.0, "hinge": 1.0},
        "image_growth": 1 / 20,
        "ddim": DEFORMATION["ddim"],
        # targets of the image term: "once" or "every step" (docs/adr/0014)
        "pseudo_healthy": "once",
        # what the best check is chosen by: "landmark" or "largest"
        "readout": "landmark",
    }
)
