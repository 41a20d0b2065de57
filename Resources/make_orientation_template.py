"""Fit the template by which a scan's front and top are recognised (MidlineShiftLogic/headct/orientation.py).

    python Resources/make_orientation_template.py SCAN_OR_FOLDER_OF_PHANTOMS ...

The template in the package was fitted to the 53 scans of CT-ICH 1.0.0 (Hssayeni et al., CC BY 4.0) that models are
trained on, and to 60 phantoms (``midlineshift-train phantoms --seed 11``). Of each head the whole scan counts, and what is
left of it without the base, the vertex or both. Ridge regression: an intact head scores 1 more than a turned one.
"""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from midlineshift_training.datasets.phantoms.files import phantom_files, phantom_scan
from MidlineShiftLogic.headct import HeadCT, read
from MidlineShiftLogic.headct.head_shape import HeadShape, head_shape
from MidlineShiftLogic.headct.orientation import TEMPLATE, density_grids

RIDGE = 3.0
"""Times the mean square of the differences; chosen by leaving out a quarter of the scans."""

CUT_SLICES, MIN_SLICES = 3, 12


def scans(paths: list[str]) -> Iterator[HeadCT]:
    """Load files as scans and folders as phantoms."""
    for path in map(Path, paths):
        if path.is_dir():
            yield from (phantom_scan(file)[0] for file in phantom_files(path))
        else:
            yield read(path)


def parts(shape: HeadShape, n: int) -> Iterator[slice]:
    """Yield the whole scan and parts of it that lack the base or the vertex."""
    first, last = shape.brain_slices[[0, -1]]
    yield slice(0, n)
    yield slice(first + 1, n)
    yield slice(0, min(last + 2, n))
    if last - first > MIN_SLICES:
        yield slice(first + CUT_SLICES, n)
        yield slice(0, last - 2)


def differences(ct: HeadCT) -> Iterator[np.ndarray]:
    """Yield (3, features): a head less the same head turned in three ways, for each part of the scan."""
    shape = head_shape(ct)
    for part in parts(shape, ct.n_slices):
        cut = replace(shape, hu=shape.hu[part], head=shape.head[part], brain=shape.brain[part])
        grids = density_grids(ct.heights[part], cut).reshape(4, -1)
        yield grids[:1] - grids[1:]


def fit(samples: np.ndarray) -> np.ndarray:
    """Solve the ridge regression of ones on ``samples`` (sample, feature) in its dual form."""
    gram = samples @ samples.T
    size = len(gram)
    return samples.T @ np.linalg.solve(gram + RIDGE * np.trace(gram) / size * np.eye(size), np.ones(size))


if __name__ == "__main__":
    grids = np.concatenate([difference for ct in scans(sys.argv[1:]) for difference in differences(ct)])
    template = fit(grids)
    np.save(TEMPLATE, template.astype(np.float16))
    print(f"{TEMPLATE}: {len(grids)} differences of {grids.shape[1]} densities")
