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
from midlineshift_training.datasets.transforms.chances import (
    ByChance,
    RandNoised,
    RandQuickBiasFieldd,
    RandUnsharpd,
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
    (choice,) = [
        choice
        for choice in zip(hard_augmentation(1).chances, hard_augmentation(1).transforms, strict=True)
        if type(choice[1]) is InsideSkulld
    ]
    hit, spots = 0, ByChance(choice)
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


def test_what_chance_does_not_choose_is_not_called():
    called = []

    def note(name):
        def transform(data):
            called.append(name)
            return data

        return transform

    both = ByChance((0.25, note("seldom")), (1.0, note("always")), (0.0, note("never"))).set_random_state(1)
    for _ in range(400):
        both({})
    assert called.count("always") == 400 and 60 < called.count("seldom") < 140 and "never" not in called


def test_the_quick_bias_field_is_that_of_monai():
    from monai.transforms import RandBiasField

    image = torch.full((1, 40, 56), 30.0)
    ours, theirs = RandQuickBiasFieldd(IMAGE, 3, (-0.5, 0.5)), RandBiasField(3, (-0.5, 0.5), prob=1.0)
    ours.set_random_state(4)
    changed = ours({IMAGE: image})[IMAGE]
    theirs._coeff, theirs._do_transform = ours.rand_bias_field._coeff, True
    assert (changed - torch.as_tensor(theirs(image, randomize=False))).abs().max() < 1e-4
    assert (changed - image).abs().max() > 5


def test_the_quick_noise_has_the_spread_of_monais():
    flat = torch.zeros(1, 64, 64)
    weak = RandNoised(IMAGE, 4.0).set_random_state(2)
    spreads = torch.tensor([float(weak({IMAGE: flat})[IMAGE].std()) for _ in range(200)])
    assert spreads.max() < 4.3 and abs(float(spreads.mean()) - 2.0) < 0.3
    mixed = RandNoised(IMAGE, 4.0, strong=(0.3, 12.0)).set_random_state(2)
    stronger = torch.tensor([float(mixed({IMAGE: flat})[IMAGE].std()) for _ in range(200)])
    assert 0.1 < float((stronger > 4.3).float().mean()) < 0.3


def test_sharpening_makes_edges_steeper_and_leaves_the_flat():
    image = torch.zeros(1, 32, 32)
    image[..., 16:] = 100.0
    sharp = RandUnsharpd(IMAGE, (1.0, 1.0), (0.5, 0.5)).set_random_state(1)({IMAGE: image})[IMAGE]
    assert sharp[0, 16, 15] < -5 and sharp[0, 16, 16] > 105
    assert torch.allclose(sharp[0, 8:24, 4:8], image[0, 8:24, 4:8], atol=1e-3)


def test_smooth_noise_is_bicubic():
    from midlineshift_training.datasets.transforms.anatomy import bicubic_weights

    coarse = torch.randn(1, 1, 12, 12, generator=torch.Generator().manual_seed(1))
    wanted = torch.nn.functional.interpolate(coarse, size=(96, 96), mode="bicubic", align_corners=False)
    weights = bicubic_weights(12, 96)
    assert torch.allclose(weights @ coarse @ weights.T, wanted, atol=1e-5)


@pytest.mark.parametrize("size", [96, 48, 24, 36])
def test_block_means_are_those_of_torch(size):
    from midlineshift_training.datasets.transforms.pooling import block_means

    images = torch.randn(2, 1, 96, 96, generator=torch.Generator().manual_seed(1))
    assert torch.equal(block_means(images, size), torch.nn.functional.adaptive_avg_pool2d(images, size))
