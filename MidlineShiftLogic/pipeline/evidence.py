"""What the pictures show beside the number: the displacement and the scan warped back to normal, on the scan's grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from MidlineShiftLogic.geometry.frame import Frame
from MidlineShiftLogic.headct.headct import HeadCT


@dataclass(frozen=True)
class Evidence:
    """Dense results on the scan's own grid.

    Attributes:
        warped_hu: (slice, row, column) float32: the scan warped back to normal; slices not measured are as scanned.
        displacement_mm: (slice, 2, row, column) float16: in-plane displacement from where tissue is to where it would
            be, along rows and along columns, mm; zero where not measured.
    """

    warped_hu: np.ndarray
    displacement_mm: np.ndarray


def _on_scan_grid(field: np.ndarray, plane_to_frame: torch.Tensor, frame: Frame) -> torch.Tensor:
    """Half-grid field (2, h, w) in frame pixels -> (row, column, 2) plane mm as (column, row) at the scan's pixels.

    Args:
        plane_to_frame: (row, column, 2) frame pixels of every scan pixel, from the grid's middle.
    """
    half = frame.size // 2
    grid = plane_to_frame / 2 / ((half - 1) / 2)
    sampled = F.grid_sample(
        torch.from_numpy(field[None]), grid[None].float(), align_corners=True, padding_mode="zeros"
    )[0]
    axes = torch.tensor(frame.axes * frame.step_mm, dtype=torch.float32)
    return sampled[1][..., None] * axes[0] + sampled[0][..., None] * axes[1]


def make_evidence(
    ct: HeadCT, frame: Frame, indices: np.ndarray, displacement: np.ndarray, inverse: np.ndarray
) -> Evidence:
    """Bring the fields of the measured slices back to the scan.

    Args:
        ct: the scan. frame: the aligned frame. indices: (k,) measured slices.
        displacement, inverse: (slice, 2, h, w) half-grid fields of all slices, rows and columns, frame pixels.
    """
    rows, columns = ct.hu.shape[1:]
    row_mm, column_mm = ct.pixel_spacing
    column, row = np.meshgrid(np.arange(columns) * column_mm, np.arange(rows) * row_mm)
    plane = np.stack([column, row], -1)
    warped = np.array(ct.hu, dtype=np.float32)
    field_mm = np.zeros((ct.n_slices, 2, rows, columns), np.float16)
    extent = torch.tensor([(columns - 1) * column_mm, (rows - 1) * row_mm], dtype=torch.float32)
    middle = (frame.size - 1) / 2
    for index in indices:
        place = torch.from_numpy(frame.from_plane(index, plane) - middle)
        u = _on_scan_grid(displacement[index], place, frame)
        field_mm[index] = u.flip(-1).movedim(-1, 0).numpy()
        back = _on_scan_grid(inverse[index], place, frame)
        looked_up = (torch.from_numpy(plane).float() + back) / extent * 2 - 1
        image = torch.from_numpy(warped[index])[None, None]
        warped[index] = F.grid_sample(image, looked_up[None], align_corners=True, padding_mode="border")[0, 0].numpy()
    return Evidence(warped, field_mm)
