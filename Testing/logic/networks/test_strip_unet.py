"""A strip follows the midline, and the network finds a place in every row of it."""

from __future__ import annotations

import pytest
import torch

from MidlineShiftLogic.geometry.midline_strip import StripGrid, cut_strips, expected_offset
from MidlineShiftLogic.inference.refine_midlines import strip_inputs
from MidlineShiftLogic.models.registry import build_network, kind_of
from MidlineShiftLogic.networks.strip_unet import StripUNet

GRID = StripGrid(rows=16, columns=16)
PIXEL_MM = 1.8


def bright_line(size: int, column: float) -> torch.Tensor:
    """Return a slice (1, size, size) HU with a bright vertical line at a column."""
    across = torch.arange(size) - column
    return (100 * torch.exp(-((across / 1.5) ** 2))).expand(1, size, size).contiguous()


@pytest.mark.parametrize("side", [1, -1])
def test_a_strip_shows_a_line_on_the_side_and_at_the_distance_where_it_is(side):
    """The line is 4.5 mm (5 fine pixels of 0.9 mm) toward one side of the middle of a frame of 64 fine pixels."""
    hu = bright_line(64, 31.5 + 5 * side)
    anterior, posterior = torch.tensor([[0.0, -12.0]]), torch.tensor([[0.0, 12.0]])
    strip = cut_strips(hu, anterior, posterior, torch.zeros(1, GRID.rows), PIXEL_MM, GRID)
    assert strip.shape == (1, 32, 16)
    found = GRID.across_mm[strip.argmax(-1)]
    assert torch.allclose(found, torch.full_like(found, 4.5 * side), atol=GRID.column_mm / 2 + 1e-4)


def test_a_strip_straightens_the_curve_that_it_is_cut_along():
    hu = bright_line(64, 31.5 - 5)
    anterior, posterior = torch.tensor([[0.0, -12.0]]), torch.tensor([[0.0, 12.0]])
    strip = cut_strips(hu, anterior, posterior, torch.full((1, GRID.rows), -4.5), PIXEL_MM, GRID)
    assert (GRID.across_mm[strip.argmax(-1)].abs() <= GRID.column_mm / 2 + 1e-4).all()


def test_outside_of_the_slice_is_air():
    far = torch.tensor([[500.0, -12.0]]), torch.tensor([[500.0, 12.0]])
    assert (cut_strips(torch.zeros(1, 64, 64), *far, torch.zeros(1, GRID.rows), PIXEL_MM, GRID) == -1000).all()


def test_the_expected_offset_is_where_the_row_s_peak_is():
    logits = torch.full((1, GRID.rows, GRID.columns), -50.0)
    logits[..., 12] = 50.0
    mean, spread = expected_offset(logits, GRID)
    assert torch.allclose(mean, GRID.across_mm[12].expand_as(mean), atol=1e-4)
    assert float(spread.max()) < 1e-2


def test_the_network_is_built_from_its_own_description():
    network = StripUNet((8, 8, 8), {"rows": 16, "columns": 16})
    again = build_network("strip_unet", network.config)
    assert kind_of(again) == "strip_unet"
    assert again.config == network.config
    strips = torch.zeros(2, 32, 16)
    assert again(strip_inputs(strips)).shape == (2, 16, 16)
