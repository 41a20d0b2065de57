"""The one definition of the number: how far a midline structure lies from the line between the falx attachments."""

from __future__ import annotations

import numpy as np


def ideal_point(anterior: np.ndarray, posterior: np.ndarray, shifted: np.ndarray) -> np.ndarray:
    """Foot of the perpendicular from ``shifted`` on the line through the falx attachments.

    All points (..., 2) or (..., 3) in one orthonormal millimetre frame. Returns points of the same shape.

    Raises:
        ValueError: the attachments coincide.
    """
    d = posterior - anterior
    square = (d * d).sum(-1, keepdims=True)
    if np.any(square < 1e-6):
        raise ValueError("the two falx attachments coincide; there is no line to measure from")
    return anterior + ((shifted - anterior) * d).sum(-1, keepdims=True) / square * d


def signed_shift(anterior: np.ndarray, posterior: np.ndarray, shifted: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Perpendicular distance of ``shifted`` from the ideal midline, positive toward the patient's left.

    Args:
        anterior, posterior, shifted: (..., d) points in one orthonormal frame, mm; d = 2 or 3.
        left: (d,) direction of the patient's left in that frame.

    Returns:
        (...) mm.
    """
    offset = shifted - ideal_point(anterior, posterior, shifted)
    return np.sign(offset @ left) * np.linalg.norm(offset, axis=-1)


def case_slice(shifts_mm: np.ndarray, in_window: np.ndarray, quantile: float) -> int:
    """Which slice stands for the case.

    The largest of many noisy readings is biased upward, so a high quantile of |shift| over the slices near the septum
    pellucidum is taken, and the slice that has it; with ``quantile`` 1 it is the largest, as in Gong et al. (2023).

    Args:
        shifts_mm: (k,) signed shifts. in_window: (k,) bool, slices that may stand for the case; if none may, all do.
        quantile: 0..1.

    Returns:
        Index into ``shifts_mm``.
    """
    candidates = np.flatnonzero(in_window) if np.any(in_window) else np.arange(len(shifts_mm))
    order = candidates[np.argsort(np.abs(shifts_mm[candidates]), kind="stable")]
    return int(order[int(np.floor(quantile * (len(order) - 1) + 0.5))])
