"""Load a bare ``.npy`` array, which has no geometry of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.canonical import from_volume
from MidlineShiftLogic.headct.stack import AxialStack
from MidlineShiftLogic.headct.stored_values import require_regular_file, require_scan_shape
from MidlineShiftLogic.quality import Quality


def read_npy(path: Path, spacing: tuple[float, float, float] | None) -> AxialStack:
    """Load a (slice, row, column) array of Hounsfield units, taken to be in canonical order (see ``HeadCT``).

    Args:
        path: the file.
        spacing: mm between (slices, rows, columns).

    Raises:
        InputError: no spacing, pickled objects, not three-dimensional, truncated.
    """
    if spacing is None:
        raise InputError(
            f"A .npy file carries no voxel size: give the spacing of {path} in mm as slices, rows, columns "
            "(for example 5 0.5 0.5).",
            "no-spacing",
        )
    steps = np.asarray(spacing, dtype=float)
    if steps.shape != (3,) or not np.isfinite(steps).all() or (steps <= 0).any():
        raise InputError(
            f"The spacing given for {path} must be three positive numbers in mm: slices, rows, columns.", "spacing"
        )
    require_regular_file(path)
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # numpy evaluates the header as a Python literal and raises whatever that leads to
        if "pickle" in str(error) or "object" in str(error).lower():
            raise InputError(
                f"{path} holds Python objects, which are not opened for safety; "
                "save a plain numeric array of Hounsfield units.",
                "npy-objects",
            ) from error
        raise InputError(f"{path} cannot be loaded as a .npy array (incomplete or damaged); write it again.") from error
    require_scan_shape(path, values.shape)
    if values.ndim == 4 and 1 in (values.shape[0], values.shape[3]):
        values = values[0] if values.shape[0] == 1 else values[..., 0]
    if values.ndim == 2:
        values = values[None]
    if values.ndim != 3 or 0 in values.shape or values.dtype.kind not in "iuf":
        raise InputError(
            f"{path} holds a {values.dtype} array of shape {values.shape}; "
            "a (slice, row, column) array of Hounsfield units is needed.",
            "not-a-volume",
        )
    affine = np.zeros((4, 4))
    affine[0, 2], affine[1, 1], affine[2, 0], affine[3, 3] = steps[2], steps[1], steps[0], 1.0
    stack = from_volume(values, affine)
    stack.source.update(
        format="npy", stored_shape=list(values.shape), stored_spacing_mm=[round(float(step), 4) for step in spacing]
    )
    stack.quality.append(
        Quality(
            "npy-order",
            "info",
            "A .npy file does not state its orientation: slices were taken from low to high, rows from front to back, "
            "columns from the patient's right to the left; sides are wrong if it was stored otherwise.",
        )
    )
    return stack
