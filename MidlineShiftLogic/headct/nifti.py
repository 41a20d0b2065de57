"""Load NIfTI-1 and NIfTI-2 files, plain or gzipped, whatever the file is called."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.canonical import MAX_MM, from_volume, spacing_of
from MidlineShiftLogic.headct.stack import AxialStack
from MidlineShiftLogic.headct.stored_values import GZIP_MARK, DamagedFile, Values, load_values
from MidlineShiftLogic.headct.text_header import spatial_shape
from MidlineShiftLogic.quality import Quality

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])

MM_PER_UNIT = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
"""Codes of ``xyzt_units`` (bits 0 to 2): unknown (taken as mm), metre, millimetre, micrometre."""

HEADER_BYTES = {1: 348, 2: 540}
CONFLICT_SHARE = 0.02
"""Voxel sizes of two header entries that differ by more than this share are reported; rounding to float32 is below it."""


def read_nifti(path: Path, head: bytes) -> AxialStack:
    """Load the scan of one NIfTI file.

    Args:
        path: the file.
        head: its first 540 bytes, decompressed.

    Raises:
        InputError: damaged, four-dimensional, coloured, or without usable geometry.
    """
    try:
        header = _header(head)
        shape = _shape(path, header)
        dtype = _dtype(path, header)
        with path.open("rb") as stream:
            compression = "file" if stream.read(2) == GZIP_MARK else ""
        voxels = load_values(Values(path, _offset(header), shape, dtype, compression))
        slope, intercept = _scaling(header)
    except (OSError, DamagedFile) as error:
        raise InputError(
            f"{path} is an incomplete or damaged NIfTI file ({_reason(error)}); copy or download it again.",
            "damaged-file",
        ) from error
    affine, flags = _affine(path, header)
    voxels = voxels.reshape((*shape, 1, 1)[:3], order="F")
    stack = from_volume(voxels, RAS_TO_LPS @ affine, lambda values: values * slope + intercept)
    stack.source.update(format="NIfTI", stored_shape=list(voxels.shape), stored_spacing_mm=spacing_of(affine))
    stack.quality.extend(flags)
    return stack


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _header(head: bytes):
    """Return the header's fields as stored: nibabel would replace wrong ones by defaults without a message."""
    import nibabel

    version = 2 if head[4:8] in (b"n+2\0", b"ni2\0") else 1
    if len(head) < HEADER_BYTES[version]:
        raise DamagedFile("its header is cut off")
    kind = nibabel.Nifti2Header if version == 2 else nibabel.Nifti1Header
    for order in "<>":
        header = kind(head[: HEADER_BYTES[version]], order, check=False)
        if int(header["sizeof_hdr"]) == HEADER_BYTES[version]:
            return header
    raise DamagedFile("its header has the wrong size")


def _shape(path: Path, header) -> tuple[int, ...]:
    """Return the voxels along i, j and k; trailing axes of length one are dropped."""
    dimensions = int(header["dim"][0])
    if not 1 <= dimensions <= 7:
        raise DamagedFile(f"its header names {dimensions} dimensions")
    shape = [int(length) for length in header["dim"][1 : dimensions + 1]]
    if min(shape) < 0:
        raise DamagedFile(f"its header names the size {min(shape)}")
    return spatial_shape(path, shape)


def _dtype(path: Path, header) -> np.dtype:
    from nibabel.spatialimages import HeaderDataError

    try:
        dtype = header.get_data_dtype()
    except (HeaderDataError, KeyError, ValueError) as error:
        raise DamagedFile(f"unknown data type {int(header['datatype'])}") from error
    if dtype.names or dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise InputError(
            f"{path} holds coloured or complex values, not Hounsfield units; export the original CT images.", "not-ct"
        )
    if int(header["bitpix"]) not in (0, 8 * dtype.itemsize):
        raise DamagedFile("data type and bits a voxel disagree")
    return dtype


def _offset(header) -> int:
    least = HEADER_BYTES[2 if int(header["sizeof_hdr"]) == HEADER_BYTES[2] else 1]
    offset = float(header["vox_offset"])
    if not (np.isfinite(offset) and offset == int(offset) and (offset == 0 or least <= offset < 1e8)):
        raise DamagedFile(f"its voxels cannot begin at byte {offset:g}")
    return int(offset) or least + 4


def _scaling(header) -> tuple[np.float32, np.float32]:
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if not np.isfinite(slope) or slope == 0:
        return np.float32(1), np.float32(0)
    if not np.isfinite(intercept):
        raise DamagedFile("its rescale intercept is not a number")
    return np.float32(slope), np.float32(intercept)


def _affine(path: Path, header) -> tuple[np.ndarray, list[Quality]]:
    """Return (4, 4) index -> RAS mm by the header's rule (sform, else qform, else voxel sizes alone), and its flags."""
    from nibabel import aff2axcodes

    unit = MM_PER_UNIT.get(int(header["xyzt_units"]) & 7)
    if unit is None:
        raise _no_geometry(path, f"its unit of length has the unknown code {int(header['xyzt_units']) & 7}")
    sizes = np.asarray(header["pixdim"][1:4], dtype=float)
    valid = bool(np.isfinite(sizes).all() and (sizes > 0).all())
    has_sform, has_qform = int(header["sform_code"]) > 0, int(header["qform_code"]) > 0
    if not has_sform and not valid and int(header["dim"][0]) > 2:
        given = " x ".join(f"{size:g}" for size in sizes)
        raise _no_geometry(path, f"its voxel size is {given}")
    if not valid:
        header["pixdim"][1:4] = 1.0
    if header["pixdim"][0] not in (-1.0, 1.0):
        header["pixdim"][0] = 1.0  # NIfTI: 0 counts as 1
    qform = _qform(header) if has_qform else None
    if not has_sform and has_qform and qform is None:
        raise _no_geometry(path, "its qform is not a rotation")
    flags = []
    if has_sform:
        affine = np.asarray(header.get_sform(), dtype=float)
        if not np.isfinite(affine).all() or np.abs(affine).max() > MAX_MM or not np.linalg.det(affine[:3, :3]):
            raise _no_geometry(path, "its sform is not a usable matrix")
        flags += _conflicts(affine, sizes, valid)
    elif qform is not None:
        affine = qform
    else:
        affine = np.asarray(header.get_base_affine(), dtype=float)
        flags.append(
            Quality(
                "no-orientation",
                "warning",
                "The NIfTI header does not state how the scan is oriented in the patient (sform and qform codes are "
                "0); left and right follow the usual order of the file and must be checked.",
            )
        )
    if has_sform and qform is not None and aff2axcodes(affine) != aff2axcodes(qform):
        names = ["".join(map(str, aff2axcodes(one))) for one in (affine, qform)]
        flags.append(
            Quality(
                "orientation-conflict",
                "warning",
                f"The NIfTI header gives two orientations (sform {names[0]}, qform {names[1]}); the sform was used, "
                "check left and right.",
            )
        )
    affine = affine.copy()
    affine[:3] *= unit
    return affine, flags


def _qform(header) -> np.ndarray | None:
    try:
        qform = np.asarray(header.get_qform(), dtype=float)
    except (ValueError, ArithmeticError):
        return None
    return qform if np.isfinite(qform).all() and np.linalg.det(qform[:3, :3]) else None


def _conflicts(sform: np.ndarray, sizes: np.ndarray, valid: bool) -> list[Quality]:
    """Return a warning where the sform and the voxel sizes of the header name different millimetres."""
    lengths = np.linalg.norm(sform[:3, :3], axis=0)
    if valid and (np.abs(lengths - sizes) <= CONFLICT_SHARE * sizes).all():
        return []
    given = [" x ".join(f"{size:.3g}" for size in one) for one in (lengths, sizes)]
    return [
        Quality(
            "spacing-conflict",
            "warning",
            f"The NIfTI header gives two voxel sizes (sform {given[0]}, pixdim {given[1]}); the sform was used, "
            "check it, since every millimetre measured depends on it.",
        )
    ]


def _no_geometry(path: Path, why: str) -> InputError:
    return InputError(
        f"{path} has no usable geometry ({why}); export it again from the original DICOM images.", "no-geometry"
    )
