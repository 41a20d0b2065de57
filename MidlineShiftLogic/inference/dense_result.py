"""The dense results beside the number: the displacement and the scan warped back to normal, on the scan's grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from MidlineShiftLogic.geometry.frame import Frame
from MidlineShiftLogic.geometry.resampling import sample
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.inference.dense_arrays import DenseSlice


@dataclass(frozen=True)
class DenseResult:
    """Dense results on the scan's own grid, computed when they are asked for: the figures show one slice of many.

    Attributes:
        ct: the scan.
        frame: the aligned frame of the fields.
        displacement, inverse: slice -> (2, h, w) half-grid fields of the measured slices, rows and columns, frame pixels.
    """

    ct: HeadCT
    frame: Frame
    displacement: Mapping[int, np.ndarray]
    inverse: Mapping[int, np.ndarray]

    @cached_property
    def warped_hu(self) -> np.ndarray:
        """The scan warped back to normal, (slice, row, column) float32 HU; slices not measured are as scanned."""
        warped = np.array(self.ct.hu, dtype=np.float32)
        for index in self.displacement:
            warped[index] = self._warped(index)
        return warped

    @cached_property
    def displacement_mm(self) -> np.ndarray:
        """The in-plane displacement from where tissue is to where it would be, (slice, 2, row, column) float16 mm.

        Along rows, then along columns; zero where not measured.
        """
        n, rows, columns = self.ct.hu.shape
        field_mm = np.zeros((n, 2, rows, columns), np.float16)
        for index in self.displacement:
            field_mm[index] = self._field_mm(index)
        return field_mm

    def of_slice(self, index: int) -> DenseSlice:
        """Compute the dense results of one measured slice alone."""
        return DenseSlice({index: self._warped(index)}, {index: self._field_mm(index)})

    @cached_property
    def _plane(self) -> torch.Tensor:
        """Positions of the scan's pixels, (row, column, 2) plane mm as (column, row)."""
        rows, columns = self.ct.hu.shape[1:]
        row_mm, column_mm = self.ct.pixel_spacing
        column, row = np.meshgrid(np.arange(columns) * column_mm, np.arange(rows) * row_mm)
        return torch.from_numpy(np.stack([column, row], -1))

    def _on_scan_grid(self, field: np.ndarray, index: int) -> torch.Tensor:
        """Resample a field (2, h, w) of the half grid in frame pixels to the scan's pixels.

        Returns:
            (row, column, 2) plane mm as (column, row).
        """
        half = self.frame.size // 2
        middle = (self.frame.size - 1) / 2
        grid = torch.from_numpy(self.frame.from_plane(index, self._plane.numpy()) - middle) / 2 / ((half - 1) / 2)
        sampled = sample(torch.from_numpy(field[None]), grid[None].float())[0]
        axes = torch.tensor(self.frame.axes * self.frame.step_mm, dtype=torch.float32)
        return sampled[1][..., None] * axes[0] + sampled[0][..., None] * axes[1]

    def _field_mm(self, index: int) -> np.ndarray:
        u = self._on_scan_grid(self.displacement[index], index)
        return u.flip(-1).movedim(-1, 0).numpy().astype(np.float16)

    def _warped(self, index: int) -> np.ndarray:
        back = self._on_scan_grid(self.inverse[index], index)
        rows, columns = self.ct.hu.shape[1:]
        row_mm, column_mm = self.ct.pixel_spacing
        extent = torch.tensor([(columns - 1) * column_mm, (rows - 1) * row_mm], dtype=torch.float32)
        looked_up = (self._plane.float() + back) / extent * 2 - 1
        image = torch.from_numpy(np.array(self.ct.hu[index], dtype=np.float32))[None, None]
        return sample(image, looked_up[None], padding="border")[0, 0].numpy()
