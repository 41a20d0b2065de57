"""The loss of the refinement network: least at the truth, nothing for what is not known, the same on both sides."""

import pytest
import torch

from midlineshift_training.datasets.strip_dataset import StripBatch
from midlineshift_training.losses.refinement_loss import TARGET_MM, refinement_loss, row_weights, shift_error
from midlineshift_training.trainers.refinement_metrics import refined_errors
from MidlineShiftLogic.geometry.midline_strip import StripGrid

GRID = StripGrid()
B = 3


def truth(**changes):
    f = GRID.fractions
    deviation = (6 * torch.exp(-(((f - 0.4) / 0.2) ** 2))).expand(B, -1).clone()
    values = {
        "strips": torch.zeros(B, 2 * GRID.rows, GRID.columns),
        "first": torch.zeros(B, GRID.rows),
        "deviation": deviation,
        "known": torch.ones(B, GRID.rows),
        "measurable": torch.ones(B),
        "weight": torch.ones(B),
        "scale": torch.full((B,), 0.8),
    }
    return StripBatch(**values | changes)


def sure(place_mm):
    """Logits of a network that is sure of a place (B, rows), mm from the strip's middle."""
    return -0.5 * ((GRID.across_mm - place_mm[..., None]) / TARGET_MM) ** 2


def loss(batch, place_mm):
    return float(refinement_loss(sure(place_mm), batch, GRID)[0])


def test_the_truth_has_the_least_loss():
    batch = truth()
    assert loss(batch, batch.target) < loss(batch, batch.target + 1) - 0.3
    assert loss(batch, batch.target) < loss(batch, torch.zeros_like(batch.target))
    # a farther first midline changes nothing if the network says where the true one is
    moved = truth(first=torch.full((B, GRID.rows), 2.0))
    assert loss(moved, moved.target) == pytest.approx(loss(batch, batch.target), abs=0.01)


def test_both_sides_count_the_same():
    batch, place = truth(), torch.full((B, GRID.rows), 1.5)
    mirrored = truth(deviation=-batch.deviation)
    assert loss(batch, place) == pytest.approx(loss(mirrored, -place), rel=1e-4)
    assert loss(batch, place) != pytest.approx(loss(mirrored, place), rel=0.05)


def test_what_is_not_known_gives_no_gradient_but_the_ends_do():
    known = torch.zeros(B, GRID.rows)
    known[:, 50] = 1.0
    logits = torch.zeros(B, GRID.rows, GRID.columns, requires_grad=True)
    refinement_loss(logits, truth(known=known), GRID)[0].backward()
    by_row = logits.grad.abs().sum((0, 2))
    ends = (GRID.fractions < 0.02) | (GRID.fractions > 0.98)
    assert bool((by_row[ends] > 0).all()) and by_row[50] > 0
    others = ~ends
    others[50] = False
    assert float(by_row[others].max()) == 0


def test_slices_that_cannot_be_measured_or_have_no_weight_give_no_gradient():
    logits = torch.zeros(B, GRID.rows, GRID.columns, requires_grad=True)
    batch = truth(measurable=torch.tensor([1.0, 0.0, 1.0]), weight=torch.tensor([1.0, 1.0, 0.0]))
    refinement_loss(logits, batch, GRID)[0].backward()
    assert (logits.grad.abs().sum((1, 2)) > 0).tolist() == [True, False, False]


def test_a_curve_moved_as_a_whole_or_turned_has_no_error_of_the_shift():
    batch = truth()
    tilted = batch.deviation + 3 - 2 * GRID.fractions
    error, _ = shift_error(tilted, batch, GRID)
    # the curve itself is not quite on its own ideal line where the ends are taken
    assert float(error.abs().max()) < 0.3
    error, _ = shift_error(batch.deviation * 0, batch, GRID)
    assert float(error.max()) < -4


def test_errors_are_in_scan_millimetres_beside_those_of_the_first_midline():
    known = torch.ones(B, GRID.rows)
    known[2] = 0
    batch = truth(first=truth().deviation * 0.5, known=known)
    errors = refined_errors(sure(batch.target), batch, GRID)
    assert errors["shift_mm"][:2].numpy() == pytest.approx(0, abs=0.1)
    # about half of the mean shift of 5.6 frame mm at the septum's rows, 0.8 scan mm each
    assert errors["first_shift_mm"][:2].numpy() == pytest.approx(0.5 * 5.6 * 0.8, abs=0.2)
    assert all(value[2].isnan() for value in errors.values())


def test_septum_and_attachments_count_most():
    weight, f = row_weights(GRID), GRID.fractions
    at = lambda place: float(weight[(f - place).abs().argmin()])  # noqa: E731
    assert at(0.38) > at(0.0) == pytest.approx(at(1.0), rel=0.01)
    assert at(0.0) > at(0.7) == pytest.approx(1, abs=0.01)
