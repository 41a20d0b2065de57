"""Scans of a folder, by the endings of their names."""

from __future__ import annotations

from pathlib import Path

from MidlineShiftLogic.errors import InputError

ENDINGS = (".nii", ".nii.gz", ".nrrd", ".mha", ".mhd")


def scan_paths(folder: Path) -> list[Path]:
    """Scan files of a folder and its sub-folders (DICOM series); ``.npy`` carries no spacing and is left out.

    Raises:
        InputError: no such folder, or nothing in it.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder of scans {folder}.", "no-scans")
    visible = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    paths = [path for path in visible if path.is_dir() or path.name.lower().endswith(ENDINGS)]
    if not paths:
        raise InputError(f"No scans ({', '.join(ENDINGS)}, DICOM folders) in {folder}.", "no-scans")
    return paths
