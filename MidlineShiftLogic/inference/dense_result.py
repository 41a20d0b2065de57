"""What the pictures show beside the number: the displacement and the scan warped back to normal, on the scan's grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F

from MidlineShiftLogic.geometry.frame import Frame
from MidlineShiftLogic.headct.headct import HeadCT


@dataclass(frozen=True)
class DenseResult:
    """Dense results on the scan's own grid, made when they are looked at: the pictures show one slice of many.

    Attributes:
        ct: the scan. frame: the aligned frame of the fields.
        displacement, inverse: slice -> (2, h, w) half-grid fields of the measured slices, rows and columns, frame pixels.
    """

    ct: HeadCT
    frame: Frame
    displacement: Mapping[int, np.ndarray]
    inverse: Mapping[int, np.ndarray]

    @cached_property
    def warped_hu(self) -> np.ndarray:
        """(slice, row, column) float32: the scan warped back to normal; slices not measured are as scanned."""
        warped = np.array(self.ct.hu, dtype=np.float32)
        for index in self.displacement:
            warped[index] = self._warped(index)
        return warped

    @cached_property
    def displacement_mm(self) -> np.ndarray:
        """(slice, 2, row, column) float16: in-plane displacement from where tissue is to where it would be, along rows
        and along columns, mm; zero where not measured."""
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
        """(row, column, 2) plane mm of the scan's pixels as (column, row)."""
        rows, columns = self.ct.hu.shape[1:]
        row_mm, column_mm = self.ct.pixel_spacing
        column, row = np.meshgrid(np.arange(columns) * column_mm, np.arange(rows) * row_mm)
        return torch.from_numpy(np.stack([column, row], -1))

    def _on_scan_grid(self, field: np.ndarray, index: int) -> torch.Tensor:
        """Half-grid field (2, h, w) in frame pixels -> (row, column, 2) plane mm as (column, row) at the scan's pixels."""
        half = self.frame.size // 2
        middle = (self.frame.size - 1) / 2
        grid = torch.from_numpy(self.frame.from_plane(index, self._plane.numpy()) - middle) / 2 / ((half - 1) / 2)
        sampled = F.grid_sample(
            torch.from_numpy(field[None]), grid[None].float(), align_corners=True, padding_mode="zeros"
        )[0]
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
        return F.grid_sample(image, looked_up[None], align_corners=True, padding_mode="border")[0, 0].numpy()


@dataclass(frozen=True)
class DenseSlice:
    """``warped_hu`` and ``displacement_mm`` of ``DenseResult``, {slice: array} of one slice each."""

    warped_hu: dict[int, np.ndarray]
    displacement_mm: dict[int, np.ndarray]
