"""Invert displacement fields, whatever arrays they are kept in and however they are interpolated.

The scene has numpy fields in a process without torch, networks and phantoms have torch's: the iteration is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Field = TypeVar("Field", bound=Any)


def invert_displacement(
    looked_up: Callable[[Field, list[int]], Field],
    start: Field,
    *,
    iterations: int,
    damping: float = 1.0,
    tolerance: float = 0.0,
) -> Field:
    """Solve v(p) = -u(p + v(p)) for the inverse v of a displacement field u, by fixed-point iteration (Chen et al. 2008).

    It converges where the map p -> p + u(p) is one-to-one with |grad u| < 1, and with ``damping`` below 1 also where it
    stretches more. The error left is that of interpolating u.

    Args:
        looked_up: ``looked_up(v, members)`` is u(p + v(p)) of some fields of the batch, given v of these.
        start: (N, ...) first guess of v, torch or numpy; it is not changed.
        iterations: at most.
        damping: share of the residual that a step takes off.
        tolerance: a field whose largest residual is not above it is left as it is.

    Returns:
        (N, ...) v.
    """
    inverse = start + 0.0
    active = list(range(len(start)))
    for _ in range(iterations):
        if not active:
            break
        found = looked_up(inverse[active], active)
        if damping == 1.0 and not tolerance:
            inverse[active] = -found
            continue
        residual = found + inverse[active]
        inverse[active] -= damping * residual
        active = [one for one, left in zip(active, residual, strict=True) if float(abs(left).max()) > tolerance]
    return inverse
