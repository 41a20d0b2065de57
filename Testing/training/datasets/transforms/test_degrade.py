"""Degradations are seeded, keep what they must keep, and each does what its name says."""

import pytest
import torch

from midlineshift_training.datasets.transforms.anatomy import (
    IMAGE,
    INSIDE,
    RandClotsd,
    RandFieldOfViewd,
    RandMissingBoned,
    RandObjectsd,
    RandThinBoned,
)
from midlineshift_training.datasets.transforms.degrade import InsideSkulld, OnSoftTissued, degrade, hard_augmentation


def head(size):
    """(1, size, size) HU: brain, skull and air; (1, size, size) inside."""
    axis = (torch.arange(float(size)) - (size - 1) / 2) * 128 / size
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    radius = torch.hypot(x / 42, y / 52)[None]
    hu = torch.where(radius < 1, 32.0, torch.where(radius < 1.1, 900.0, -1000.0))
    return hu, radius < 1


def degraded(seed, size=128, count=4):
    hu, inside = head(size)
    half = torch.nn.functional.avg_pool2d(inside.float(), size // 64)
    return degrade(hu.expand(count, -1, -1), half.expand(count, -1, -1).round(), torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", [128, 256])
def test_a_batch_depends_on_its_seed_alone(size):
    first = degraded(1, size)
    assert first.shape == (4, size, size) and torch.isfinite(first).all()
    degraded(2, size)
    assert torch.equal(degraded(1, size), first)
    assert not torch.equal(degraded(2, size), first)
    assert not torch.equal(first[0], first[1]), "each slice is degraded in its own way"


def test_global_settings_of_monai_stay_as_they_were():
    from monai.data import get_track_meta

    before = get_track_meta()
    degraded(0)
    assert get_track_meta() is before


def test_tone_acts_on_soft_tissue_only():
    hu, inside = head(128)
    (tone,) = [one for one in hard_augmentation(1).transforms if type(one) is OnSoftTissued]
    tone.set_random_state(3)
    changed = tone({IMAGE: hu, INSIDE: inside})[IMAGE]
    assert torch.equal(changed[~inside], hu[~inside])
    assert 1 < float((changed - hu)[inside].abs().mean()) < 40


def test_spots_stay_inside_the_skull():
    hu, inside = head(128)
    (spots,) = [one for one in hard_augmentation(1).transforms if type(one) is InsideSkulld]
    hit = 0
    for seed in range(20):
        spots.set_random_state(seed)
        changed = spots({IMAGE: hu, INSIDE: inside})[IMAGE]
        assert torch.equal(changed[~inside], hu[~inside])
        hit += not torch.equal(changed, hu)
    assert 0 < hit < 15


@pytest.mark.parametrize(
    ("transform", "where"),
    [
        (RandClotsd, "inside"),
        (RandObjectsd, "outside"),
        (RandMissingBoned, "bone"),
        (RandThinBoned, "bone"),
        (RandFieldOfViewd, "anywhere"),
    ],
)
def test_each_draws_where_it_should(transform, where):
    hu, inside = head(128)
    places = {"inside": inside, "outside": ~inside & (hu < 800), "bone": hu > 800, "anywhere": torch.ones_like(inside)}
    always = transform(prob=1.0).set_random_state(5)
    changed = always({IMAGE: hu, INSIDE: inside, "times": 1})[IMAGE]
    different = (changed - hu).abs() > 1
    assert different.any() and not (different & ~places[where]).any()
    never = transform(prob=0.0).set_random_state(5)
    assert torch.equal(never({IMAGE: hu, INSIDE: inside})[IMAGE], hu)
