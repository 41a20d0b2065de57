"""One ventricle wider or narrower: only on its side, only inside the brain, and never the midline."""

import pytest
import torch

from midlineshift_training.datasets.transforms.unequal_ventricles import (
    REACH_MM,
    STRENGTH,
    Widening,
    draw_widening,
    pull,
)

BESIDE = torch.linspace(-80, 80, 1601)[None, None]
ALONG = torch.full_like(BESIDE, 0.4)


def widening(strength, side=1.0, reach=20.0):
    return Widening(*(torch.tensor([value]) for value in (strength, side, reach, 0.4, 0.2)))


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_only_its_side_changes_and_the_midline_stays(side):
    moved = pull(BESIDE, ALONG, widening(STRENGTH[1], side))[0, 0]
    beside = BESIDE[0, 0] * side
    assert not moved[beside <= 0].any(), "neither the midline nor the other half"
    assert float(moved[(beside > 0) & (beside < 1)].abs().max()) < 0.1, "the septum keeps its width"
    assert float(moved[beside > 65].abs().max()) < 0.2, "the skull stays"
    assert float((moved * side).max()) > 3


@pytest.mark.parametrize(("strength", "wider"), [(STRENGTH[0], False), (STRENGTH[1], True)])
@pytest.mark.parametrize("reach", REACH_MM)
def test_nothing_folds_and_the_wall_moves_as_asked(strength, wider, reach):
    looked_up = (BESIDE - pull(BESIDE, ALONG, widening(strength, reach=reach)))[0, 0]
    assert float(looked_up.diff().min()) > 0
    wall_mm = 12.0
    shown_at = float(BESIDE[0, 0, (looked_up - wall_mm).abs().argmin()])
    assert shown_at > wall_mm + 2 if wider else shown_at < wall_mm - 2


def test_the_share_of_slices_that_get_any():
    drawn = draw_widening(400, 0.25, torch.Generator().manual_seed(0))
    assert 70 < int((drawn.strength != 0).sum()) < 130
    assert not draw_widening(50, 0.0, torch.Generator().manual_seed(0)).strength.any()
