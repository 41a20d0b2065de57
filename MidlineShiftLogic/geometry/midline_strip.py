"""A strip along a midline: the slice straightened about a curve, so that the midline is near its middle column.

A row is a fraction of the ideal midline, from the anterior falx attachment (0) to the posterior one (1) and a little beyond;
a column is a distance across, positive toward the patient's left. Lengths are frame millimetres and frame pixels as in
``geometry.frame``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F

from MidlineShiftLogic.geometry.frame import OUTSIDE_HU
from MidlineShiftLogic.geometry.resampling import sample

MAX_SAMPLES, MAX_COLUMN_MM = 2**20, 10.0
"""Beyond these no strip makes sense, and memory would run out."""


@dataclass(frozen=True)
class StripGrid:
    """Where a strip has its rows and columns.

    Attributes:
        rows: of a curve; the picture has ``row_samples`` as many.
        columns: of the picture and of what is predicted.
        column_mm: frame millimetres from column to column.
        beyond: fraction of the ideal midline by which the strip goes on beyond both attachments.
        row_samples: picture rows to one row of a curve.
    """

    rows: int = 80
    columns: int = 64
    column_mm: float = 0.75
    beyond: float = 0.04
    row_samples: int = 2

    def __post_init__(self) -> None:
        """Raise ValueError for a grid that no strip can have."""
        counts = (self.rows, self.columns, self.row_samples)
        if not all(isinstance(one, int) for one in counts) or min(self.rows, self.columns) < 2 or self.row_samples < 1:
            raise ValueError("a strip has two or more rows and columns, and one or more samples a row")
        if self.rows * self.columns * self.row_samples > MAX_SAMPLES:
            raise ValueError(f"a strip has at most {MAX_SAMPLES} samples")
        if not 0 < self.column_mm <= MAX_COLUMN_MM or not 0 <= self.beyond <= 1:
            raise ValueError("a strip's columns are apart, and it goes on beyond the attachments by at most its length")

    @cached_property
    def fractions(self) -> torch.Tensor:
        """Return (rows,) fractions of the ideal midline at which curves are given."""
        return torch.linspace(-self.beyond, 1 + self.beyond, self.rows)

    @cached_property
    def across_mm(self) -> torch.Tensor:
        """Return (columns,) frame mm from the strip's middle, positive toward the patient's left."""
        return (torch.arange(self.columns) - (self.columns - 1) / 2) * self.column_mm


def cut_strips(
    hu: torch.Tensor,
    anterior: torch.Tensor,
    posterior: torch.Tensor,
    course_mm: torch.Tensor,
    pixel_mm: float,
    grid: StripGrid,
    upsampling: int = 2,
) -> torch.Tensor:
    """Cut strips out of aligned slices.

    Args:
        hu: (N, H, W) HU on a grid ``upsampling`` times as fine as the frame's pixels.
        anterior, posterior: (N, 2) falx attachments (x, y), frame pixels from the frame's middle.
        course_mm: (N, rows) frame mm from the line between them to the strips' middle column.
        pixel_mm: frame millimetres of a frame pixel.
        grid: rows and columns.
        upsampling: of ``hu``.

    Returns:
        (N, row_samples * rows, columns) HU; air outside of the slice.
    """
    count, rows = hu.shape[-1], grid.rows * grid.row_samples
    along = posterior - anterior
    left = torch.stack([along[:, 1], -along[:, 0]], -1) / along.norm(dim=-1, keepdim=True).clamp(min=1e-6)
    fraction = torch.linspace(-grid.beyond, 1 + grid.beyond, rows, device=hu.device)
    middle_mm = F.interpolate(course_mm[:, None], size=rows, mode="linear", align_corners=True)[:, 0]
    start = anterior[:, None] + fraction[None, :, None] * along[:, None]
    across = (middle_mm[:, :, None] + grid.across_mm.to(hu.device)) / pixel_mm
    points = start[:, :, None] + across[..., None] * left[:, None, None]
    unit = points * upsampling / ((count - 1) / 2)
    # shifting by OUTSIDE_HU makes the zeros outside mean air
    return sample((hu - OUTSIDE_HU)[:, None], unit.to(hu.dtype))[:, 0] + OUTSIDE_HU


def expected_offset(logits: torch.Tensor, grid: StripGrid) -> tuple[torch.Tensor, torch.Tensor]:
    """Find the expected distance from the strip's middle under the softmax of each row, and its standard deviation.

    Args:
        logits: (N, rows, columns).
        grid: rows and columns.

    Returns:
        (N, rows) frame mm, positive toward the patient's left, and (N, rows) frame mm.
    """
    p, across = logits.softmax(-1), grid.across_mm.to(logits)
    mean = (p * across).sum(-1)
    return mean, ((p * across.square()).sum(-1) - mean.square()).clamp(min=0).sqrt()
