"""DICOM files on disk: found, looked into, and written so that they are whole or not there."""

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
class Stored:
    """A DICOM file and what its meta information says of it."""

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str


def image_name(sop_instance_uid: str) -> str:
    """File name of an object: a digest, so that whatever a sender claims as UID is a harmless name."""
    return hashlib.sha256(sop_instance_uid.encode()).hexdigest()[:32] + ".dcm"


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that has the name only once it is whole and on the disk, whatever happens meanwhile.

    Raises:
        OSError: it cannot be written; nothing is left.
    """
    part = path.with_name(path.name + PART)
    try:
        with part.open("wb") as stream:
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
    """Make names in a folder last through a power cut; systems that cannot open a folder see to it themselves."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def find_dicom(paths: Iterable[Path]) -> Iterator[Stored]:
    """The DICOM files among files and in folders, sorted by name; other files in a folder are passed over.

    Raises:
        InputError: no such path, or a file named by itself is not DICOM.
    """
    for path in paths:
        if path.is_dir():
            inside = sorted(Path(place) / name for place, _, names in os.walk(path) for name in names)
            yield from (found for found in map(look_at, inside) if found)
        elif path.is_file():
            found = look_at(path)
            if found is None:
                raise InputError(f"{path} is not a DICOM file (no file meta information).", "not-dicom")
            yield found
        else:
            raise InputError(f"There is no file or folder {path}; check the path.", "no-such-path")


def look_at(path: Path) -> Stored | None:
    """What the file's meta information says; None if it is no DICOM file, or a DICOMDIR."""
    from pydicom.errors import InvalidDicomError
    from pydicom.filereader import read_file_meta_info
    from pydicom.uid import MediaStorageDirectoryStorage

    try:
        with path.open("rb") as stream:
            if stream.read(132)[128:] != b"DICM":
                return None
        meta = read_file_meta_info(path)
        found = Stored(
            path,
            str(meta.MediaStorageSOPClassUID),
            str(meta.MediaStorageSOPInstanceUID),
            str(meta.TransferSyntaxUID),
        )
    except (InvalidDicomError, OSError, EOFError, AttributeError, ValueError, KeyError, NotImplementedError):
        return None
    return None if found.sop_class_uid == MediaStorageDirectoryStorage else found
