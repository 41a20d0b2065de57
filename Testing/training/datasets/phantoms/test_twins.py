"""The unshifted twin of a phantom: nothing pushed, fluid spaces open or as empty, the same scanner with or without noise."""

from types import SimpleNamespace

import numpy as np
import torch

from midlineshift_training.datasets.phantoms import acquisition
from midlineshift_training.datasets.phantoms.lesions.model import Lesions
from midlineshift_training.datasets.phantoms.twins import without_shift


def test_a_twin_is_pushed_nowhere_and_open_or_as_empty():
    lesions = Lesions(["bleed"], backward=torch.ones(3, 2, 2, 2), trapped=True, squeeze={-1: 0.2, 1: 0.9})
    opened, straight = without_shift(lesions), without_shift(lesions, opened=False)
    assert not opened.backward.any() and not straight.backward.any()
    assert (opened.trapped, opened.squeeze) == (False, {-1: 0.0, 1: 0.0})
    assert (straight.trapped, straight.squeeze) == (True, {-1: 0.2, 1: 0.9})
    assert lesions.backward.all() and lesions.squeeze[1] == 0.9, "the case itself is as it was"


def test_without_noise_all_else_is_the_same():
    hu, depth = np.full((2, 256, 256), -1000, np.float32), np.full((2, 256, 256), -9, np.float32)
    hu[:, 60:200, 60:200], depth[:, 60:200, 60:200] = 40, 9
    draws = [np.random.default_rng(3) for _ in range(2)]
    scan = SimpleNamespace(pixel_mm=0.5)
    (noisy, settings), (clean, same) = (
        acquisition.acquire(rng, hu, depth, scan, low_dose=False, noise=noise)
        for rng, noise in zip(draws, (True, False), strict=True)
    )
    assert settings == same and draws[0].random() == draws[1].random()
    middle = np.s_[:, 100:160, 100:160]
    assert clean[middle].std() < 0.6 < 0.7 * settings["noise_sd"] < noisy[middle].std()
    assert abs(float(noisy[middle].mean()) - float(clean[middle].mean())) < 0.5
