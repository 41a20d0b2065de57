"""Define the number: how far a midline structure is from the line between the falx attachments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

COINCIDENT_MM = 1e-3
"""Falx attachments nearer than this to each other give no line."""
LEFT = np.array([1.0, 0.0])
"""The patient's left in plane mm (column, row): columns run from right to left (``HeadCT``)."""


@dataclass(frozen=True)
class CaseRule:
    """How the case's number is chosen among its slices; kept with a measurement so that an edit is judged the same way.

    Attributes:
        quantile: of the window's shifts toward their common side (see ``case_slice``).
        window_mm: heights above the anterior-commissure level of the slices that may stand for the case.
        agreement: how large the shifts' mean must be, against their range, for the quantile to be taken; below that the
            median stands. 0: always the quantile.
    """

    quantile: float = 0.75
    window_mm: tuple[float, float] = (0.0, 20.0)
    agreement: float = 0.0

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> CaseRule:
        """Build the rule that a result gives; results from before ``agreement`` have none."""
        return cls(data["quantile"], tuple(data["window_mm"]), data.get("agreement", cls.agreement))


def ideal_point(anterior: np.ndarray, posterior: np.ndarray, shifted: np.ndarray) -> np.ndarray:
    """Find the foot of the perpendicular from ``shifted`` on the line through the falx attachments.

    Args:
        anterior, posterior, shifted: (..., 2) or (..., 3) in one orthonormal millimetre frame.

    Returns:
        Points of the same shape.

    Raises:
        ValueError: the attachments coincide.
    """
    d = posterior - anterior
    square = (d * d).sum(-1, keepdims=True)
    if np.any(square < COINCIDENT_MM**2):
        raise ValueError("the two falx attachments coincide; there is no line to measure from")
    return anterior + ((shifted - anterior) * d).sum(-1, keepdims=True) / square * d


def signed_shift(anterior: np.ndarray, posterior: np.ndarray, shifted: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Compute the perpendicular distance of ``shifted`` from the ideal midline, positive toward the patient's left.

    Args:
        anterior, posterior, shifted: (..., d) points in one orthonormal frame, mm; d = 2 or 3.
        left: (d,) direction of the patient's left in that frame.

    Returns:
        (...) mm.
    """
    offset = shifted - ideal_point(anterior, posterior, shifted)
    return np.sign(offset @ left) * np.linalg.norm(offset, axis=-1)


def case_slice(shifts_mm: np.ndarray, in_window: np.ndarray, rule: CaseRule) -> int:
    """Choose the slice that stands for the case.

    The largest of many noisy values is biased upward, so a high quantile over the slices near the septum pellucidum is
    taken, and the slice that has it. A mass pushes the midline one way: the slices are ordered by how far they are shifted
    toward the side of their mean, so that one stray slice of the other side cannot stand for the case. With a quantile of
    1 it is the slice shifted farthest to that side. Where the slices differ among themselves by more than they have in
    common, a high quantile would report their noise: then the median stands, the lesser of two.

    Args:
        shifts_mm: (k,) signed shifts. in_window: (k,) bool, slices that may stand for the case; if none may, all do.
        rule: how the slice is chosen; ``in_window`` stands for its window.

    Returns:
        Index into ``shifts_mm``.
    """
    candidates, toward = _toward_common_side(shifts_mm, in_window)
    order = candidates[np.argsort(toward, kind="stable")]
    last = len(order) - 1
    place = int(np.floor(rule.quantile * last + 0.5))
    return int(order[place if _agree(toward, rule) else min(last // 2, place)])


def slices_agree(shifts_mm: np.ndarray, in_window: np.ndarray, rule: CaseRule) -> bool:
    """Return whether the slices agree well enough for ``case_slice`` to take the rule's quantile, not the median.

    Args: as for ``case_slice``.
    """
    return _agree(_toward_common_side(shifts_mm, in_window)[1], rule)


def _toward_common_side(shifts_mm: np.ndarray, in_window: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of the slices that may stand for the case, and their shifts toward the side of their mean, mm."""
    shifts = np.asarray(shifts_mm, float)
    candidates = np.flatnonzero(in_window) if np.any(in_window) else np.arange(len(shifts))
    return candidates, shifts[candidates] * (-1.0 if shifts[candidates].mean() < 0 else 1.0)


def _agree(toward: np.ndarray, rule: CaseRule) -> bool:
    return bool(toward.mean() >= rule.agreement * np.ptp(toward))
