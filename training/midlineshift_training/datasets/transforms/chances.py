"""MONAI transforms put together so that a slice costs only what is done to it.

``monai.transforms.Compose`` calls every transform, looks at the image even where chance says that nothing is to be done,
and seeds a random state of its own for each: on slices of 128 pixels that is a third of the time. Here the chances of all
transforms are drawn at once, those that are not chosen are not called, and all share one random state.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import compress

import monai.transforms as mt
import numpy as np
import torch
from monai.transforms.transform import Randomizable, Transform

_MAX_SEED = 2**31 - 1


class ByChance(Randomizable, Transform):
    """Apply each transform with a probability of its own, in their order.

    Args:
        choices: (probability, transform); random transforms among them are to be made with ``prob=1``.
    """

    def __init__(self, *choices: tuple[float, Transform]):
        self.chances = np.array([chance for chance, _ in choices])
        self.transforms = [transform for _, transform in choices]

    def set_random_state(self, seed: int | None = None, state: np.random.RandomState | None = None) -> ByChance:
        """Seed all transforms: they draw from one random state, one after another.

        Args:
            seed: of a new state. state: to draw from, in place of a new one.
        """
        # numpy's default generator takes 0.1 ms to seed, this one 0.007
        super().set_random_state(state=state or np.random.RandomState(np.random.SFC64(seed)))
        for transform in self.transforms:
            share_state(transform, self.R)
        return self

    def randomize(self, data=None) -> None:
        """Draw which transforms are to be applied."""
        self.chosen = self.R.random_sample(len(self.transforms)) < self.chances

    def __call__(self, data):
        """Return the dict after the transforms that chance chose."""
        self.randomize()
        for transform in compress(self.transforms, self.chosen):
            data = transform(data)
        return data


def share_state(transform: Transform, state: np.random.RandomState) -> None:
    """Let a transform, and all that are composed in it, draw from one random state.

    ``Compose.set_random_state`` would seed a new state for each of its transforms.
    """
    if isinstance(transform, mt.Compose):
        transform.R = state
        for one in transform.transforms:
            share_state(one, state)
    elif isinstance(transform, Randomizable):
        transform.set_random_state(state=state)


class RandNoised(mt.RandGaussianNoised):
    """MONAI's Gaussian noise, drawn by torch: a fifth of the time of numpy's legacy numbers in double precision.

    Args:
        keys: of the images. std: largest spread; a slice's own is drawn from 0 to it. prob: chance of the transform.
        strong: probability of another largest spread, and that spread.
    """

    def __init__(self, keys: str, std: float, prob: float = 1.0, strong: tuple[float, float] = (0.0, 0.0)):
        super().__init__(keys, prob=prob)
        self.rand_gaussian_noise = _TorchNoise(std, *strong)


class _TorchNoise(mt.RandGaussianNoise):
    """``RandGaussianNoise`` whose numbers are torch's, seeded by its random state."""

    def __init__(self, std: float, strong_share: float, strong_std: float):
        super().__init__(prob=1.0, std=std)
        self.strong_share, self.strong_std = strong_share, strong_std

    def randomize(self, img, mean=None) -> None:
        """Draw spread and noise."""
        self._do_transform = True
        choice, share = self.R.random_sample(2)
        spread = share * (self.strong_std if choice < self.strong_share else self.std)
        g = torch.Generator().manual_seed(int(self.R.randint(_MAX_SEED)))
        self.noise = torch.randn(img.shape, generator=g).mul_(spread)


class RandUnsharpd(mt.RandGaussianSmoothd):
    """Add to an image a share of what MONAI's Gaussian filter takes away: ``RandGaussianSharpend`` with half its filters.

    Args:
        keys: of the images. sigma: least and largest spread of the filter, pixels. alpha: least and largest share.
    """

    def __init__(self, keys: str, sigma: tuple[float, float], alpha: tuple[float, float]):
        super().__init__(keys, sigma_x=sigma, sigma_y=sigma, prob=1.0)
        self.alpha = alpha

    def __call__(self, data):
        """Return the dict with its images sharpened."""
        smooth, share = super().__call__(data), self.R.uniform(*self.alpha)
        for key in self.key_iterator(smooth):
            smooth[key] = torch.lerp(data[key], smooth[key], -share)
        return smooth


class RandQuickBiasFieldd(mt.RandBiasFieldd):
    """MONAI's bias field in single precision, its Legendre polynomials evaluated once for each size: a fifth of the time."""

    def __init__(self, keys: str, degree: int, coeff_range: tuple[float, float], prob: float = 1.0):
        super().__init__(keys, degree, coeff_range, prob=prob)
        self.rand_bias_field = _QuickBiasField(degree, coeff_range, prob=1.0)


class _QuickBiasField(mt.RandBiasField):
    """``RandBiasField`` for pictures (1, H, W)."""

    def __call__(self, img, randomize=True):
        """Return the image times the field."""
        if randomize:
            self.randomize(img.shape[1:])
        weights = torch.zeros(self.degree + 1, self.degree + 1)
        weights[tuple(torch.tril_indices(self.degree + 1, self.degree + 1))] = torch.tensor(self._coeff)
        rows, columns = (_polynomials(size, self.degree) for size in img.shape[1:])
        return img * torch.exp(rows @ weights @ columns.T)


@lru_cache(maxsize=8)
def _polynomials(size: int, degree: int) -> torch.Tensor:
    """Return (size, degree + 1) Legendre polynomials at places from -1 to 1."""
    return torch.from_numpy(np.polynomial.legendre.legvander(np.linspace(-1.0, 1.0, size), degree)).float()
