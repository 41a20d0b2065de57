"""Slices sampled one at a time are those that torch's own pair of functions gives."""

import torch
from torch.nn import functional

from midlineshift_training.datasets.transforms.affine import resample_affine
from midlineshift_training.datasets.transforms.frame_variation import AffineVariation, draw_affine


def test_it_gives_what_affine_grid_and_grid_sample_give():
    g = torch.Generator().manual_seed(1)
    images = torch.randn(5, 2, 24, 36, generator=g)
    transform = draw_affine(5, AffineVariation(0.5, 40.0, 0.2, 5.0), 24, g)
    points = functional.affine_grid(transform, list(images.shape), align_corners=False)
    wanted = functional.grid_sample(images, points, align_corners=False)
    assert torch.allclose(resample_affine(images, transform), wanted, atol=1e-4)


def test_a_mirror_mirrors():
    image = torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(2))
    flip = torch.tensor([[[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    assert torch.allclose(resample_affine(image, flip), image.flip(-1), atol=1e-5)
