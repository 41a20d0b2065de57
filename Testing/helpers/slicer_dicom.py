"""A series as Slicer's DICOM module leaves it in the scene: one step for all slices, an acquisition transform that puts
each where it was scanned, the images' UIDs in an attribute, and a database that still knows the images."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pydicom
from mrml_core import add_volume, slicer, vtk

from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.scene.instances import ORIENTATION, POSITION, THICKNESS

TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def load_like_slicer(core, ct: HeadCT, name: str = "Series"):
    """The volume node of a scan, under a grid transform with nodes at the corner pixels of every slice."""
    count, rows, columns = ct.hu.shape
    step = np.linalg.norm(ct.origins[1] - ct.origins[0])
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = ct.column_axis * ct.pixel_spacing[1], ct.row_axis * ct.pixel_spacing[0]
    affine[:3, 2], affine[:3, 3] = ct.normal * step, ct.origins[0]
    affine = TO_RAS @ affine
    image = vtk.vtkImageData()
    image.SetDimensions(2, 2, count)
    image.SetSpacing((columns - 1) * ct.pixel_spacing[1], (rows - 1) * ct.pixel_spacing[0], step)
    image.SetOrigin(affine[:3, 3])
    moved = (ct.origins - ct.origins[0] - np.arange(count)[:, None] * ct.normal * step) @ TO_RAS[:3, :3]
    vectors = np.repeat(moved[:, None], 4, axis=1).reshape(-1, 3)
    image.GetPointData().SetScalars(vtk.util.numpy_support.numpy_to_vtk(vectors, deep=True))
    direction = np.eye(4)
    direction[:3, :3] = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    grid = slicer.vtkOrientedGridTransform()
    grid.SetDisplacementGridData(image)
    grid.SetGridDirectionMatrix(slicer.util.vtkMatrixFromArray(direction))
    parent = core.scene.AddNewNodeByClass("vtkMRMLGridTransformNode", f"{name} acquisition transform")
    parent.SetAndObserveTransformToParent(grid)
    volume = add_volume(core, ct.hu.transpose(2, 1, 0), affine, name, parent)
    volume.SetAttribute("DICOM.instanceUIDs", " ".join(reversed(uids_of(ct))))
    return volume


def uids_of(ct: HeadCT) -> list[str]:
    """The scan's own UIDs, lowest slice first; made up for a drawn one."""
    return [one[0] for one in ct.sop_instance_uids] or [f"1.2.3.{index}" for index in range(ct.n_slices)]


def database_of(ct: HeadCT) -> SimpleNamespace:
    """``slicer.dicomDatabase`` with the images of a scan; like ctk's it answers an empty text to what it does not know."""

    def text(values) -> str:
        return "\\".join(f"{value:.6f}" for value in values)

    axes = text([*ct.column_axis, *ct.row_axis])
    images = {
        uid: {THICKNESS: text([ct.thickness[index]]), POSITION: text(ct.origins[index]), ORIENTATION: axes}
        for index, uid in enumerate(uids_of(ct))
    }
    return SimpleNamespace(instanceValue=lambda uid, tag: images.get(uid, {}).get(tag, ""))


@contextmanager
def imported(ct: HeadCT, folder: Path) -> Iterator[str]:
    """Slicer's database as after the import of a scan that ``write_dicom`` wrote; gives what a volume of it keeps."""
    files = {str(pydicom.dcmread(file, stop_before_pixels=True).SOPInstanceUID): str(file) for file in folder.iterdir()}
    uids = sorted(files, key=lambda uid: int(uid.rpartition(".")[2]))
    database = database_of(replace(ct, sop_instance_uids=tuple((uid,) for uid in uids)))
    database.fileForInstance = lambda uid: files.get(uid, "")
    slicer.dicomDatabase = database
    try:
        yield " ".join(reversed(uids))
    finally:
        vars(slicer).pop("dicomDatabase", None)
