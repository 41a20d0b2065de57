"""One ventricle is emptied: fluid on one side of the midline becomes brain, the rest stays."""

from __future__ import annotations

import pytest
import torch

from midlineshift_training.datasets.transforms.effaced_ventricle import efface
from midlineshift_training.trainers.settings.midline import RefinementSettings
from MidlineShiftLogic.geometry.midline_strip import StripGrid

GRID = StripGrid(rows=32, columns=64)
FLUID, BRAIN = 5.0, 32.0


def two_ventricles(midline_mm: float = 0.0) -> torch.Tensor:
    """Return a strip (1, 64, 64) HU of brain with a ventricle of 8 mm on each side of a septum at ``midline_mm``."""
    beside = (GRID.across_mm - midline_mm).abs()
    row = torch.where((beside > 1) & (beside < 9), FLUID, BRAIN)
    return row.expand(1, 64, 64).contiguous()


@pytest.mark.parametrize("midline_mm", [0.0, 6.0, -6.0])
def test_only_the_fluid_of_one_side_is_filled(midline_mm):
    strip = two_ventricles(midline_mm)
    course = torch.full((1, GRID.rows), midline_mm)
    beside = GRID.across_mm - midline_mm
    sides = set()
    for seed in range(12):
        change = (efface(strip, course, GRID, 1.0, torch.Generator().manual_seed(seed)) - strip)[0, 32]
        left, right = change[(beside > 3) & (beside < 7)], change[(beside < -3) & (beside > -7)]
        filled, other = (left, right) if left.mean() > right.mean() else (right, left)
        sides.add(bool(left.mean() > right.mean()))
        assert filled.min() > 0.5 * (BRAIN - FLUID)
        assert other.abs().max() < 1
        assert change[beside.abs() > 14].abs().max() < 1
    assert len(sides) == 2, "both sides are emptied"


def test_a_share_of_none_changes_nothing():
    strip = two_ventricles()
    assert torch.equal(efface(strip, torch.zeros(1, GRID.rows), GRID, 0.0, torch.Generator().manual_seed(1)), strip)


def test_air_and_bone_stay():
    strip = torch.full((1, 64, 64), -1000.0)
    strip[:, :, 32:] = 900.0
    assert torch.equal(efface(strip, torch.zeros(1, GRID.rows), GRID, 1.0, torch.Generator().manual_seed(1)), strip)


def test_it_is_off_by_default_as_the_released_network_was_trained():
    assert RefinementSettings().effaced_share == 0
