"""The deformed midline of a slice, found from its displacement field."""

from __future__ import annotations

import torch

from MidlineShiftLogic.geometry.resampling import sample

NODES = 41
"""Points along the ideal midline, from attachment to attachment."""
REACH_MM = 26.0
"""Frame mm to either side of the ideal midline in which the deformed one is looked for."""
STEPS = 53
"""Points of a transversal: one a millimetre."""


def find_deviation(
    ideal: torch.Tensor,
    u: torch.Tensor,
    n: torch.Tensor,
    anterior: torch.Tensor,
    posterior: torch.Tensor,
    step_mm: float,
) -> torch.Tensor:
    """Return the signed distance of the deformed midline from the ideal one at equal fractions from end to end.

    The deformed midline is where the mapped point p + u(p) is on the ideal line; across the line this changes sign once,
    so the crossing is found by adding up how much of a transversal maps to its negative side.

    Args:
        ideal: (B, h, h) signed frame mm from the ideal line. u: (B, h, h, 2) displacement (x, y), frame mm.
        n: (B, 2) unit normal of the line. anterior, posterior: (B, 2) its ends, frame mm from the grid's middle.
        step_mm: of the maps' nodes.

    Returns:
        (B, ``NODES``) frame mm.
    """
    half = (ideal.shape[-1] - 1) / 2 * step_mm
    across = torch.linspace(-REACH_MM, REACH_MM, STEPS)
    fraction = torch.linspace(0, 1, NODES)
    d = posterior - anterior
    points = (
        anterior[:, None, None] + fraction[None, :, None, None] * d[:, None, None] + across[:, None] * n[:, None, None]
    )
    side = ideal + torch.einsum("bhwi,bi->bhw", u, n)
    value = sample(side[:, None], points / half, padding="border")[:, 0]
    low, high = value[..., :-1], value[..., 1:]
    negative = torch.where(low >= 0, 0.0, torch.where(high < 0, 1.0, -low / (high - low).clamp(min=1e-3)))
    crossing = -REACH_MM + (across[1] - across[0]) * negative.sum(-1)
    crossing[:, 0] = crossing[:, -1] = 0.0  # the falx is attached there
    return crossing


def interpolate_fractions(values: torch.Tensor, fraction: torch.Tensor) -> torch.Tensor:
    """Interpolate (B, nodes) values over fractions 0..1 linearly, held at the ends; fraction (B, ...) -> same shape."""
    nodes = values.shape[1]
    place = fraction.clamp(0, 1).flatten(1) * (nodes - 1)
    below = place.floor().long().clamp(max=nodes - 2)
    weight = place - below
    result = values.gather(1, below) * (1 - weight) + values.gather(1, below + 1) * weight
    return result.view(fraction.shape)
