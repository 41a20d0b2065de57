"""Load a scan of any format: recognise the content and call the function of its format."""

from __future__ import annotations

import os
from os import PathLike
from pathlib import Path

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.assemble import assemble
from MidlineShiftLogic.headct.dicom_folder import looks_like_dicom
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.headct.stack import AxialStack
from MidlineShiftLogic.headct.stored_values import GZIP_MARK, DamagedFile, first_bytes, require_regular_file
from MidlineShiftLogic.progress import Progress
from MidlineShiftLogic.quality import Quality

READABLE = "NIfTI (.nii, .nii.gz), NRRD, MHA/MHD, .npy, a DICOM folder or a DICOM file"

HEAD_BYTES = 540
"""Bytes that are enough to recognise every format: the length of the longest fixed header (NIfTI-2)."""

PICTURES = {
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
}
ARCHIVES = {b"PK\x03\x04": "zip", b"7z\xbc\xaf": "7z", b"Rar!": "rar"}


def read(
    path: str | PathLike,
    spacing: tuple[float, float, float] | None = None,
    progress: Progress | None = None,
) -> HeadCT:
    """Load a head CT. The format is recognised by the content, so a missing or wrong file ending does no harm.

    Args:
        path: NIfTI, NRRD, MHA/MHD or ``.npy`` file, DICOM folder (searched with its subfolders), or DICOM file.
        spacing: mm between (slices, rows, columns); needed for ``.npy`` and used for nothing else.
        progress: called with ``(done, total, what)`` while slices are loaded.

    Returns:
        The scan in canonical order; ``quality`` holds the flags raised while loading, some of which may be fatal.

    Raises:
        InputError: one sentence that names the path and the remedy, for everything that is not a usable scan.
    """
    path = Path(path)
    try:
        return _read(path, spacing, progress)
    except InputError as error:
        if str(path) in str(error):
            raise
        raise InputError(f"{path}: {error}", error.code) from error
    except MemoryError as error:
        raise InputError(f"There is not enough memory to load {path}; close other programs.", "memory") from error
    except Exception as error:  # one file must cost its own case only, whatever it leads to
        raise InputError(
            f"{path} cannot be loaded ({type(error).__name__}); it seems to be damaged. If other programs load it, please "
            "report this.",
            "unexpected",
        ) from error


def refuse_other_than_dicom(path: Path) -> None:
    """Raise InputError where a path is a file of another format; ``read`` reports missing files and folders."""
    if os.path.isfile(path) and not looks_like_dicom(_first_bytes(path)):
        raise InputError(
            f"{path} is not DICOM, so it has no study to file DICOM objects in; measure it without --dicom, or give the "
            "DICOM folder.",
            "not-dicom",
        )


def _read(path: Path, spacing, progress: Progress | None) -> HeadCT:
    if os.path.isfile(path) and _first_bytes(path).startswith(b"PK\x03\x04"):
        from MidlineShiftLogic.headct.npz import is_npz, read_npz

        if is_npz(path):
            return read_npz(path)
    stack = _stack(path, spacing, progress)
    if spacing is not None and stack.source["format"] != "npy":
        stack.quality.append(
            Quality(
                "spacing-ignored",
                "warning",
                f"The spacing given was not used: the {stack.source['format']} file carries its own voxel size.",
            )
        )
    return assemble(stack, progress)


def _stack(path: Path, spacing, progress: Progress | None) -> AxialStack:
    if os.path.isdir(path):
        from MidlineShiftLogic.headct.dicom import read_folder

        return read_folder(path, progress)
    head = _first_bytes(path)
    content = _unzipped(path, head)
    if content.startswith(b"\x93NUMPY"):
        from MidlineShiftLogic.headct.npy import read_npy

        return read_npy(path, spacing)
    if _is_nifti(content):
        from MidlineShiftLogic.headct.nifti import read_nifti

        return read_nifti(path, content)
    if head.startswith(b"NRRD000"):
        from MidlineShiftLogic.headct.nrrd import read_nrrd

        return read_nrrd(path)
    if _is_metaimage(head):
        from MidlineShiftLogic.headct.metaimage import read_metaimage

        return read_metaimage(path)
    if looks_like_dicom(head):
        from MidlineShiftLogic.headct.dicom import read_file

        return read_file(path)
    raise InputError(_what_it_is_not(path, head), "unknown-format")


def _first_bytes(path: Path) -> bytes:
    require_regular_file(path)
    try:
        with path.open("rb") as stream:
            return stream.read(HEAD_BYTES)
    except OSError as error:
        raise InputError(f"{path} cannot be opened ({error.strerror}); check the permissions.", "unreadable") from error


def _unzipped(path: Path, head: bytes) -> bytes:
    if not head.startswith(GZIP_MARK):
        return head
    try:
        return first_bytes(path, HEAD_BYTES)
    except DamagedFile as error:
        raise InputError(
            f"{path} is an incomplete or damaged gzip file; copy or download it again.", "damaged-file"
        ) from error


def _is_nifti(content: bytes) -> bool:
    return content[344:348] == b"n+1\0" or content[4:8] == b"n+2\0"


def _is_metaimage(head: bytes) -> bool:
    return b"ObjectType" in head[:200] or (b"NDims" in head and b"DimSize" in head)


def _what_it_is_not(path: Path, head: bytes) -> str:
    for magic, name in PICTURES.items():
        if head.startswith(magic):
            return f"{path} is a {name} picture, not a CT in Hounsfield units; give {READABLE}."
    for magic, name in ARCHIVES.items():
        if head.startswith(magic):
            return f"{path} is a {name} archive; unpack it and give the folder or file inside."
    if head[344:348] == b"ni1\0" or path.suffix.lower() == ".hdr":
        return f"{path} is the header of an Analyze or NIfTI pair; save the scan as one .nii or .nii.gz file."
    return f"{path} is not a scan in a known format; give {READABLE}."
