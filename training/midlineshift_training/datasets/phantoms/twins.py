"""The unshifted twin of a phantom: the same head, lesions and noise, but nothing pushed.

What the pseudo-healthy image of a shifted slice should look like is known of phantoms only. Masses inside the brain stay
(a denoiser is to straighten the midline, not to heal), blood between skull and brain needs room and goes with the push.
"""

from __future__ import annotations

import copy

import torch

from midlineshift_training.datasets.phantoms.lesions.model import Lesions


def without_shift(lesions: Lesions) -> Lesions:
    """Return the lesions of a case without their push: no displacement, no ventricle squeezed or trapped."""
    twin = copy.copy(lesions)
    if lesions.backward is not None:
        twin.backward = torch.zeros_like(lesions.backward)
    twin.squeeze = {-1: 0.0, 1: 0.0}
    twin.trapped = False
    return twin
