"""Write and read ``fields.npz``: the dense results of a case, for programs such as the Slicer panel."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.inference.dense_arrays import DenseScan, DenseSlice, DenseVolume


def write_fields(path: Path, dense: DenseScan) -> None:
    """Write ``warped_hu`` (slice, row, column), whole HU, and ``displacement_mm`` (slice, 2, row, column) uncompressed."""
    warped = np.clip(np.rint(dense.warped_hu), -32768, 32767).astype(np.int16)
    np.savez(path, warped_hu=warped, displacement_mm=np.asarray(dense.displacement_mm, np.float16))


def read_fields(path: Path) -> DenseVolume:
    """Read what ``write_fields`` wrote.

    Raises:
        InputError: the file is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            return DenseVolume(stored["warped_hu"].astype(np.float32), stored["displacement_mm"])
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise InputError(
            f"The displacement fields in {path} cannot be read ({error}); measure again.", "fields"
        ) from None


def write_slice_fields(path: Path, index: int, warped_hu: np.ndarray, displacement_mm: np.ndarray) -> None:
    """Write the dense result of one slice: ``warped_hu`` (row, column), ``displacement_mm`` (2, row, column)."""
    np.savez(path, index=index, warped_hu=warped_hu, displacement_mm=displacement_mm)


def read_slice_fields(path: Path) -> DenseSlice:
    """Read what ``write_slice_fields`` wrote: what pictures of that slice need.

    Raises:
        InputError: the file is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            index = int(stored["index"])
            return DenseSlice({index: stored["warped_hu"]}, {index: stored["displacement_mm"]})
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise InputError(f"The displacement in {path} cannot be read ({error}).", "fields") from None
