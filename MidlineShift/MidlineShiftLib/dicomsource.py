"""The DICOM series that a volume was loaded from: needed for DICOM objects, which must lie in its patient and its places."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import slicer

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.scene.volume import thin_stack, volume_affine

SAME_PLACE_MM = 0.5
SAME_AXIS = 0.01
"""Largest difference of a pixel's step between the scene and the images, mm."""


def sourceOfVolume(volumeNode):
    """``dicom_objects.Source`` of a volume node that lies where its DICOM images say.

    Raises:
        InputError: says in one sentence why there can be no DICOM objects: not from DICOM, images gone, scan moved,
            highdicom not installed.
    """
    uids = (volumeNode.GetAttribute("DICOM.instanceUIDs") or "").split()
    if not uids:
        raise InputError("the scan was not loaded from DICOM", "not-dicom")
    files = [_file(uid) for uid in uids]
    lost = sum(file is None for file in files)
    if lost:
        raise InputError(
            f"{lost} of the scan's {len(uids)} DICOM images are no longer in Slicer's database or on disk; import them "
            "again in the DICOM module",
            "no-dicom",
        )
    if find_spec("highdicom") is None:
        raise InputError(
            "this Slicer lacks the Python package highdicom; slicer.util.pip_install('highdicom') in its Python console "
            "gets it",
            "no-highdicom",
        )
    from MidlineShiftLogic.dicom_objects import source_of_files

    source = source_of_files(dict.fromkeys(files))
    if not _liesThere(volumeNode, source.frames):
        raise InputError(
            "the scan does not lie where its DICOM images say (it was moved, re-cut, or loaded without its acquisition "
            "transform)",
            "moved",
        )
    return source


def _file(uid: str) -> Path | None:
    database = getattr(slicer, "dicomDatabase", None)
    try:
        name = "" if database is None else database.fileForInstance(uid)
    except RuntimeError:  # ctk raises it for an image that was removed from the database
        return None
    return Path(name) if name and Path(name).is_file() else None


def _liesThere(volumeNode, frames) -> bool:
    """Whether each pixel of each image lies in the world where the image's header says; a mirrored scan's do not."""
    columns, rows, count = volumeNode.GetImageData().GetDimensions()
    first = frames[0]
    if count != len(frames) or any(frame.shape != (rows, columns) for frame in frames):
        return False
    affine = volume_affine(volumeNode)
    row_mm, column_mm = first.pixel_spacing
    steps = np.stack([first.orientation[:3] * column_mm, first.orientation[3:] * row_mm])
    if np.abs(affine[:3, :2].T - steps).max() > SAME_AXIS:
        return False
    middle = steps.T @ ((columns - 1) / 2, (rows - 1) / 2)
    told = np.array([frame.position + middle for frame in frames])
    found = _middles(volumeNode, affine, (columns, rows, count))
    return any(np.abs(told - order).max() <= SAME_PLACE_MM for order in (found, found[::-1]) if len(order) == count)


def _middles(volumeNode, affine: np.ndarray, size: tuple[int, int, int]) -> np.ndarray:
    """(image, 3) LPS mm of the middles of the images in the world."""
    columns, rows, count = size
    parent = volumeNode.GetParentTransformNode()
    if parent is None or parent.IsTransformToWorldLinear():
        index = np.stack([np.full(count, (columns - 1) / 2), np.full(count, (rows - 1) / 2), np.arange(count)])
        return (affine[:3, :3] @ index + affine[:3, 3:]).T
    stack = thin_stack(volumeNode)
    row_mm, column_mm = stack.pixel_spacing
    down, across = stack.row_axis * row_mm * (stack.shape[0] - 1), stack.column_axis * column_mm * (stack.shape[1] - 1)
    return stack.origins + (down + across) / 2
