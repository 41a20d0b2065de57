"""The scans of a folder tree: volume files, and one case for each DICOM study.

Only names and DICOM headers are looked at; whether a file is a head CT that can be measured is seen when it is read.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.series import looks_like_dicom
from MidlineShiftLogic.progress import Progress, silent

VOLUME_ENDINGS = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd", ".npy")
NOT_LOOKED_INTO = frozenset({"__MACOSX"})
NONSENSE = (ValueError, TypeError, KeyError, AttributeError, OverflowError, struct.error)
"""What pydicom raises for headers that are not what they should be."""
RESULT_MARK = "measurement.json"
"""A folder with this file holds a result of ours, DICOM pictures among it; no scan."""


@dataclass(frozen=True)
class FoundScan:
    """Attributes: ``path`` as ``headct.read`` takes it; ``problem``: why it must not be given to it, or ``""``."""

    path: Path
    problem: str = ""


@dataclass
class _Folder:
    path: Path
    studies: set[str] = field(default_factory=set)
    volumes: list[Path] = field(default_factory=list)
    parts: list[_Folder] = field(default_factory=list)

    def all_studies(self) -> set[str]:
        return self.studies.union(*(part.all_studies() for part in self.parts))

    def any_volume(self) -> bool:
        return bool(self.volumes) or any(part.any_volume() for part in self.parts)


def find_scans(
    folder: str | PathLike, leave_out: Iterable[Path] = (), progress: Progress | None = None
) -> list[FoundScan]:
    """Every scan in a folder and its subfolders, in the order of their paths.

    A folder all of whose DICOM images, with those of its subfolders, are of one study is one scan (``read`` chooses the
    series), whatever else lies in it, unless it holds the images in subfolders only and volume files beside them. Hidden
    files, results of ours and ``leave_out`` are not looked at. Links to folders are followed, each place once.

    Args:
        folder: the top.
        leave_out: folders not to look into (where results are written).
        progress: told each folder looked at.

    Returns:
        The scans; a folder with images of several studies in one heap is among them, with its ``problem``.

    Raises:
        InputError: there is no scan at all.
    """
    top = _look(Path(folder), {os.path.realpath(path) for path in leave_out}, progress or silent, [0])
    found = [] if top is None else _collect(top)
    if not found:
        raise InputError(
            f"The folder {folder} holds no scans; give NIfTI, NRRD, MHA or .npy files, or DICOM folders.", "no-scans"
        )
    return found


def _look(folder: Path, seen: set[str], progress: Progress, count: list[int]) -> _Folder | None:
    place = os.path.realpath(folder)
    if place in seen:
        return None
    seen.add(place)
    count[0] += 1
    progress(count[0], count[0], "looking for scans")
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise InputError(
            f"{folder} cannot be opened ({error.strerror}); check the permissions.", "unreadable"
        ) from error
    here = _Folder(folder)
    if any(entry.name == RESULT_MARK for entry in entries):
        return None
    for entry in entries:
        if entry.name.startswith(".") or entry.name in NOT_LOOKED_INTO:
            continue
        path = folder / entry.name
        if entry.is_dir():
            part = _look(path, seen, progress, count)
            if part is not None:
                here.parts.append(part)
        elif entry.name.lower().endswith(VOLUME_ENDINGS):
            here.volumes.append(path)
        else:
            study = _study(path)
            if study is not None:
                here.studies.add(study)
    return here


def _collect(folder: _Folder) -> list[FoundScan]:
    studies = folder.all_studies()
    if len(studies) == 1 and (folder.studies or not folder.any_volume()):
        return [FoundScan(folder.path)]
    found = [FoundScan(path) for path in folder.volumes]
    if folder.studies:
        problem = (
            f"The folder {folder.path} holds images of {len(studies)} studies in one heap; "
            "put each study into a folder of its own."
        )
        found.append(FoundScan(folder.path, problem))
    for part in folder.parts:
        found.extend(_collect(part))
    return sorted(found, key=lambda scan: scan.path.parts)


def _study(file: Path) -> str | None:
    """What tells the file's study from others, or None if it is no DICOM image."""
    import pydicom
    from pydicom.errors import InvalidDicomError

    try:
        with file.open("rb") as stream:
            if not looks_like_dicom(stream.read(132)):
                return None
        tags = ["StudyInstanceUID", "PatientID", "Rows"]
        header = pydicom.dcmread(file, stop_before_pixels=True, force=True, specific_tags=tags)
        if "Rows" not in header:
            return None
        # Some anonymisers leave the study's UID out: then a folder counts as a study.
        study = str(header.get("StudyInstanceUID") or "") or f"folder {file.parent}"
        return f"{header.get('PatientID') or ''}\n{study}"
    except (InvalidDicomError, OSError, EOFError, NotImplementedError, *NONSENSE):
        return None
