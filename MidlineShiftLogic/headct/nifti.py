"""Reading NIfTI-1 and NIfTI-2, plain or gzipped, whatever the file is called."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.canonical import from_volume
from MidlineShiftLogic.headct.stack import AxialStack
from MidlineShiftLogic.quality import Quality

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])

MM_PER_UNIT = {"meter": 1000.0, "mm": 1.0, "micron": 0.001, "unknown": 1.0}


def read_nifti(path: Path, header: bytes) -> AxialStack:
    """The scan of one NIfTI file.

    Args:
        path: the file.
        header: its first bytes, unzipped.

    Raises:
        InputError: damaged, four-dimensional, coloured, or without geometry.
    """
    import nibabel

    kind = nibabel.Nifti2Image if header[4:8] in (b"n+2\0", b"ni2\0") else nibabel.Nifti1Image
    zipped = path.open("rb").read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path, "rb") if zipped else path.open("rb") as stream:
            image = kind.from_stream(stream)
            voxels = _squeezed(path, _stored_values(image))
    except (OSError, EOFError, ValueError, zlib.error, nibabel.spatialimages.HeaderDataError) as error:
        raise InputError(
            f"{path} is an incomplete or damaged NIfTI file; copy or download it again.", "damaged-file"
        ) from error
    affine, flags = _affine(image)
    slope, intercept = _scaling(image)
    stack = from_volume(voxels, RAS_TO_LPS @ affine, lambda values: values * slope + intercept)
    stack.source.update(
        format="NIfTI",
        stored_shape=list(voxels.shape),
        stored_spacing_mm=[round(float(step), 4) for step in np.linalg.norm(affine[:3, :3], axis=0)],
    )
    stack.quality.extend(flags)
    return stack


def _stored_values(image) -> np.ndarray:
    """The raw values: scaling them all at once would make floats of a whole thin-slice scan."""
    return np.asanyarray(image.dataobj.get_unscaled())


def _scaling(image) -> tuple[np.float32, np.float32]:
    slope, intercept = image.dataobj.slope, image.dataobj.inter
    return np.float32(slope), np.float32(intercept)


def _squeezed(path: Path, voxels: np.ndarray) -> np.ndarray:
    """(i, j, k) values; extra axes of length one are dropped, a missing third one is added."""
    if voxels.dtype.names or voxels.dtype.kind == "c":
        raise InputError(
            f"{path} holds coloured or complex values, not Hounsfield units; export the original CT images.", "not-ct"
        )
    while voxels.ndim > 3 and voxels.shape[-1] == 1:
        voxels = voxels[..., 0]
    if voxels.ndim > 3:
        raise InputError(
            f"{path} holds {voxels.shape[3]} volumes (shape {'x'.join(map(str, voxels.shape))}); "
            "save the one head CT to be measured as its own file.",
            "four-dimensional",
        )
    if 0 in voxels.shape or voxels.ndim < 2:
        raise InputError(f"{path} holds no volume (shape {voxels.shape}); export the scan again.", "not-a-volume")
    return voxels[..., None] if voxels.ndim == 2 else voxels


def _affine(image) -> tuple[np.ndarray, list[Quality]]:
    """(4, 4) index -> RAS mm by the header's rule (sform, else qform, else voxel sizes alone), and what to tell of it."""
    from nibabel import aff2axcodes

    header = image.header
    flags = []
    affine = image.affine.astype(float)
    if header["sform_code"] == 0 and header["qform_code"] == 0:
        flags.append(
            Quality(
                "no-orientation",
                "warning",
                "The NIfTI header does not say how the scan lies in the patient (sform and qform codes are 0); "
                "left and right follow the usual order of the file and must be checked.",
            )
        )
    elif header["sform_code"] > 0 and header["qform_code"] > 0:
        qform = header.get_qform()
        if aff2axcodes(affine) != aff2axcodes(qform):
            flags.append(
                Quality(
                    "orientation-conflict",
                    "warning",
                    f"The NIfTI header gives two orientations (sform {''.join(map(str, aff2axcodes(affine)))}, "
                    f"qform {''.join(map(str, aff2axcodes(qform)))}); the sform was used, check left and right.",
                )
            )
    affine[:3] *= MM_PER_UNIT.get(header.get_xyzt_units()[0], 1.0)
    return affine, flags
