"""What a network that reads slices said of a whole scan, as plain arrays: what pipeline and read-out hand over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class NetworkMaps:
    """What the deformation network said of every slice, as numpy; half-grid maps, lengths in frame pixels.

    Attributes as in ``SliceReading``; ``inside`` and ``readable`` are probabilities here.
    """

    attachments: np.ndarray
    ideal: np.ndarray
    deformed: np.ndarray
    inside: np.ndarray
    readable: np.ndarray
    height: np.ndarray
    displacement: np.ndarray | None = None
    inverse: np.ndarray | None = None
