"""Sampling and inversion: exact where they should be, and the same for torch and numpy."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from MidlineShiftLogic.geometry.inversion import invert_displacement
from MidlineShiftLogic.geometry.lines import half_grid
from MidlineShiftLogic.geometry.resampling import sample, sample_half_grid


def unit(pixel, size, edges=False):
    return (2 * pixel + 1) / size - 1 if edges else 2 * pixel / (size - 1) - 1


@pytest.mark.parametrize("edges", [False, True])
def test_a_pixels_centre_gives_its_value(edges):
    image = torch.arange(20.0).view(1, 1, 4, 5)
    row, column = 2, 3
    at = torch.tensor([unit(column, 5, edges), unit(row, 4, edges)]).view(1, 1, 1, 2)
    assert sample(image, at, edges=edges).item() == pytest.approx(13.0, abs=1e-4)
    half = torch.tensor([unit(column + 0.5, 5, edges), unit(row, 4, edges)]).view(1, 1, 1, 2)
    assert sample(image, half, edges=edges).item() == pytest.approx(13.5, abs=1e-4)


def test_outside_are_zeros_or_the_edge():
    image = torch.ones(1, 1, 4, 4)
    far = torch.full((1, 1, 1, 2), 3.0)
    assert sample(image, far).item() == 0 and sample(image, far, padding="border").item() == 1


def test_the_half_grid_is_sampled_in_frame_pixels_from_the_middle():
    axis = half_grid(16)
    x, y = np.meshgrid(axis, axis)
    points = np.array([[[0.5, -3.0], [2.0, 6.9]]])
    assert sample_half_grid(3 * x - y, points, 16) == pytest.approx(3 * points[..., 0] - points[..., 1])
    assert sample_half_grid(x, np.array([[100.0, 0.0]]), 16) == pytest.approx(axis[-1])


def bump(slope):
    """(1, 40) displacement along a line whose steepest slope is ``slope``."""
    x = np.arange(40.0)
    return (slope * 4 * np.exp(-(((x - 20) / 8) ** 2)))[None]


def looked_up(field):
    def look(inverse, members):
        nodes = np.arange(field.shape[1]) + inverse
        return np.stack(
            [np.interp(at, np.arange(field.shape[1]), field[k]) for at, k in zip(nodes, members, strict=True)]
        )

    return look


def test_the_inverse_undoes_the_field():
    field = bump(0.8)
    inverse = invert_displacement(looked_up(field), np.zeros_like(field), iterations=40)
    assert looked_up(field)(inverse, [0]) + inverse == pytest.approx(0, abs=1e-6)


def test_damping_inverts_what_stretches_too_much_for_the_plain_iteration():
    field = bump(-4.0)  # |gradient| up to 1.7
    undamped = invert_displacement(looked_up(field), -field, iterations=80)
    damped = invert_displacement(looked_up(field), -field, iterations=80, damping=0.5, tolerance=0.001)
    assert np.abs(looked_up(field)(damped, [0]) + damped).max() < 0.01
    assert np.abs(looked_up(field)(undamped, [0]) + undamped).max() > 0.1


def test_a_field_that_is_inverted_is_left_alone():
    fields = np.concatenate([0 * bump(1), bump(0.8)])
    asked = []

    def look(inverse, members):
        asked.append(tuple(members))
        return looked_up(fields)(inverse, members)

    start = -fields
    invert_displacement(look, start, iterations=60, damping=0.9, tolerance=1e-4)
    assert asked[0] == (0, 1) and asked[1] == (1,) and len(asked) < 60
    assert (start == -fields).all(), "the first guess is not changed"


def test_torch_and_numpy_agree():
    field = bump(0.8)[:, None].repeat(3, 1)

    def of_torch(inverse, members):
        nodes = torch.stack([torch.arange(3.0)[:, None].expand(3, 40), torch.arange(40.0) + inverse[0]]).numpy()
        return torch.from_numpy(ndimage.map_coordinates(field[0], nodes, order=1, mode="nearest"))[None]

    found = invert_displacement(of_torch, torch.zeros(1, 3, 40, dtype=torch.float64), iterations=20)
    wanted = invert_displacement(looked_up(field[:, 0]), np.zeros((1, 40)), iterations=20)
    assert found[0, 1].numpy() == pytest.approx(wanted[0], abs=1e-6)
