"""Lines in the aligned frame: from heat maps, from distance maps, and one robust plane through all slices.

All points are frame pixels (x, y) relative to the grid's middle. A line is (angle, lateral offset): its unit normal
(cos angle, sin angle) points to the patient's left, and normal . p = lateral offset for every point p on the line.
"""

from __future__ import annotations

import numpy as np

LINE_REACH_PX = 12.0
"""A distance map is fitted near its zero: nodes this far from it (frame pixels) weigh 1 / e."""
MIN_NODE_WEIGHT, MIN_NODES = 0.3, 60
"""A line is fitted only where at least so many nodes weigh at least so much: some 12 mm along the falx."""
CAUCHY_ITERATIONS = 12
"""Re-weightings of the robust fit; further ones move it by less than the networks' errors."""


def normal(angle: np.ndarray | float) -> np.ndarray:
    """Return the unit normals (..., 2) toward the patient's left of lines at angles (...) in radians."""
    return np.stack([np.cos(angle), np.sin(angle)], -1)


def direction(angle: np.ndarray | float) -> np.ndarray:
    """Return the unit vectors (..., 2) from anterior to posterior of lines at angles (...) in radians."""
    return np.stack([-np.sin(angle), np.cos(angle)], -1)


def half_grid(size: int) -> np.ndarray:
    """Return the half grid's nodes (h,) along one axis, in frame pixels from the middle.

    Args:
        size: the frame's size in pixels; the half grid has h = size / 2 nodes, each in the middle of two pixels.
    """
    h = size // 2
    return (np.arange(h) - (h - 1) / 2) * 2.0


def soft_argmax(logits: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the expected position under the softmax of heat maps.

    Args:
        logits: (..., h, w) heat-map logits on the half grid.
        size: the frame's size in pixels.

    Returns:
        (..., 2) expected (x, y) in frame pixels from the middle, and (...) the peak probability, a measure of how sharp
        the map is.
    """
    shape = logits.shape[:-2]
    flat = logits.reshape(*shape, -1)
    p = np.exp(flat - flat.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    p = p.reshape(logits.shape)
    axis = half_grid(size)
    return np.stack([p.sum(-2) @ axis, p.sum(-1) @ axis], -1), p.max((-2, -1))


def line_through(anterior: np.ndarray, posterior: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the lines (angle, lateral offset) through pairs of end points (..., 2)."""
    d = posterior - anterior
    angle = np.arctan2(-d[..., 0], d[..., 1])
    return angle, ((anterior + posterior) / 2 * normal(angle)).sum(-1)


def line_of_distance_map(distance: np.ndarray, inside: np.ndarray, size: int) -> tuple[float, float] | None:
    """Fit a straight line to the zero set of a signed-distance map, by weighted least squares.

    Args:
        distance: (h, w) predicted signed distance (frame pixels) on the half grid.
        inside: (h, w) weight of each node, for example the probability of being inside the skull.
        size: the frame's size in pixels.

    Returns:
        (angle, lateral offset), or None where too little of the map is inside.
    """
    axis = half_grid(size)
    x, y = np.meshgrid(axis, axis)
    weight = np.sqrt(inside * np.exp(-((distance / LINE_REACH_PX) ** 2))).ravel()
    if (weight > MIN_NODE_WEIGHT).sum() < MIN_NODES:
        return None
    design = np.stack([x.ravel(), y.ravel(), np.ones(x.size)], -1)
    a, b, c = np.linalg.lstsq(design * weight[:, None], distance.ravel() * weight, rcond=None)[0]
    return float(np.arctan2(b, a)), float(-c / np.hypot(a, b))


def weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    """Return the value at half the total weight; ``values`` and ``weights`` are (n,)."""
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def robust_linear(
    z: np.ndarray,
    value: np.ndarray,
    weight: np.ndarray,
    *,
    spread: float,
    slope_limit: float,
    iterations: int = CAUCHY_ITERATIONS,
) -> tuple[float, float]:
    """Fit value = a + b z by iteratively re-weighted least squares with Cauchy weights.

    Args:
        z, value, weight: (n,) samples; only the proportions of the weights count.
        spread: residual at which a sample's weight is halved, in the unit of ``value``.
        slope_limit: standard deviation of a zero-mean prior on b, as if a sample of average weight were good to
            ``spread``; it keeps few samples from making a steep line.
        iterations: re-weightings.

    Returns:
        (a, b).
    """
    weight = weight / weight.mean()
    middle = np.average(z, weights=weight)
    current = weight
    a = b = 0.0
    for _ in range(iterations):
        w = np.sqrt(current)
        design = np.stack([np.ones_like(z), z - middle], -1) * w[:, None]
        prior = np.array([[0.0, spread / slope_limit]])
        a, b = np.linalg.lstsq(np.r_[design, prior], np.r_[value * w, 0.0], rcond=None)[0]
        current = weight / (1 + ((value - a - b * (z - middle)) / spread) ** 2)
    return float(a - b * middle), float(b)
