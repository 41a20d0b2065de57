"""A head CT as a stack of axial slices that each keep their own position in the patient."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from MidlineShiftLogic.headct.frames import Frame
from MidlineShiftLogic.quality import Quality


@dataclass(frozen=True)
class HeadCT:
    """Head CT in Hounsfield units, canonical storage order, per-slice geometry (DICOM patient coordinates, LPS, mm).

    Canonical order: slice 0 is the lowest (inferior), columns run from the patient's right to the left, rows from
    anterior to posterior, so that ``hu[k]`` drawn with row 0 on top is the usual radiological display (the patient's
    right on the left of the picture). All slices share one plane orientation; their positions may be irregular and,
    under gantry tilt, their origins may run obliquely to the plane normal.

    Attributes:
        hu: (slice, row, column) float32 Hounsfield units.
        origins: (slice, 3) LPS mm of the centre of pixel (row 0, column 0) of each slice.
        column_axis: (3,) LPS unit vector of increasing column (close to +L).
        row_axis: (3,) LPS unit vector of increasing row (close to +P), perpendicular to ``column_axis``.
        pixel_spacing: (row spacing, column spacing) in mm.
        thickness: (slice,) mm of tissue each slice averages.
        source_slices: per slice, the indices in the source (file array axis, or position in the sorted DICOM series)
            that it was made from; one index each where nothing was reformatted.
        sop_instance_uids: per slice, the DICOM SOP instance UIDs it was made from; empty for other formats.
        frames: the pictures of the DICOM series that was read, upward along their normal; empty for other formats. They
            know their files, so they stay in the process and go into no result.
        source: what was read: format, series description, digest... (never a patient's name).
        quality: flags raised while reading.
    """

    hu: np.ndarray
    origins: np.ndarray
    column_axis: np.ndarray
    row_axis: np.ndarray
    pixel_spacing: tuple[float, float]
    thickness: np.ndarray
    source_slices: tuple[tuple[int, ...], ...] = ()
    sop_instance_uids: tuple[tuple[str, ...], ...] = ()
    frames: tuple[Frame, ...] = field(default=(), repr=False)
    source: dict = field(default_factory=dict)
    quality: tuple[Quality, ...] = ()

    @property
    def n_slices(self) -> int:
        """Return the number of slices."""
        return self.hu.shape[0]

    @property
    def normal(self) -> np.ndarray:
        """Return (3,) LPS unit vector of the slice plane, pointing toward the head's top."""
        return np.cross(self.column_axis, self.row_axis)

    @property
    def heights(self) -> np.ndarray:
        """Return (slice,) mm along the plane normal, increasing upward."""
        return self.origins @ self.normal

    def to_lps(self, index: int, points: ArrayLike) -> np.ndarray:
        """Convert pixel (column, row) points of one slice to LPS mm.

        Args:
            index: slice index.
            points: (..., 2) continuous (column, row); pixel centres are whole numbers.

        Returns:
            (..., 3) LPS mm.
        """
        points = np.asarray(points, dtype=float)
        row_mm, column_mm = self.pixel_spacing
        return (
            self.origins[index]
            + points[..., :1] * column_mm * self.column_axis
            + points[..., 1:] * row_mm * self.row_axis
        )

    def to_pixels(self, index: int, points: np.ndarray) -> np.ndarray:
        """Convert LPS mm points to (column, row) of one slice, projected along the plane normal.

        Args:
            index: slice index.
            points: (..., 3) LPS mm.

        Returns:
            (..., 2) continuous (column, row).
        """
        offset = np.asarray(points, dtype=float) - self.origins[index]
        row_mm, column_mm = self.pixel_spacing
        return np.stack([offset @ self.column_axis / column_mm, offset @ self.row_axis / row_mm], axis=-1)
