"""Where MONAI has the same operation, ours gives the same numbers (docs/adr says why ours stays, where it does)."""

import pytest
import torch

from MidlineShiftLogic.geometry.fields import integrate, warp
from MidlineShiftLogic.networks.diffusion import add_noise, linear

pytest.importorskip("monai")


@pytest.fixture(scope="module")
def field():
    """(2, 2, 24, 32) smooth velocity of a few pixels, rows and columns."""
    coarse = torch.randn(2, 2, 4, 5, generator=torch.Generator().manual_seed(0)) * 3
    return torch.nn.functional.interpolate(coarse, (24, 32), mode="bilinear", align_corners=True)


def test_scaling_and_squaring_is_dvf2ddf(field):
    from monai.networks.blocks import DVF2DDF

    assert torch.equal(DVF2DDF(num_steps=7, mode="bilinear", padding_mode="zeros")(field), integrate(field))


def test_warping_is_warp(field):
    from monai.networks.blocks import Warp

    image = torch.randn(2, 1, 24, 32, generator=torch.Generator().manual_seed(1))
    theirs = Warp(mode="bilinear", padding_mode="zeros")(image, field)
    assert torch.allclose(theirs, warp(image, field), atol=1e-6)
    theirs = Warp(mode="bilinear", padding_mode="border")(image, field)
    assert torch.allclose(theirs, warp(image, field, border=True), atol=1e-6)


def test_the_linear_schedule_is_that_of_ddpm():
    from monai.networks.schedulers import DDPMScheduler

    theirs = DDPMScheduler(num_train_timesteps=1000, schedule="linear_beta", beta_start=1e-4, beta_end=0.02)
    ours = linear(1000)
    x, noise = torch.randn(2, 3, 1, 8, 8, generator=torch.Generator().manual_seed(2))
    steps = torch.tensor([0, 300, 999])
    assert torch.allclose(theirs.add_noise(x, noise, steps), add_noise(ours, x, steps, noise).float(), atol=1e-5)
