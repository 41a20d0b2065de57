"""The unshifted twin of a phantom: the same head, lesions and noise, but nothing pushed.

What the pseudo-healthy image of a shifted slice should look like is known of phantoms only. Masses inside the brain stay
(a denoiser is to straighten the midline, not to heal), blood between skull and brain needs room and goes with the push.
"""

from __future__ import annotations

import copy

import torch

from midlineshift_training.datasets.phantoms.lesions.model import Lesions


def without_shift(lesions: Lesions, opened: bool = True) -> Lesions:
    """Return the lesions of a case without their push.

    Args:
        lesions: of the case.
        opened: no ventricle is squeezed or trapped and no sulcus emptied either. False: these stay, and nothing but the
            displacement is undone: what a mass has emptied cannot be seen in the shifted slice.
    """
    twin = copy.copy(lesions)
    if lesions.backward is not None:
        twin.backward = torch.zeros_like(lesions.backward)
    if opened:
        twin.squeeze = {-1: 0.0, 1: 0.0}
        twin.trapped = False
    return twin
