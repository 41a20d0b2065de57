"""Reading NRRD and MetaImage (MHA, MHD) through SimpleITK."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.canonical import from_volume
from MidlineShiftLogic.headct.stack import AxialStack
from MidlineShiftLogic.quality import Quality

READERS = {"NRRD": "NrrdImageIO", "MetaImage": "MetaImageIO"}


def read_itk(path: Path, kind: str) -> AxialStack:
    """The scan of one NRRD or MetaImage file (headers with a separate data file included).

    Args:
        path: the file.
        kind: ``"NRRD"`` or ``"MetaImage"``.

    Raises:
        InputError: damaged, data file missing, more than one value a voxel, four-dimensional.
    """
    import SimpleITK

    reader = SimpleITK.ImageFileReader()
    reader.SetImageIO(READERS[kind])
    reader.SetFileName(str(path))
    warned = SimpleITK.ProcessObject.GetGlobalWarningDisplay()
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        reader.ReadImageInformation()
        _refuse_non_scalar(path, reader)
        size = list(reader.GetSize())
        if len(size) == 4:
            reader.SetExtractSize([*size[:3], 0])
        image = reader.Execute()
    except RuntimeError as error:
        raise InputError(
            f"{path} cannot be read as {kind}: it is incomplete or damaged, or its data file is missing beside it; "
            "copy the complete scan again.",
            "damaged-file",
        ) from error
    finally:
        SimpleITK.ProcessObject.SetGlobalWarningDisplay(warned)
    voxels = SimpleITK.GetArrayViewFromImage(image).T
    affine = np.eye(4)
    if voxels.ndim == 2:
        voxels = voxels[..., None]
        affine[:2, :2] = np.array(image.GetDirection()).reshape(2, 2) * np.array(image.GetSpacing())
        affine[:2, 3] = image.GetOrigin()
    else:
        affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
        affine[:3, 3] = image.GetOrigin()
    # The closure keeps ``image`` alive: the view has no memory of its own.
    stack = from_volume(voxels, affine, lambda values, _owner=image: values)
    stack.source.update(
        format=kind,
        stored_shape=list(voxels.shape),
        stored_spacing_mm=[round(float(step), 4) for step in np.linalg.norm(affine[:3, :3], axis=0)],
    )
    if kind == "NRRD" and "space" not in _nrrd_fields(path):
        stack.quality.append(
            Quality(
                "no-orientation",
                "warning",
                "The NRRD header does not say how the scan lies in the patient (no 'space' field); "
                "left and right follow the usual order of the file and must be checked.",
            )
        )
    return stack


def _refuse_non_scalar(path: Path, reader) -> None:
    size = reader.GetSize()
    if reader.GetNumberOfComponents() > 1:
        raise InputError(
            f"{path} holds {reader.GetNumberOfComponents()} values a voxel (a colour picture or a field), "
            "not Hounsfield units; export the original CT.",
            "not-ct",
        )
    if len(size) > 4 or (len(size) == 4 and size[3] > 1):
        raise InputError(
            f"{path} holds {size[3]} volumes (shape {'x'.join(map(str, size))}); "
            "save the one head CT to be measured as its own file.",
            "four-dimensional",
        )


def _nrrd_fields(path: Path) -> set[str]:
    """Names of the fields in an NRRD text header, lower case."""
    fields = set()
    with path.open("rb") as stream:
        for line in stream:
            if not line.strip():
                break
            fields.add(line.split(b":")[0].decode("ascii", "replace").strip().lower())
    return fields
