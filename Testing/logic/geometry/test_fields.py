import pytest
import torch

from MidlineShiftLogic.geometry import fields


def smooth_field(height=48, width=64, amplitude=3.0):
    """One smooth hump, falling to zero at the edges."""
    rows = torch.sin(torch.linspace(0, torch.pi, height))[:, None] ** 2
    columns = torch.sin(torch.linspace(0, torch.pi, width))[None] ** 2
    hump = amplitude * rows * columns
    return torch.stack([0.5 * hump, -hump])[None]


def compose(outer, inner):
    """Compose two fields to that of p -> outer(inner(p)); beyond the edge the outer one goes on unchanged."""
    return inner + fields.warp(outer, inner, border=True)


def interior(x):
    return x[..., 4:-4, 4:-4]


def test_warp_by_zero_is_exact():
    image = torch.rand(2, 3, 9, 12)
    assert torch.allclose(fields.warp(image, torch.zeros(2, 2, 9, 12)), image, atol=1e-6)


@pytest.mark.parametrize("border", [False, True])
def test_warp_by_whole_pixels_looks_up_p_plus_u(border):
    image = torch.rand(1, 1, 9, 12)
    displacement = torch.zeros(1, 2, 9, 12)
    displacement[:, 0], displacement[:, 1] = 2, -3
    warped = fields.warp(image, displacement, border)
    assert torch.allclose(warped[..., :-2, 3:], image[..., 2:, :-3], atol=1e-5)
    outside = image[..., -1:, :-3].expand(1, 1, 2, 9) if border else torch.zeros(1, 1, 2, 9)
    assert torch.allclose(warped[..., -2:, 3:], outside, atol=1e-5)


def test_integrating_a_constant_velocity_moves_by_it():
    velocity = torch.zeros(1, 2, 32, 32)
    velocity[:, 1] = 2.0
    displacement = fields.integrate(velocity)
    assert torch.allclose(displacement[..., 4:-4, 4:-4], velocity[..., 4:-4, 4:-4], atol=1e-3)


def test_opposite_velocities_are_inverse():
    velocity = smooth_field()
    both = compose(fields.integrate(velocity), fields.integrate(-velocity))
    assert interior(both).abs().max() < 0.02


def test_inverse_composes_to_the_identity_both_ways():
    displacement = fields.integrate(smooth_field(amplitude=5.0))
    inverse = fields.invert(displacement)
    assert compose(displacement, inverse).abs().max() < 1e-4
    assert compose(inverse, displacement).abs().max() < 0.05


def test_a_midline_pushed_left_has_negative_column_displacement():
    """u points from where tissue is to where it would be: x(p) = x_normal(p + u(p))."""
    normal = torch.zeros(1, 1, 16, 17)
    normal[..., 8] = 1
    displacement = torch.zeros(1, 2, 16, 17)
    displacement[:, 1] = -3
    assert fields.warp(normal, displacement)[0, 0, 5].argmax() == 11
