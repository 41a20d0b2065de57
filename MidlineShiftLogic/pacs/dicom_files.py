"""Find DICOM files on disk, read their meta information, and write files atomically."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from MidlineShiftLogic.errors import InputError

PART = ".part"


@dataclass(frozen=True)
class DicomFile:
    """A DICOM file and the UIDs of its meta information."""

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str


def image_file_name(sop_instance_uid: str) -> str:
    """Return the file name of an object: a digest, so that any claimed UID becomes a safe name."""
    return hashlib.sha256(sop_instance_uid.encode()).hexdigest()[:32] + ".dcm"


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file that gets its name only after it is complete and on the disk.

    Raises:
        OSError: it cannot be written; no partial file is left.
    """
    part = path.with_name(path.name + PART)
    try:
        # It holds a patient's image: for its owner only.
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
        with open(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Flush a folder's names to the disk; Windows cannot open a folder and does this itself."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def find_dicom_files(paths: Iterable[Path]) -> Iterator[DicomFile]:
    """Yield the DICOM files among files and in folders, sorted by name; other files in a folder are skipped.

    Raises:
        InputError: no such path, or a file named by itself is not DICOM.
    """
    for path in paths:
        if path.is_dir():
            inside = sorted(Path(place) / name for place, _, names in os.walk(path) for name in names)
            yield from (found for found in map(read_meta, inside) if found)
        elif path.is_file():
            found = read_meta(path)
            if found is None:
                raise InputError(f"{path} is not a DICOM file (no file meta information).", "not-dicom")
            yield found
        else:
            raise InputError(f"There is no file or folder {path}; check the path.", "no-such-path")


def read_meta(path: Path) -> DicomFile | None:
    """Read a file's meta information; None if it is not a DICOM file, or a DICOMDIR."""
    from pydicom.errors import InvalidDicomError
    from pydicom.filereader import read_file_meta_info
    from pydicom.uid import MediaStorageDirectoryStorage

    try:
        with path.open("rb") as stream:
            if stream.read(132)[128:] != b"DICM":
                return None
        meta = read_file_meta_info(path)
        found = DicomFile(
            path,
            str(meta.MediaStorageSOPClassUID),
            str(meta.MediaStorageSOPInstanceUID),
            str(meta.TransferSyntaxUID),
        )
    except (InvalidDicomError, OSError, EOFError, AttributeError, ValueError, KeyError, NotImplementedError):
        return None
    return None if found.sop_class_uid == MediaStorageDirectoryStorage else found
