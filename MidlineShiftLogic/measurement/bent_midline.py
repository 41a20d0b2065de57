"""Bend the deformed midline to where a reader moved a landmark, as little as needed."""

from __future__ import annotations

import numpy as np

REACH = 0.35
"""Part of the ideal midline over which a correction fades to nothing."""

STRAIGHT = np.linspace(0.0, 1.0, 43)
"""Fractions at which a midline that starts as a straight line gets its points."""


def bend_through(
    midline: np.ndarray | None, anterior: np.ndarray, posterior: np.ndarray, shifted: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Bend a midline so that it goes from one falx attachment to the other through the shifted landmark.

    The old midline is expressed as deviation over the fraction of the new ideal line. What it misses the new attachments
    and the landmark by is taken off in three raised cosines, each one at its point and zero, with zero slope, where
    its reach ends; so it stays as it was elsewhere and has no corner.

    Args:
        midline: (k, 2) old polyline, anterior to posterior, in one orthonormal millimetre frame whose first axis is
            toward the patient's left; the straight ideal line if None or empty.
        anterior, posterior, shifted: (2,) in the same frame; the attachments apart.

    Returns:
        (k', 2) polyline, and (k',) its signed distance from the ideal line in mm, positive toward the patient's left.
        A landmark beyond the attachments cannot be on it; the midline then ends at them all the same.
    """
    along = posterior - anterior
    length = float(np.hypot(*along))
    along = along / length
    left = np.array([along[1], -along[0]])
    left = left if left[0] >= 0 else -left

    def on_line(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        offset = points - anterior
        return offset @ along / length, offset @ left

    at, target = (float(value) for value in on_line(shifted))
    if midline is None or not len(midline):
        fraction, deviation = STRAIGHT, np.zeros(len(STRAIGHT))
    else:
        fraction, deviation = on_line(np.asarray(midline, float))
        order = np.argsort(fraction, kind="stable")
        fraction, deviation = fraction[order], deviation[order]
    passes = 0.0 < at < 1.0
    inner = fraction[(fraction > 1e-6) & (fraction < 1 - 1e-6)]
    places = np.unique(np.concatenate([[0.0, 1.0], inner, [at] if passes else []]))
    value = np.interp(places, fraction, deviation)
    value = value - value[0] * _bump(places, 0.0, REACH, REACH) - value[-1] * _bump(places, 1.0, REACH, REACH)
    if passes:
        missing = target - value[np.searchsorted(places, at)]
        value = value + missing * _bump(places, at, min(REACH, at), min(REACH, 1 - at))
    value[[0, -1]] = 0.0
    return anterior + places[:, None] * length * along + value[:, None] * left, value


def _bump(places: np.ndarray, centre: float, before: float, after: float) -> np.ndarray:
    """Compute a raised cosine: 1 at ``centre``, 0 from ``before`` below it and ``after`` above it."""
    offset = places - centre
    scaled = np.where(offset < 0, -offset / max(before, 1e-9), offset / max(after, 1e-9))
    return np.where(scaled < 1, np.cos(np.minimum(scaled, 1) * np.pi / 2) ** 2, 0.0)
