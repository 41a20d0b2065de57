"""Look through a folder for DICOM images, and list the series that it holds."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.folder_walk import regular_files
from MidlineShiftLogic.headct.frames import Frame, frames_of, read_header
from MidlineShiftLogic.headct.series import SeriesInfo, group, rank
from MidlineShiftLogic.progress import Progress, silent
from MidlineShiftLogic.text import counted


def looks_like_dicom(head: bytes) -> bool:
    """Return whether a file that starts so may be DICOM: the ``DICM`` mark, or (old files) a first group of 2 or 8."""
    return head[128:132] == b"DICM" or head[:4] in (b"\x08\0\x05\0", b"\x08\0\x08\0", b"\x08\0\0\0", b"\x02\0\0\0")


@dataclass(frozen=True)
class FolderContent:
    """The series of a folder, the chosen one first, and the number of damaged DICOM files beside them."""

    series: list[SeriesInfo]
    damaged: int


def find_series(folder: str | PathLike, progress: Progress | None = None) -> list[SeriesInfo]:
    """Find every series in a folder and its subfolders, the chosen one first.

    Args:
        folder: the folder.
        progress: called with each file.

    Raises:
        InputError: no such folder, an empty one, or one without DICOM images.
    """
    return look_into_folder(folder, progress).series


def look_into_folder(folder: str | PathLike, progress: Progress | None = None) -> FolderContent:
    """Find series as ``find_series`` does, and return them with the number of files that are damaged."""
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}; check the path.", "no-such-path")
    progress = progress or silent
    files = sorted(regular_files(folder))
    if not files:
        raise InputError(f"The folder {folder} is empty; give the folder with the DICOM images.", "empty-folder")
    frames: list[Frame] = []
    damaged = 0
    for index, file in enumerate(files):
        progress(index, len(files), "looking at files")
        found = _frames_in(file)
        damaged += found is None
        frames.extend(found or ())
    if not frames:
        others = f"{damaged} of {len(files)} files are damaged" if damaged else f"{counted(len(files), 'other file')}"
        raise InputError(
            f"The folder {folder} holds no DICOM images ({others}); "
            "give the folder with the DICOM images, or one scan file.",
            "no-dicom",
        )
    return FolderContent(rank(group(frames)), damaged)


def _frames_in(file: Path) -> list[Frame] | None:
    """Return the images of a file, none for other files, None for a damaged DICOM file."""
    try:
        with file.open("rb") as stream:
            head = stream.read(132)
    except OSError:
        return []
    if not looks_like_dicom(head):
        return []
    header = read_header(file)
    if header is None:
        return None if head[128:] == b"DICM" else []
    return frames_of(header, file)
