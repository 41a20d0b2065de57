"""Masks in millimetres: largest parts, and discs that scikit-image's isotropic morphology agrees with."""

import numpy as np
import pytest
from skimage.morphology import isotropic_closing, isotropic_dilation, isotropic_erosion, isotropic_opening

from MidlineShiftLogic.masks import (
    close_slices,
    dilate_slices,
    disc,
    erode_slices,
    largest_component,
    longest_run,
    open_slices,
)

SPACING = (2.1, 1.4)


@pytest.fixture
def mask():
    rng = np.random.default_rng(1)
    blobs = np.zeros((3, 60, 70), bool)
    for _ in range(40):
        k, row, column = rng.integers(3), rng.integers(60), rng.integers(70)
        blobs[k, max(0, row - 4) : row + 5, max(0, column - 6) : column + 6] = True
    return blobs


@pytest.mark.parametrize("radius", [1.0, 3.0, 4.0, 6.0, 9.0])
def test_the_discs_agree_with_scikit_image(mask, radius):
    reach = radius + np.mean(SPACING) / 2
    of_theirs = {
        erode_slices: isotropic_erosion,
        dilate_slices: isotropic_dilation,
        open_slices: isotropic_opening,
    }
    for ours, theirs in of_theirs.items():
        wanted = np.stack([theirs(one, reach, spacing=SPACING) for one in mask])
        assert np.array_equal(ours(mask, radius, SPACING), wanted), ours.__name__
    wide = np.pad(mask, ((0, 0), (20, 20), (20, 20)))
    wanted = np.stack([isotropic_closing(one, reach, spacing=SPACING) for one in wide])[:, 20:-20, 20:-20]
    assert np.array_equal(close_slices(mask, radius, SPACING), wanted)


def test_a_disc_is_as_wide_along_diagonals_as_along_the_axes():
    (one,) = disc(6.0, (1.0, 1.0))
    row, column = np.nonzero(one)
    far = np.hypot(row - one.shape[0] // 2, column - one.shape[1] // 2)
    assert far.max() <= 6.5 and one.shape == (13, 13)
    assert one[2, 2] and not one[1, 1], "a diamond would end at 4.2 along the diagonal"


def test_the_pictures_edge_takes_nothing_away():
    assert erode_slices(np.ones((1, 9, 9), bool), 3.0, (1.0, 1.0)).all()


def test_the_largest_part_is_kept():
    parts = np.zeros((6, 8), bool)
    parts[0, :3] = parts[2:5, 4:6] = True
    parts[5, 6] = True  # touches the largest by a corner only
    kept = largest_component(parts)
    assert kept.sum() == 6 and kept[2:5, 4:6].all()
    assert not largest_component(np.zeros((3, 3), bool)).any()
    tied = np.array([[1, 0, 1]], bool)
    assert largest_component(tied).tolist() == [[True, False, False]]


@pytest.mark.parametrize("corners", [False, True])
def test_the_largest_part_is_that_of_scikit_image(mask, corners):
    from skimage import measure

    scattered = mask[0] ^ (np.random.default_rng(2).random(mask[0].shape) < 0.3)
    parts = measure.regionprops(measure.label(scattered, connectivity=2 if corners else 1))
    largest = max(parts, key=lambda one: one.area)
    kept = largest_component(scattered, corners)
    assert kept.sum() == largest.area
    assert np.array_equal(np.argwhere(kept), largest.coords)


def test_the_longest_run():
    assert longest_run([1, 0, 1, 1, 0, 1, 1]).tolist() == [2, 3]
    assert longest_run([0, 0]).tolist() == []
