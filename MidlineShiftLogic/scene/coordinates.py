"""Convert between RAS (Slicer: + right, + anterior) and LPS (DICOM and this package: + left, + posterior); the one place."""

from __future__ import annotations

import numpy as np
import vtk
from numpy.typing import ArrayLike

FLIP = np.array([-1.0, -1.0, 1.0])


def lps_to_ras(points: np.ndarray) -> np.ndarray:
    """Convert (..., 3) LPS points or vectors in mm to RAS."""
    return np.asarray(points, dtype=float) * FLIP


def ras_to_lps(points: ArrayLike) -> np.ndarray:
    """Convert (..., 3) RAS points or vectors in mm to LPS."""
    return np.asarray(points, dtype=float) * FLIP


def matrix_to_lps(matrix: vtk.vtkMatrix4x4) -> np.ndarray:
    """Convert a matrix that ends in RAS, such as IJK to RAS, to a (4, 4) array that ends in LPS."""
    return np.append(FLIP, 1.0)[:, None] * as_array(matrix)


def as_array(matrix: vtk.vtkMatrix4x4) -> np.ndarray:
    """Return the (4, 4) values of a VTK matrix."""
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def as_matrix(values: np.ndarray) -> vtk.vtkMatrix4x4:
    """Return the VTK matrix of (4, 4) values."""
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(np.asarray(values, dtype=float).ravel())
    return matrix
