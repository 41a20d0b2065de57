"""A falx that turns aside behind is followed to where it is attached, not to where the skull is symmetric."""

import numpy as np
import pytest

from midlineshift_training.datasets.unlabelled.falx_trace import ALONG, follow_ridge, trace_falx
from MidlineShiftLogic.headct.headct import HeadCT

PIXEL_MM, LENGTH_MM, TOP_MM = 0.7, 150.0, 20.0
MIDDLE_MM = 90.0


def head(aside_mm, noise_hu: float = 5.0, slices: int = 9) -> HeadCT:
    """An upright elliptic head whose falx is ``aside_mm(fraction)`` to the left of the skull's middle."""
    y, x = np.mgrid[:256, :256] * PIXEL_MM
    along, across = (y - TOP_MM) / LENGTH_MM, x - MIDDLE_MM
    radius = np.hypot(across / 62, (y - TOP_MM - LENGTH_MM / 2) / (LENGTH_MM / 2))
    hu = np.where(radius < 1, 33.0, np.where(radius < 1.1, 900.0, -1000.0))
    falx = (radius < 1) & ((along < 0.3) | (along > 0.62))
    hu += 16 * falx * np.exp(-(((across - aside_mm(along)) / 0.9) ** 2))
    volume = hu + np.random.default_rng(0).normal(0, noise_hu, (slices, *hu.shape))
    return HeadCT(
        hu=volume.astype(np.float32),
        origins=np.stack([np.zeros(slices), np.zeros(slices), np.arange(slices) * 5.0], -1),
        column_axis=np.array([1.0, 0, 0]),
        row_axis=np.array([0, 1.0, 0]),
        pixel_spacing=(PIXEL_MM, PIXEL_MM),
        thickness=np.full(slices, 5.0),
        source={},
    )


def traced(ct: HeadCT, midline: float = 0.0) -> np.ndarray:
    index = np.arange(ct.n_slices)
    start = np.tile([MIDDLE_MM, TOP_MM], (len(index), 1))
    length = np.full(len(index), LENGTH_MM)
    return trace_falx(ct, index, start, length, 0.0, np.full((len(index), len(ALONG)), midline))


def behind(amount):
    return lambda fraction: amount * np.clip((fraction - 0.75) / 0.25, 0, 1) ** 1.5


@pytest.mark.parametrize("amount", [-5.0, 0.0, 5.0])
def test_the_posterior_attachment_is_where_the_falx_ends(amount):
    found = traced(head(behind(amount)))
    assert found[:, -1] == pytest.approx(amount, abs=0.8)
    assert found[:, 0] == pytest.approx(0.0, abs=0.8)


def test_between_the_two_stretches_the_network_is_believed():
    found = traced(head(behind(4.0)), midline=1.5)
    middle = (ALONG > 0.35) & (ALONG < 0.55)
    assert found[:, middle] == pytest.approx(1.5, abs=0.1)


def test_without_a_falx_the_plane_is_kept():
    """Noise alone moves the ends by less than a falx would."""
    found = traced(head(lambda fraction: 1e9, noise_hu=4.0))
    assert np.abs(found[:, [0, -1]]).mean() < 2.5


def test_the_strongest_path_is_found_whatever_one_row_says():
    ridge = np.zeros((40, 21))
    course = (10 + 6 * np.sin(np.arange(40) / 12)).round().astype(int)
    ridge[np.arange(40), course] = 5
    ridge[20] = 0
    ridge[20, 1] = 9  # a spot far away
    path = follow_ridge(ridge, np.zeros(21))
    assert np.abs(path - course).max() <= 1
