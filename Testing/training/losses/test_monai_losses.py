"""The optional terms by MONAI: bending energy of a field, local correlation of images."""

import pytest
import torch

from midlineshift_training.losses.deformation_loss import (
    bending_loss,
    compare_images,
    image_loss,
    local_correlation_loss,
    smoothness_loss,
)


def test_bending_is_of_what_is_bent():
    y, x = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    shear = torch.stack([0.3 * x, 0.1 * y])[None]
    bent = torch.stack([0.5 * x**2, torch.zeros_like(x)])[None]
    fields = torch.cat([shear, bent])
    found = bending_loss(fields)
    assert found.shape == (2,)
    assert found[0] == pytest.approx(0, abs=1e-9) and smoothness_loss(shear) > 0
    # second derivative 1 along columns of one of two components
    assert found[1] == pytest.approx(0.5, rel=0.01)


def test_local_correlation_ignores_grey_values_and_sees_structure():
    g = torch.Generator().manual_seed(0)
    x = torch.nn.functional.avg_pool2d(torch.randn(2, 1, 40, 40, generator=g), 5, 1, 2)
    still, mask = torch.zeros(2, 2, 40, 40), torch.zeros(2, 1, 40, 40)
    mask[..., 8:-8, 8:-8] = 1  # MONAI's windows are filled up with zeros at the border
    brighter, moved = 0.5 * x + 0.3, x.roll(4, dims=-1)
    same = local_correlation_loss(x, brighter, still, mask)
    other = local_correlation_loss(x, moved, still, mask)
    assert same.shape == (2,) and (same < 0.02).all() and (other > 0.2).all()
    assert (image_loss(x, brighter, still, mask) > 0.02).all()
    # the field that undoes the move is better than none
    back = still.clone()
    back[:, 1] = 4.0
    assert (local_correlation_loss(x, moved, back, mask) < 0.5 * other).all()
    assert (local_correlation_loss(x, moved, still, 0 * mask) == 0).all()


@pytest.mark.parametrize(("name", "loss"), [("squares", image_loss), ("local correlation", local_correlation_loss)])
def test_the_image_term_is_that_of_the_setting(name, loss):
    g = torch.Generator().manual_seed(1)
    arguments = (*torch.randn(2, 3, 1, 16, 16, generator=g), torch.zeros(3, 2, 16, 16), torch.ones(3, 1, 16, 16))
    assert compare_images(name, *arguments) == pytest.approx(float(loss(*arguments).mean()))
