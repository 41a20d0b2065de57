"""What pictures and files need of the dense results, whether they were just computed or loaded from a file. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np


class ArrayBySlice(Protocol):
    """An array, or a dict, that gives one array for a slice's index."""

    def __getitem__(self, index: int, /) -> Any: ...


class DenseArrays(Protocol):
    """Dense results on the scan's own grid; ``inference.dense_result.DenseResult`` computes them."""

    @property
    def warped_hu(self) -> ArrayBySlice:
        """The scan warped back to normal, slice -> (row, column) HU."""

    @property
    def displacement_mm(self) -> ArrayBySlice:
        """The displacement from where tissue is to where it would be, slice -> (2, row, column) mm, along rows, then columns."""


class DenseScan(Protocol):
    """Dense results of a whole scan: ``DenseVolume``, or ``inference.dense_result.DenseResult``."""

    @property
    def warped_hu(self) -> np.ndarray:
        """The scan warped back to normal, (slice, row, column) HU."""

    @property
    def displacement_mm(self) -> np.ndarray:
        """The displacement, (slice, 2, row, column) mm, along rows, then columns."""


@dataclass(frozen=True)
class DenseSlice:
    """``warped_hu`` and ``displacement_mm`` of one slice, as {slice: array}."""

    warped_hu: dict[int, np.ndarray]
    displacement_mm: dict[int, np.ndarray]


@dataclass(frozen=True)
class DenseVolume:
    """``warped_hu`` and ``displacement_mm`` of a whole scan, as ``DenseScan`` describes them."""

    warped_hu: np.ndarray
    displacement_mm: np.ndarray
