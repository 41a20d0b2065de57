"""Writing a reviewed measurement out of the scene: everything is taken from MRML, so a loaded scene exports too."""

import csv
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from MidlineShiftLogic import scene
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.presentation.case_folder import case_folder, result_parent
from MidlineShiftLogic.presentation.case_name import case_name
from MidlineShiftLogic.presentation.json_writer import to_json
from MidlineShiftLogic.scene.coordinates import lps_to_ras, ras_to_lps

CSV_COLUMNS = ("slice", "z_mm", "height_mm", "signed_shift_mm", "confidence", "in_case_window", "edited", "case_slice")


def exportCase(nodes: "scene.MeasurementNodes", folder: str) -> Path:
    """Write ``measurement.json``, ``shifts.csv``, ``overlay.png`` and ``slices.png`` into a folder of the case's name.

    The pictures show the landmarks as edited. All files appear, or none.

    Raises:
        InputError: the folder cannot be written or holds other files, or the volume is gone.
    """
    from MidlineShiftLogic.presentation.overlay import write_overlay
    from MidlineShiftLogic.presentation.sheet import write_sheet

    if nodes.volume is None:
        raise InputError("The scan of this measurement is no longer in the scene; load it again to export.")
    measurement = nodes.measurement
    out, case = result_parent(Path(folder)), case_name(measurement.case_id)
    ct = scene.head_ct_from_volume(nodes.volume)
    with case_folder(out, case) as files:
        (files / "measurement.json").write_text(to_json(measurement), encoding="utf-8")
        writeCsv(files / "shifts.csv", measurement)
        write_overlay(files / "overlay.png", ct, measurement, evidenceOfSlice(nodes, ct, measurement.slice))
        write_sheet(files / "slices.png", ct, measurement)
    return out / case


def writeCsv(path: Path, measurement) -> None:
    """One row a slice, lowest first; signed shifts are positive toward the patient's left."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(CSV_COLUMNS)
        for one in measurement.slices:
            numbers = (one.z_mm, one.height_mm, one.signed_shift_mm, one.confidence)
            flags = (one.in_case_window, one.edited, one.index == measurement.slice)
            rows.writerow([one.index, *(f"{value:.3f}" for value in numbers), *(int(flag) for flag in flags)])


def evidenceOfSlice(nodes: "scene.MeasurementNodes", ct, index: int) -> SimpleNamespace:
    """What the overlay picture needs of one slice, ``{index: array}`` each: ``warped_hu`` and ``displacement_mm``.

    A warped volume or transform that the user deleted leaves the scan as it is and no displacement.
    """
    warped = ct if nodes.warped is None else scene.head_ct_from_volume(nodes.warped)
    return SimpleNamespace(
        warped_hu={index: warped.hu[index]}, displacement_mm={index: _displacement(nodes.transform, ct, index)}
    )


def _displacement(transformNode, ct, index: int) -> np.ndarray:
    """(2, row, column) in-plane displacement along rows and columns, mm, as the grid transform has it."""
    rows, columns = ct.hu.shape[1:]
    if transformNode is None:
        return np.zeros((2, rows, columns))
    column, row = np.meshgrid(np.arange(columns), np.arange(rows))
    here = ct.to_lps(index, np.stack([column, row], -1).reshape(-1, 2))
    before, after = vtk.vtkPoints(), vtk.vtkPoints()
    before.SetDataTypeToDouble()
    before.SetData(numpy_to_vtk(np.ascontiguousarray(lps_to_ras(here)), deep=True))
    transformNode.GetTransformToParent().TransformPoints(before, after)
    moved = ras_to_lps(vtk_to_numpy(after.GetData())) - here
    return np.stack([moved @ ct.row_axis, moved @ ct.column_axis]).reshape(2, rows, columns)
