"""Writing a reviewed measurement out of the scene: everything is taken from MRML, so a loaded scene exports too.

The child process draws and writes into a folder of the run; the files then appear in the user's folder all at once.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from MidlineShiftLogic import scene
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.reporting.case_folder import case_folder, result_parent
from MidlineShiftLogic.reporting.case_name import case_name
from MidlineShiftLogic.reporting.fields_file import write_slice_fields
from MidlineShiftLogic.reporting.measurement_json import to_json
from MidlineShiftLogic.scene.coordinates import lps_to_ras, ras_to_lps
from MidlineShiftLogic.scene.nodes import VOXELS

from .child_run import Job
from .dicom import SAME_PLACE_MM, imagesOfVolume

NOTE_FILE = "write-case.json"
"""Where the command says why there are no DICOM objects (``MidlineShiftLogic.cli.write_case``)."""


@dataclass(frozen=True)
class Export:
    """What is to be written.

    Attributes:
        out: folder of the user. case: name of the case's folder in it. measurement: as edited and reviewed.
        warped: (row, column) HU of the case's slice, None where the scene has none; displacement: (2, row, column) mm.
        images: files of the scan's DICOM images. whyNoDicom: empty if DICOM objects are to be made, else the reason.
    """

    out: Path
    case: str
    measurement: object
    warped: np.ndarray | None
    displacement: np.ndarray | None
    images: tuple[Path, ...]
    whyNoDicom: str


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        folder: of the case. overlay: whether its pictures of the displacement are in it.
        whyNoDicom: empty if DICOM objects are in it, else the reason.
    """

    folder: Path
    overlay: bool
    whyNoDicom: str

    @property
    def sentence(self) -> str:
        """Return what the panel says."""
        sentences = [_("Written to {folder}").format(folder=self.folder)]
        if not self.overlay:
            sentences.append(
                _("No overlay.png and no captures: the displacement is not in the scene, measure again for it")
            )
        if self.whyNoDicom:
            sentences.append(_("No DICOM objects: {reason}").format(reason=self.whyNoDicom))
        return sentences[0] if len(sentences) == 1 else "".join(f"{one}. " for one in sentences).rstrip()


def prepareExport(nodes: "scene.MeasurementNodes", folder: str, ct) -> Export:
    """Take everything that is to be written out of the scene.

    Args:
        folder: of the user. ct: the scan as it is now.

    Raises:
        InputError: the folder cannot be used, or the volume is gone or has other voxels.
    """
    if nodes.volume is None:
        raise InputError(_("The scan of this measurement is no longer in the scene; load it again to export."))
    shown = nodes.state_node.GetAttribute(VOXELS)
    if shown and shown != ct.source.get("sha256"):
        raise InputError(
            _(
                "The scan's voxels were changed after it was measured, so the pictures would not be of what was measured."
            )
            + " "
            + _("Measure it again, or load the scan again.")
        )
    measurement = nodes.measurement
    warped, displacement = _fieldsOfSlice(nodes, measurement.slice)
    try:
        images, why = _imagesOf(nodes, ct), ""
    except InputError as error:
        images, why = (), str(error).rstrip(".")
    out = result_parent(Path(folder))
    return Export(out, case_name(measurement.case_id), measurement, warped, displacement, tuple(images), why)


def exportJob(export: Export, finished: Callable[[Exported], None]) -> Job:
    """Write the files; ``finished`` gets an ``Exported``.

    Always ``measurement.json``, ``shifts.csv``, ``slices.png`` and ``report.html``; ``overlay.png`` where the scene has the
    displacement; of a scan that was loaded from DICOM, also ``sr.dcm`` and, with the displacement, ``capture/``.
    """

    def prepare(folder: Path) -> list[str]:
        result = folder / "measurement.json"
        result.write_text(to_json(export.measurement), encoding="utf-8")
        arguments = ["--result", str(result)]
        if export.warped is not None:
            write_slice_fields(folder / "dense.npz", export.measurement.slice, export.warped, export.displacement)
            arguments += ["--dense", str(folder / "dense.npz")]
        if export.images:
            (folder / "images.txt").write_text("\n".join(map(str, export.images)), encoding="utf-8")
            arguments += ["--images", str(folder / "images.txt")]
        return arguments

    def read(written: Path) -> Exported:
        note = json.loads((written.parent / NOTE_FILE).read_text(encoding="utf-8"))["no_dicom"]
        try:
            with case_folder(export.out, export.case) as files:
                shutil.copytree(written, files, dirs_exist_ok=True)
        except OSError as error:
            text = _("Cannot write the results into {folder}: {error}.")
            raise InputError(text.format(folder=export.out, error=error.strerror or error), "out") from error
        folder = export.out / export.case
        return Exported(folder, (folder / "overlay.png").is_file(), export.whyNoDicom or note)

    return Job(["write-case"], read, finished, prepare)


def _imagesOf(nodes: "scene.MeasurementNodes", ct) -> list[Path]:
    """Return the images of the series, if the measurement's places are places in it; InputError says why not."""
    images = imagesOfVolume(nodes.volume)
    measured = nodes.geometry
    if measured.hu.shape != ct.hu.shape or np.abs(_corners(measured) - _corners(ct)).max() > SAME_PLACE_MM:
        raise InputError(_("the scan was moved after it was measured"), "moved")
    return images


def _corners(ct) -> np.ndarray:
    """Return (slice, 3, 3) LPS mm of three corners of each slice."""
    rows, columns = ct.hu.shape[1:]
    points = np.array([(0, 0), (columns - 1, 0), (0, rows - 1)])
    return np.stack([ct.to_lps(index, points) for index in range(ct.n_slices)])


def _fieldsOfSlice(nodes: "scene.MeasurementNodes", index: int):
    """Return what the overlay picture needs of one slice: (row, column) HU warped back, (2, row, column) displacement in mm.

    The displacement is looked up where the slice was measured: the scan may have been moved since, its transform was not.

    (None, None) where the scene lacks the warped volume or the transform (a loaded result, or the user deleted them): a
    picture without them would show a scan that is not warped back as if it were.
    """
    if nodes.warped is None or nodes.transform is None:
        return None, None
    warped = scene.head_ct_from_volume(nodes.warped)
    return warped.hu[index], _displacement(nodes.transform, nodes.geometry, index)


def _displacement(transformNode, ct, index: int) -> np.ndarray:
    """Return (2, row, column) in-plane displacement along rows and columns, mm, as the grid transform has it."""
    rows, columns = ct.hu.shape[1:]
    column, row = np.meshgrid(np.arange(columns), np.arange(rows))
    here = ct.to_lps(index, np.stack([column, row], -1).reshape(-1, 2))
    before, after = vtk.vtkPoints(), vtk.vtkPoints()
    before.SetDataTypeToDouble()
    before.SetData(numpy_to_vtk(np.ascontiguousarray(lps_to_ras(here)), deep=True))
    transformNode.GetTransformToParent().TransformPoints(before, after)
    moved = ras_to_lps(vtk_to_numpy(after.GetData())) - here
    return np.stack([moved @ ct.row_axis, moved @ ct.column_axis]).reshape(2, rows, columns)
