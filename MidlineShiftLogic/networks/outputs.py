"""Hold what a network predicts of a whole scan as plain arrays: what inference hands to the shift computation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class PredictedMaps:
    """What a network predicts of every slice, as numpy; maps on the half grid, lengths in frame pixels.

    Attributes as in ``SlicePrediction``; ``inside`` and ``measurable`` are probabilities here. ``mirror``, (N, h, w): half of
    the difference between the midline's deviations of a slice and of its mirror image; None if mirrors were not used.
    """

    attachments: np.ndarray
    ideal: np.ndarray
    deformed: np.ndarray
    inside: np.ndarray
    measurable: np.ndarray
    height: np.ndarray
    displacement: np.ndarray | None = None
    inverse: np.ndarray | None = None
    mirror: np.ndarray | None = None
