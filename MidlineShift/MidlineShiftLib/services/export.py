"""Writing a reviewed measurement out of the scene: everything is taken from MRML, so a loaded scene exports too."""

import csv
import shutil
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from MidlineShiftLogic import scene
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.reporting.case_folder import case_folder, result_parent
from MidlineShiftLogic.reporting.case_name import case_name
from MidlineShiftLogic.reporting.measurement_json import to_json
from MidlineShiftLogic.scene.coordinates import lps_to_ras, ras_to_lps

from .dicom import SAME_PLACE_MM, sourceOfVolume

CSV_COLUMNS = ("slice", "z_mm", "height_mm", "signed_shift_mm", "confidence", "in_case_window", "edited", "case_slice")


@dataclass(frozen=True)
class Exported:
    """``folder`` of the case; ``overlay``: whether its pictures of the displacement are in it; ``whyNoDicom``: empty if
    DICOM objects are, else the reason."""

    folder: Path
    overlay: bool
    whyNoDicom: str

    @property
    def sentence(self) -> str:
        """What the panel says."""
        sentences = [f"Written to {self.folder}"]
        if not self.overlay:
            sentences.append(
                "No overlay.png and no captures: the displacement is not in the scene, measure again for it"
            )
        if self.whyNoDicom:
            sentences.append(f"No DICOM objects: {self.whyNoDicom}")
        return sentences[0] if len(sentences) == 1 else "".join(f"{one}. " for one in sentences).rstrip()


def exportCase(nodes: "scene.MeasurementNodes", folder: str) -> Exported:
    """Write a case as edited and reviewed into a folder of its name. All files appear, or none.

    Always ``measurement.json``, ``shifts.csv``, ``slices.png`` and ``report.html``; ``overlay.png`` where the scene has the
    displacement; of a scan that was loaded from DICOM, also ``sr.dcm`` and, with the displacement, ``capture/``.

    Raises:
        InputError: the folder cannot be written or holds other files, the volume is gone, or a package is missing.
    """
    if nodes.volume is None:
        raise InputError("The scan of this measurement is no longer in the scene; load it again to export.")
    out, case = result_parent(Path(folder)), case_name(nodes.measurement.case_id)
    try:
        with case_folder(out, case) as files:
            whyNoDicom = _write(files, nodes)
    except OSError as error:
        raise InputError(f"Cannot write the results into {out}: {error.strerror or error}.", "out") from error
    except ImportError as error:
        raise InputError(
            f"Exporting needs the Python package {error.name!r}; install what is missing (2. Model and device).",
            "packages",
        ) from error
    return Exported(out / case, (out / case / "overlay.png").is_file(), whyNoDicom)


def _write(files: Path, nodes: "scene.MeasurementNodes") -> str:
    """Fill the case's folder; the reason why there is no DICOM in it, or an empty text."""
    from MidlineShiftLogic.reporting.figures.overlay import write_overlay
    from MidlineShiftLogic.reporting.figures.sheet import write_sheet
    from MidlineShiftLogic.reporting.html import write_report

    measurement = nodes.measurement
    ct = scene.head_ct_from_volume(nodes.volume)
    dense = denseResultOfSlice(nodes, ct, measurement.slice)
    (files / "measurement.json").write_text(to_json(measurement), encoding="utf-8")
    writeCsv(files / "shifts.csv", measurement)
    if dense is not None:
        write_overlay(files / "overlay.png", ct, measurement, dense)
    write_sheet(files / "slices.png", ct, measurement)
    write_report(files, measurement)
    try:
        source = _sourceOf(nodes, ct)
    except InputError as error:
        return str(error).rstrip(".")
    from MidlineShiftLogic.reporting.dicom import write_objects

    try:
        write_objects(files, measurement, ct, dense, source)
    except (InputError, ValueError, TypeError, AttributeError, KeyError) as error:
        # highdicom is strict with what some scanners write; the rest of the export is whole without these
        (files / "sr.dcm").unlink(missing_ok=True)
        shutil.rmtree(files / "capture", ignore_errors=True)
        return f"they cannot be made of this scan's images ({str(error).rstrip('.')})"
    return ""


def _sourceOf(nodes: "scene.MeasurementNodes", ct):
    """The series, if the measurement's places are places in it; InputError says why not."""
    source = sourceOfVolume(nodes.volume)
    measured = nodes.geometry
    if measured.hu.shape != ct.hu.shape or np.abs(_corners(measured) - _corners(ct)).max() > SAME_PLACE_MM:
        raise InputError("the scan was moved after it was measured", "moved")
    return source


def _corners(ct) -> np.ndarray:
    """(slice, 3, 3) LPS mm of three corners of each slice."""
    rows, columns = ct.hu.shape[1:]
    points = np.array([(0, 0), (columns - 1, 0), (0, rows - 1)])
    return np.stack([ct.to_lps(index, points) for index in range(ct.n_slices)])


def writeCsv(path: Path, measurement) -> None:
    """One row a slice, lowest first; signed shifts are positive toward the patient's left."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(CSV_COLUMNS)
        for one in measurement.slices:
            numbers = (one.z_mm, one.height_mm, one.signed_shift_mm, one.confidence)
            flags = (one.in_case_window, one.edited, one.index == measurement.slice)
            rows.writerow([one.index, *(f"{value:.3f}" for value in numbers), *(int(flag) for flag in flags)])


def denseResultOfSlice(nodes: "scene.MeasurementNodes", ct, index: int) -> SimpleNamespace | None:
    """What the overlay picture needs of one slice, ``{index: array}`` each: ``warped_hu`` and ``displacement_mm``.

    None where the scene lacks the warped volume or the transform (a loaded result, or the user deleted them): a picture
    without them would show a scan that is not set back to normal as if it were.
    """
    if nodes.warped is None or nodes.transform is None:
        return None
    warped = scene.head_ct_from_volume(nodes.warped)
    return SimpleNamespace(
        warped_hu={index: warped.hu[index]}, displacement_mm={index: _displacement(nodes.transform, ct, index)}
    )


def _displacement(transformNode, ct, index: int) -> np.ndarray:
    """(2, row, column) in-plane displacement along rows and columns, mm, as the grid transform has it."""
    rows, columns = ct.hu.shape[1:]
    column, row = np.meshgrid(np.arange(columns), np.arange(rows))
    here = ct.to_lps(index, np.stack([column, row], -1).reshape(-1, 2))
    before, after = vtk.vtkPoints(), vtk.vtkPoints()
    before.SetDataTypeToDouble()
    before.SetData(numpy_to_vtk(np.ascontiguousarray(lps_to_ras(here)), deep=True))
    transformNode.GetTransformToParent().TransformPoints(before, after)
    moved = ras_to_lps(vtk_to_numpy(after.GetData())) - here
    return np.stack([moved @ ct.row_axis, moved @ ct.column_axis]).reshape(2, rows, columns)
