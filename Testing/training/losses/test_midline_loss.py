"""Sparse landmarks in the midline loss: what is not known gives no loss and no gradient."""

import torch

from midlineshift_training.datasets.midline_dataset import MidlineBatch
from midlineshift_training.losses.midline_loss import midline_loss
from MidlineShiftLogic.networks.midline_unet import SlicePrediction

B, H = 2, 16


def truth(**changes):
    axis = (torch.arange(H) - (H - 1) / 2) * 2
    ideal = axis.expand(B, H, H).clone()
    values = {
        "hu": torch.zeros(B, 2 * H, 2 * H),
        "displacement": torch.zeros(B, 2, H, H),
        "ideal": ideal,
        "deformed": ideal - 3.0,
        "inside": torch.ones(B, H, H),
        "ends": torch.tensor([[[0.0, -12.0], [0.0, 12.0]]]).repeat(B, 1, 1),
        "shifted": torch.zeros(B, 2),
        "measurable": torch.ones(B),
        "height": torch.zeros(B),
        "case_limit": torch.ones(B),
        "mm": torch.ones(B),
        "known": torch.ones(B, H, H),
        "weight": torch.ones(B),
    }
    return MidlineBatch(**values | changes)


def prediction(seed=0):
    g = torch.Generator().manual_seed(seed)
    maps = {name: torch.randn(B, H, H, generator=g, requires_grad=True) for name in ("ideal", "deformed", "inside")}
    return SlicePrediction(
        displacement=torch.randn(B, 2, H, H, generator=g, requires_grad=True),
        inverse=torch.zeros(B, 2, H, H),
        attachments=torch.randn(B, 2, H, H, generator=g, requires_grad=True),
        measurable=torch.zeros(B, requires_grad=True),
        height=torch.zeros(B, requires_grad=True),
        **maps,
    )


def test_unknown_places_give_no_gradient():
    known = torch.zeros(B, H, H)
    known[:, 6] = 1.0
    out = prediction()
    midline_loss(out, truth(known=known))[0].backward()
    rows = torch.arange(H) != 6
    for value in (out.deformed, out.displacement):
        assert value.grad[..., 6, :].abs().sum() > 0
        assert value.grad[..., rows, :].abs().sum() == 0
    assert (out.ideal.grad.abs().sum((0, 2)) > 0).all(), "the ideal line is known from its ends"


def test_a_slice_of_no_weight_changes_no_midline():
    out = prediction()
    total, _ = midline_loss(out, truth(weight=torch.tensor([1.0, 0.0])))
    total.backward()
    for value in (out.ideal, out.deformed, out.displacement, out.attachments):
        assert value.grad[0].abs().sum() > 0
        assert value.grad[1].abs().sum() == 0


def test_phantoms_count_as_before():
    with_all = midline_loss(prediction(), truth())[1]
    halved = midline_loss(prediction(), truth(weight=torch.full((B,), 0.5)))[1]
    assert set(with_all) == {"deformed", "ideal", "deviation", "attachments", "inside", "readable", "height", "field"}
    assert halved["field"] < with_all["field"]  # the mean's denominator has a constant part
    assert halved["inside"] == with_all["inside"]
