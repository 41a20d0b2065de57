"""The anatomy that every phantom starts from: two brains, one head, in MNI millimetres (RAS+, midsagittal plane x = 0)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy import ndimage

MODEL_FILE = Path(__file__).with_name("tissue_model.npz")
_HU_KNOTS = np.array([-1024.0, -200.0, 200.0, 1816.0])  # fine steps where soft tissue is, coarse in air and bone
_CODE_KNOTS = np.array([0.0, 40.0, 140.0, 255.0])


@dataclass(frozen=True)
class Grid:
    """Regular lattice in template mm: node (i, j, k) is at origin + spacing * (i, j, k)."""

    origin: tuple[float, float, float]
    spacing: float
    shape: tuple[int, int, int]

    def axes(self) -> list[np.ndarray]:
        """Return three 1-D float32 arrays of node positions, mm."""
        return [
            np.arange(n, dtype=np.float32) * np.float32(self.spacing) + np.float32(o)
            for n, o in zip(self.shape, self.origin, strict=True)
        ]

    def coordinates(self) -> list[np.ndarray]:
        """Return x, y, z, each of the grid's shape (float32 mm)."""
        return list(np.meshgrid(*self.axes(), indexing="ij"))


BRAIN = Grid((-78.0, -114.0, -80.0), 1.0, (157, 195, 167))
HEAD = Grid((-100.0, -136.0, -80.0), 1.0, (201, 245, 193))
SKULL = Grid((-114.0, -146.0, -80.0), 1.0, (229, 263, 193))  # HEAD with room for a swollen scalp


def encode_hu(hu: np.ndarray) -> np.ndarray:
    """Encode HU as uint8, 4 HU a step between -200 and 200."""
    return np.round(np.interp(hu, _HU_KNOTS, _CODE_KNOTS)).astype(np.uint8)


def decode_hu(code: np.ndarray) -> np.ndarray:
    """Decode uint8 to HU, float32."""
    table = np.interp(np.arange(256), _CODE_KNOTS, _HU_KNOTS).astype(np.float32)
    return table[code]


@dataclass(frozen=True)
class TissueModel:
    """Decoded tissue model.

    Attributes:
        grey, white: (2, *BRAIN.shape) float32 fractions; the rest is CSF.
        ventricles: (2, *BRAIN.shape) float32, 1 inside the lateral and third ventricles.
        depth: HEAD.shape float32 mm, signed distance to the inner table, positive inside.
        base: HEAD.shape float32 HU of everything outside the inner table.
    """

    grey: np.ndarray
    white: np.ndarray
    ventricles: np.ndarray
    depth: np.ndarray
    base: np.ndarray


@lru_cache(maxsize=1)
def load(path: Path = MODEL_FILE) -> TissueModel:
    """Read the tissue model; once a process."""
    with np.load(path) as stored:
        brains = stored["brains"]
        bits = np.unpackbits(stored["ventricles"], axis=1)
        coarse = stored["depth"].astype(np.float32) / 2
        base = decode_hu(stored["base"])
    count = int(np.prod(BRAIN.shape))
    ratio = [(n - 1) / (m - 1) for n, m in zip(coarse.shape, HEAD.shape, strict=True)]
    depth = ndimage.affine_transform(coarse, np.diag(ratio), output_shape=HEAD.shape, order=1, mode="nearest")
    return TissueModel(
        grey=(brains & 15).astype(np.float32) / 15,
        white=(brains >> 4).astype(np.float32) / 15,
        ventricles=bits[:, :count].reshape(2, *BRAIN.shape).astype(np.float32),
        depth=depth,
        base=base,
    )
