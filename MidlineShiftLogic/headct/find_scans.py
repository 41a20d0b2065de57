"""Find the scans of a folder tree: volume files, and one case for each DICOM study.

This is the one scan finder of both commands. It looks at names and at the identifiers in DICOM headers only; whether a
file is a head CT that can be measured is found out when it is loaded.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.dicom_file import DEFLATED, read_dataset, survey
from MidlineShiftLogic.headct.dicom_folder import looks_like_dicom
from MidlineShiftLogic.headct.folder_walk import Folder, walk
from MidlineShiftLogic.headct.stored_values import DamagedFile
from MidlineShiftLogic.progress import Progress, silent

VOLUME_ENDINGS = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd", ".npy")
SKIPPED_FOLDERS = frozenset({"__MACOSX"})
RESULT_MARK = "measurement.json"
"""A folder with this file holds a result of this program, DICOM pictures among it; no scan."""

PATIENT_ID, STUDY_UID, ROWS = (0x0010, 0x0020), (0x0020, 0x000D), (0x0028, 0x0010)


@dataclass(frozen=True)
class FoundScan:
    """One scan, or an entry that cannot be used.

    Attributes:
        path: as ``headct.read`` takes it.
        problem: why it must not be given to ``read``, one sentence; ``""`` for a scan.
        code: stable code of the problem.
    """

    path: Path
    problem: str = ""
    code: str = ""


@dataclass
class _Tree:
    path: Path
    studies: set[str] = field(default_factory=set)
    volumes: list[Path] = field(default_factory=list)
    damaged: list[Path] = field(default_factory=list)
    parts: list[_Tree] = field(default_factory=list)
    all_studies: set[str] = field(default_factory=set)
    any_volume: bool = False


def find_scans(
    folder: str | PathLike, leave_out: Iterable[Path] = (), progress: Progress | None = None
) -> list[FoundScan]:
    """Find every scan in a folder and its subfolders, in the order of their paths.

    A folder whose DICOM images, with those of its subfolders, are of one study is one scan (``read`` chooses the
    series), whatever else it holds, unless it holds the images in subfolders only and volume files beside them. Hidden
    files, results of this program and ``leave_out`` are skipped. Links to folders are followed, each folder once.

    Args:
        folder: the top.
        leave_out: folders to skip (where results are written).
        progress: called with each folder.

    Returns:
        The scans. Entries that cannot be used have a ``problem``: folders with images of several studies together,
        damaged DICOM files without intact ones beside them, folders that cannot be opened or are too deep, links
        that lead nowhere.

    Raises:
        InputError: no scan and no problem at all (``no-scans``), or the folder itself cannot be opened.
    """
    top, problems = _search(Path(folder), {os.path.realpath(path) for path in leave_out}, progress or silent)
    found = sorted([*_collect(top), *problems], key=lambda scan: scan.path.parts)
    if not found:
        raise InputError(
            f"The folder {folder} holds no scans; give NIfTI, NRRD, MHA or .npy files, or DICOM folders.", "no-scans"
        )
    if len(found) == 1 and found[0].path == Path(folder) and found[0].code == "unreadable":
        raise InputError(found[0].problem, found[0].code)
    return found


def _search(top: Path, leave_out: set[str], progress: Progress) -> tuple[_Tree, list[FoundScan]]:
    """Return the tree of folders with what each holds, and the entries that cannot be used."""
    trees: dict[Path, _Tree] = {}
    order: list[_Tree] = []
    problems: list[FoundScan] = []
    for count, folder in enumerate(walk(top, leave_out, hidden=False), 1):
        progress(count, count, "looking for scans")
        problems += [FoundScan(path, sentence, "unreadable") for path, sentence in folder.problems]
        tree = _Tree(folder.path)
        if folder.path != top:
            trees[folder.path.parent].parts.append(tree)
        trees[folder.path] = tree
        if RESULT_MARK in folder.files:
            folder.folders.clear()
            continue
        folder.folders[:] = [path for path in folder.folders if path.name not in SKIPPED_FOLDERS]
        _look_at_files(folder, tree)
        order.append(tree)
    for tree in reversed(order):
        tree.all_studies = tree.studies.union(*(part.all_studies for part in tree.parts))
        tree.any_volume = bool(tree.volumes) or any(part.any_volume for part in tree.parts)
    return trees.get(top, _Tree(top)), problems


def _look_at_files(folder: Folder, tree: _Tree) -> None:
    for name in folder.files:
        path = folder.path / name
        if name.lower().endswith(VOLUME_ENDINGS):
            tree.volumes.append(path)
            continue
        try:
            study = _study(path)
        except (DamagedFile, InputError):
            tree.damaged.append(path)
        else:
            if study is not None:
                tree.studies.add(study)


def _collect(top: _Tree) -> list[FoundScan]:
    found: list[FoundScan] = []
    waiting = [top]
    while waiting:
        tree = waiting.pop()
        if len(tree.all_studies) == 1 and (tree.studies or not tree.any_volume):
            found.append(FoundScan(tree.path))
            continue
        found += [FoundScan(path) for path in tree.volumes]
        if tree.studies:
            problem = (
                f"The folder {tree.path} holds images of {len(tree.all_studies)} studies together; "
                "put each study into a folder of its own."
            )
            found.append(FoundScan(tree.path, problem, "mixed-studies"))
        else:
            found += [FoundScan(path, *_damaged_sentence(path)) for path in tree.damaged]
        waiting.extend(tree.parts)
    return found


def _damaged_sentence(path: Path) -> tuple[str, str]:
    return f"{path} is a damaged DICOM file; copy or export it again.", "damaged-file"


def _study(file: Path) -> str | None:
    """Return an identifier of the file's study, or None if it is not a DICOM image.

    Raises:
        DamagedFile: DICOM, but damaged or beyond the limits. InputError: it cannot be opened.
    """
    try:
        with file.open("rb") as stream:
            if not looks_like_dicom(stream.read(132)):
                return None
            stream.seek(0)
            about = survey(stream, file.stat().st_size, (PATIENT_ID, STUDY_UID, ROWS))
    except OSError:
        return None
    values = about.values
    if about.transfer_syntax == DEFLATED:
        header = read_dataset(file)
        values = {tag: str(header[tag].value).encode() for tag in (PATIENT_ID, STUDY_UID, ROWS) if tag in header}
    if ROWS not in values:
        return None
    patient, study = (values.get(tag, b"").strip(b"\0 ").decode("latin-1") for tag in (PATIENT_ID, STUDY_UID))
    # Some anonymisers remove the study's UID: then a folder counts as a study.
    return f"{patient}\n{study or f'folder {file.parent}'}"
