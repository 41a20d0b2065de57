"""What a network that reads slices said of a whole scan, as plain arrays: what pipeline and read-out hand over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class PredictedMaps:
    """What the deformation network said of every slice, as numpy; half-grid maps, lengths in frame pixels.

    Attributes as in ``SlicePrediction``; ``inside`` and ``measurable`` are probabilities here. ``mirror``, (N, h, w): half of
    what the slice and its mirror image say differently of the midline's deviation; None if mirrors were not read.
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
