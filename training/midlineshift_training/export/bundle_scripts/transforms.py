"""Dictionary transforms that load a head CT and save what was measured in it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.transforms import MapTransform

from MidlineShiftLogic.headct import read
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.reporting.case_name import case_name
from MidlineShiftLogic.reporting.measurement_json import to_json

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_VECTOR = "vector"
"""NIfTI intent of a displacement; its components are then along L, P and S, as ITK reads them."""


class LoadHeadCTd(MapTransform):
    """Load a scan with its geometry, checked as ``midlineshift measure`` checks it: file name -> ``HeadCT``.

    The name of the case is put into ``case``.
    """

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        item = dict(data)
        for key in self.key_iterator(item):
            item["case"] = case_name(Path(item[key]))
            item[key] = read(Path(item[key]))
        return item


class SaveMeasurementd(MapTransform):
    """Save landmarks, midlines and shift: ``CaseResult`` -> ``output_dir/CASE/measurement.json``."""

    def __init__(self, keys: KeysCollection, output_dir: str | Path, allow_missing_keys: bool = False):
        super().__init__(keys, allow_missing_keys)
        self.output_dir = Path(output_dir)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        item = dict(data)
        for key in self.key_iterator(item):
            folder = _folder(self.output_dir, item)
            (folder / "measurement.json").write_text(to_json(item[key].measurement), encoding="utf-8")
        return item


class SaveVolumesd(MapTransform):
    """Save the displacement and the scan warped back to normal as NIfTI, on the scan's own grid.

    ``CaseResult`` -> ``output_dir/CASE/displacement.nii.gz`` (mm, from where tissue is to where it would be) and
    ``warped.nii.gz`` (HU). Nothing is saved of a scan that was refused.
    """

    def __init__(self, keys: KeysCollection, output_dir: str | Path, allow_missing_keys: bool = False):
        super().__init__(keys, allow_missing_keys)
        self.output_dir = Path(output_dir)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        item = dict(data)
        for key in self.key_iterator(item):
            result = item[key]
            if result.dense is None:
                continue
            folder = _folder(self.output_dir, item)
            affine = affine_ras(result.ct)
            _save(
                folder / "displacement.nii.gz", _vectors_lps(result.ct, result.dense.displacement_mm), affine, _VECTOR
            )
            _save(folder / "warped.nii.gz", result.dense.warped_hu.transpose(2, 1, 0), affine)
        return item


def _folder(output_dir: Path, item: Mapping[Hashable, Any]) -> Path:
    folder = output_dir / item["case"]
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def affine_ras(ct: HeadCT) -> np.ndarray:
    """(4, 4) NIfTI affine: voxel (column, row, slice) -> RAS mm. Slices at irregular places get their mean distance."""
    row_mm, column_mm = ct.pixel_spacing
    affine = np.eye(4)
    affine[:3, 0] = ct.column_axis * column_mm
    affine[:3, 1] = ct.row_axis * row_mm
    steps = max(1, ct.n_slices - 1)
    affine[:3, 2] = (ct.origins[-1] - ct.origins[0]) / steps if ct.n_slices > 1 else ct.normal * ct.thickness[0]
    affine[:3, 3] = ct.origins[0]
    return _LPS_TO_RAS @ affine


def _vectors_lps(ct: HeadCT, displacement_mm: np.ndarray) -> np.ndarray:
    """Convert mm along rows and columns (slice, 2, row, column) to mm along L, P and S (column, row, slice, 1, 3)."""
    along_rows, along_columns = displacement_mm.astype(np.float32).swapaxes(0, 1)
    vectors = along_rows[..., None] * ct.row_axis + along_columns[..., None] * ct.column_axis
    return vectors.transpose(2, 1, 0, 3)[:, :, :, None].astype(np.float32)


def _save(path: Path, values: np.ndarray, affine: np.ndarray, intent: str | None = None) -> None:
    import nibabel

    image = nibabel.Nifti1Image(np.ascontiguousarray(values, dtype=np.float32), affine)
    image.header.set_xyzt_units("mm")
    if intent is not None:
        image.header.set_intent(intent)
    nibabel.save(image, path)
