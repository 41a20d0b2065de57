"""The diffusion and deformation losses equal the authors' recorded values; where theirs erred, the mended form."""

import numpy as np
import pytest
import torch
from authors_fill import filled

from midlineshift_training.losses import deformation_loss as losses
from midlineshift_training.losses.diffusion_loss import diffusion_loss
from MidlineShiftLogic.networks import diffusion
from MidlineShiftLogic.networks.denoiser import Denoiser


@pytest.fixture(scope="module")
def reference(shared_data):
    found = {}
    for name in ("authors_forward.npz", "authors_losses.npz"):
        with np.load(shared_data / "reference" / name) as archive:
            found |= {key: torch.from_numpy(archive[key]) for key in archive.files}
    return found


@pytest.fixture(scope="module")
def conditional():
    return filled(Denoiser(base_channels=32, residual_blocks=1, head_channels=16), "con.")


STEPS = [(10, 700), (0, 999)]


@pytest.mark.parametrize("steps", STEPS)
def test_diffusion_loss(reference, conditional, steps):
    with torch.no_grad():
        loss = diffusion_loss(conditional, diffusion.linear(), reference["x"], torch.tensor(steps), reference["noise"])
    for name, value in (("mse", loss.mse), ("vb", loss.vb), ("loss", loss.total)):
        assert torch.allclose(value, reference[f"diffusion_{name}_t{steps[0]}_{steps[1]}"], atol=1e-4), name


def test_the_variational_bound_teaches_the_variance_only():
    channels = torch.randn(2, 2, 4, 4, requires_grad=True)
    x0 = torch.rand(2, 1, 4, 4) * 2 - 1
    loss = diffusion_loss(lambda xt, t: channels, diffusion.linear(), x0, torch.tensor([0, 400]), torch.randn_like(x0))
    loss.vb.sum().backward(retain_graph=True)
    assert channels.grad[:, 0].abs().max() == 0
    assert channels.grad[:, 1].abs().max() > 0


def test_deformation_losses(reference):
    field = reference["field_rc"]
    expected = {
        "smooth_loss": losses.smoothness_loss(field),
        "landmark_loss_align_corners_true": losses.landmark_loss(field, reference["landmarks_xy"]),
        "hinge_loss_per_field": losses.hinge_loss(field, reference["hinge_labels"]),
        "image_loss": losses.image_loss(reference["x"], reference["pseudo_healthy_from3"], field, reference["mask"]),
    }
    for name, value in expected.items():
        assert torch.allclose(value, reference[name], atol=1e-5), name
    smooth = losses.smoothness_loss(reference["displacement_rc"])
    assert torch.allclose(smooth, reference["smooth"], atol=1e-6)


def test_the_landmark_loss_of_their_code_is_ours_half_a_pixel_off(reference):
    """Theirs samples without align_corners: at p W / (W - 1) - 1/2 instead of p; nothing else is different."""
    field, theirs = reference["field_rc"], reference["landmarks_xy"].clone()
    size = field.shape[-1]
    wished = theirs[:, 3] - theirs[:, 2]
    theirs[:, :3] = theirs[:, :3] * size / (size - 1) - 0.5
    theirs[:, 3] = theirs[:, 2] + wished
    assert torch.allclose(
        losses.landmark_loss(field, theirs), reference["landmark_loss_align_corners_false"], atol=1e-5
    )


def test_every_recorded_term_is_compared(reference, shared_data):
    with np.load(shared_data / "reference" / "authors_losses.npz") as archive:
        names = set(archive.files)
    steps = {f"diffusion_{name}_t{a}_{b}" for name in ("mse", "vb", "loss") for a, b in STEPS}
    terms = {"smooth_loss", "hinge_loss_per_field", "image_loss"} | {
        f"landmark_loss_align_corners_{name}" for name in ("true", "false")
    }
    assert names == steps | terms | {"field_rc", "landmarks_xy", "hinge_labels", "mask"}


def test_unlabelled_slices_contribute_nothing():
    field = torch.randn(2, 2, 16, 16, requires_grad=True)
    landmarks = torch.tensor([[[8.0, 1], [8, 14], [10, 7], [8, 7]]] * 2)
    landmarks[1, 2] = torch.nan
    loss = losses.landmark_loss(field, landmarks)
    loss.sum().backward()
    assert loss[0] > 0
    assert loss[1] == 0
    assert torch.isfinite(field.grad).all()
    assert field.grad[1].abs().max() == 0


def test_the_wished_field_has_no_hinge_and_the_least_landmark_loss():
    field = torch.zeros(1, 2, 16, 16)
    field[0, 1, 7, 10] = -2.0
    landmarks = torch.tensor([[[8.0, 1], [8, 14], [10, 7], [8, 7]]])
    assert losses.landmark_loss(field, landmarks).item() == pytest.approx(1.5)  # 9 / 6, the constant of the near form
    assert losses.hinge_loss(field, torch.tensor([2.0])).item() == pytest.approx(0)


def test_hinge_of_an_unmoved_slice_has_a_finite_gradient():
    field = torch.zeros(1, 2, 4, 4, requires_grad=True)
    losses.hinge_loss(field, torch.tensor([0.0])).backward()
    assert torch.isfinite(field.grad).all()


def test_a_case_without_label_is_not_held_to_any():
    assert losses.hinge_loss(torch.full((1, 2, 4, 4), 9.0), torch.tensor([torch.nan])).item() == 0


def test_sampling_is_exact_at_pixel_centres():
    field = torch.rand(1, 2, 6, 9)
    points = torch.tensor([[[0.0, 0.0], [5.0, 8.0], [2.0, 3.0]]])
    expected = torch.stack([field[0, :, 0, 0], field[0, :, 5, 8], field[0, :, 2, 3]])
    assert torch.allclose(losses.sample(field, points)[0], expected, atol=1e-5)
