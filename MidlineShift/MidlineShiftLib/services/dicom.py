"""The DICOM series that a volume was loaded from: needed for DICOM objects, which must be in its patient and its places."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.scene.coordinates import ras_to_lps

SAME_PLACE_MM = 0.5


def imagesOfVolume(volumeNode) -> list[Path]:
    """Find the DICOM images of a volume node that is where they say.

    Raises:
        InputError: says in one sentence why there can be no DICOM objects: not from DICOM, images gone, scan moved,
            highdicom not installed.
    """
    uids = (volumeNode.GetAttribute("DICOM.instanceUIDs") or "").split()
    if not uids:
        raise InputError(_("the scan was not loaded from DICOM"), "not-dicom")
    files = [_file(uid) for uid in uids]
    lost = sum(file is None for file in files)
    if lost:
        text = _(
            "{lost} of the scan's {count} DICOM images are no longer in Slicer's database or on disk; import them again in "
            "the DICOM module"
        )
        raise InputError(text.format(lost=lost, count=len(uids)), "no-dicom")
    if find_spec("highdicom") is None:
        text = _(
            "this Slicer lacks the Python package highdicom; slicer.util.pip_install('highdicom') in its Python console "
            "gets it"
        )
        raise InputError(text, "no-highdicom")
    from MidlineShiftLogic.reporting.dicom import source_of_files

    images = list(dict.fromkeys(files))
    if not _liesThere(volumeNode, source_of_files(images).frames):
        text = _(
            "the scan is not where its DICOM images say (it was moved, re-cut, or loaded without its acquisition "
            "transform)"
        )
        raise InputError(text, "moved")
    return images


def _file(uid: str) -> Path | None:
    database = getattr(slicer, "dicomDatabase", None)
    try:
        name = "" if database is None else database.fileForInstance(uid)
    except RuntimeError:  # ctk raises it for an image that was removed from the database
        return None
    return Path(name) if name and Path(name).is_file() else None


def _liesThere(volumeNode, frames) -> bool:
    """Return whether the corners of each image are in the world where its header says; those of a mirrored scan do not."""
    columns, rows, count = volumeNode.GetImageData().GetDimensions()
    if count != len(frames) or any(frame.shape != (rows, columns) for frame in frames):
        return False
    corners = ((0, 0), (columns - 1, 0), (0, rows - 1))
    found = _corners(volumeNode, corners)
    known = np.array([[_place(frame, *corner) for corner in corners] for frame in frames])
    return any(np.abs(known - order).max() <= SAME_PLACE_MM for order in (found, found[::-1]))


def _place(frame, column: int, row: int) -> np.ndarray:
    """Return (3,) LPS mm of a pixel, by the image's header."""
    row_mm, column_mm = frame.pixel_spacing
    return frame.position + column * column_mm * frame.orientation[:3] + row * row_mm * frame.orientation[3:]


def _corners(volumeNode, corners) -> np.ndarray:
    """Return (image, corner, 3) LPS mm of pixels in the world, under whatever transforms the volume is."""
    toRas, toWorld = vtk.vtkMatrix4x4(), vtk.vtkGeneralTransform()
    volumeNode.GetIJKToRASMatrix(toRas)
    parent = volumeNode.GetParentTransformNode()
    if parent is not None:
        parent.GetTransformToWorld(toWorld)
    count = volumeNode.GetImageData().GetDimensions()[2]
    ras = [[toWorld.TransformPoint(toRas.MultiplyPoint((i, j, k, 1.0))[:3]) for i, j in corners] for k in range(count)]
    return ras_to_lps(np.array(ras))
