"""First midlines to be refined: the true one with errors such as the deformation network makes.

Lengths are frame millimetres; the numbers were chosen in a trial on phantoms and on real scans.
"""

from __future__ import annotations

import torch

ATTACHMENT_MM = (1.3, 1.6)
"""Spreads of the errors at the anterior and at the posterior falx attachment."""
BUMPS, BUMP_MM = 3, 0.8
"""Local errors along the midline, and the spread of their heights."""
BUMP_WIDTH = (0.06, 0.25)
"""Smallest width of a local error, and what is added to it at most, as fractions of the ideal midline."""
SHRINK, SHRINK_SPREAD = 0.1, 0.2
"""Share of the shift by which a first midline is too small: mean, spread. Networks measure large shifts too small."""
LARGE_SHARE, LARGE_FACTOR = 0.15, 3.5
"""Share of errors that are large, and how many times as large as the others they are."""
MOST_MM = 16.0
"""Largest error: the strip reaches 24 mm to either side."""


def draw_first_errors(deviation_mm: torch.Tensor, fractions: torch.Tensor, g: torch.Generator) -> torch.Tensor:
    """Draw the errors of first midlines.

    Args:
        deviation_mm: (B, rows) the true midline's distance from the ideal one.
        fractions: (rows,) of the ideal midline, 0 at the anterior attachment.
        g: source of every random number.

    Returns:
        (B, rows) first minus true midline.
    """
    count = len(deviation_mm)

    def gauss() -> torch.Tensor:
        return torch.randn(count, 1, generator=g)

    def uniform() -> torch.Tensor:
        return torch.rand(count, 1, generator=g)

    def now_and_then_large() -> torch.Tensor:
        return torch.where(uniform() < LARGE_SHARE, LARGE_FACTOR, 1.0)

    large = now_and_then_large()
    anterior, posterior = (gauss() * spread * large for spread in ATTACHMENT_MM)
    error = anterior * (1 - fractions) + posterior * fractions
    error = error - deviation_mm * (SHRINK + SHRINK_SPREAD * gauss())
    for _ in range(BUMPS):
        place, width = uniform(), BUMP_WIDTH[0] + BUMP_WIDTH[1] * uniform()
        height = gauss() * BUMP_MM * now_and_then_large()
        error = error + height * torch.exp(-(((fractions - place) / width) ** 2))
    return error.clamp(-MOST_MM, MOST_MM)
