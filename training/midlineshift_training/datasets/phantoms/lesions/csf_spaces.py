"""What lesions do to the spaces filled with fluid: squeezed ventricles, blood in CSF and along the falx, drains."""

from __future__ import annotations

import numpy as np

from midlineshift_training.datasets.phantoms.lesions.model import LARGE_MM, Lesions, Push
from midlineshift_training.datasets.phantoms.subject import Subject
from midlineshift_training.datasets.phantoms.variation import ventricle_pull


def squeeze_ventricles(rng, lesions: Lesions, push: Push, subject: Subject) -> None:
    """Squeeze the near lateral ventricle and the sulci beside it with the shift; the far ventricle may be trapped."""
    side, shift = lesions.side, lesions.target_mm
    push.velocity += ventricle_pull(subject.brain, side) * min(shift, 12.0) * rng.uniform(8, 15)
    lesions.trapped = bool(shift > 6 and rng.random() < 0.5)
    widening = rng.uniform(5, 11) if lesions.trapped else rng.uniform(0, 4)
    push.velocity -= ventricle_pull(subject.brain, -side) * min(max(0.0, shift - 4), 10.0) * widening
    lesions.squeeze = {
        side: float(np.clip((shift - 1) / 8, 0, 1) * rng.uniform(0.75, 1)),
        -side: 0.0 if lesions.trapped else min(0.4, shift / 30),
    }


def draw_free_blood(rng, lesions: Lesions) -> None:
    """Draw blood in ventricles, in sulci and along the falx."""
    side = lesions.side
    in_brain = bool(lesions.bleeds)
    ruptured = 0.5 if lesions.target_mm >= LARGE_MM else 0.28
    if rng.random() < (ruptured if in_brain else 0.06):
        lesions.intraventricular = {
            "level_y": float(rng.uniform(-40, 45)),
            "hu": float(rng.uniform(48, 70)),
            "sides": (-1, 1) if rng.random() < 0.6 else (side,),
        }
    if rng.random() < 0.22:
        lesions.subarachnoid = {"hu": float(rng.uniform(42, 66)), "share": float(rng.uniform(0.1, 0.6))}
    if rng.random() < 0.12:
        lesions.parafalcine = {
            "side": side if rng.random() < 0.75 else -side,
            "thickness_mm": float(rng.uniform(1, 5)),
            "hu": float(rng.uniform(54, 70)),
        }


def draw_drain(rng, lesions: Lesions) -> None:
    """Draw a ventricular drain from a burr hole in front of the coronal suture to the foramen of Monro."""
    side = int(rng.choice([-1, 1]))
    tip = np.array([side * rng.uniform(2, 9), rng.uniform(0, 14), rng.uniform(4, 14)])
    entry = np.array([side * rng.uniform(22, 34), rng.uniform(15, 40), rng.uniform(74, 84)])
    if rng.random() < 0.3:  # from behind
        tip = np.array([side * rng.uniform(8, 18), rng.uniform(-20, 5), rng.uniform(14, 22)])
        entry = np.array([side * rng.uniform(22, 38), -rng.uniform(95, 105), rng.uniform(25, 45)])
    lesions.drain = np.stack([tip, entry]).astype(np.float32)
