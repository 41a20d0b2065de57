"""Hold pseudo-healthy slices as plain arrays: made by ``inference.pseudo_healthy``, drawn and put into scenes without torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PseudoHealthy:
    """Pseudo-healthy slices on the scan's own grid.

    Attributes:
        slices: (k,) indices of the scan's slices, rising.
        hu: (k, row, column) float32 within 0..80 HU; the whole picture, also where there is no brain.
        brain: (k, row, column) float32, 1 where the picture stands for the brain, 0 where the scan is to be shown.
        model: what made it, as a measurement records its model: ``name``, ``version``, ``sha256``.
    """

    slices: np.ndarray
    hu: np.ndarray
    brain: np.ndarray
    model: dict

    def over(self, number: int, scan: np.ndarray) -> np.ndarray:
        """Return slice ``slices[number]`` as it is to be shown: the picture in the brain, ``scan`` (row, column) HU around it."""
        return scan + self.brain[number] * (self.hu[number] - scan)
