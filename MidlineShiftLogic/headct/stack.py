"""Axial slices with their position in the patient whose pixels are not loaded yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from MidlineShiftLogic.headct.frames import Frame
from MidlineShiftLogic.quality import Quality


@dataclass
class AxialStack:
    """Slices in canonical order (see ``HeadCT``) whose pixels are fetched one at a time.

    A thin-slice scan of 600 images is averaged into slabs while it is read, so it is never in memory as floats.

    Attributes:
        plane: slice index -> (row, column) Hounsfield units, any real dtype; called once a slice, in rising order.
        shape: (rows, columns).
        origins: (slice, 3) LPS mm of the centre of pixel (row 0, column 0).
        column_axis: (3,) LPS unit vector of increasing column.
        row_axis: (3,) LPS unit vector of increasing row.
        pixel_spacing: (row spacing, column spacing) in mm.
        thickness: (slice,) mm of tissue each slice averages; NaN where the source gives none.
        source_slices: per slice, the indices in the source it comes from.
        sop_instance_uids: per slice, the DICOM instances it comes from; empty for other formats.
        frames: the DICOM pictures in the order of their places; empty for other formats.
        source: what was read, for ``HeadCT.source``.
        quality: flags raised so far.
    """

    plane: Callable[[int], np.ndarray]
    shape: tuple[int, int]
    origins: np.ndarray
    column_axis: np.ndarray
    row_axis: np.ndarray
    pixel_spacing: tuple[float, float]
    thickness: np.ndarray
    source_slices: tuple[tuple[int, ...], ...]
    sop_instance_uids: tuple[tuple[str, ...], ...] = ()
    frames: tuple[Frame, ...] = ()
    source: dict = field(default_factory=dict)
    quality: list[Quality] = field(default_factory=list)

    @property
    def n_slices(self) -> int:
        """Return the number of slices."""
        return len(self.origins)

    @property
    def normal(self) -> np.ndarray:
        """Return (3,) LPS unit vector of the slice plane, pointing up."""
        return np.cross(self.column_axis, self.row_axis)

    @property
    def heights(self) -> np.ndarray:
        """Return (slice,) mm along the plane normal."""
        return self.origins @ self.normal
