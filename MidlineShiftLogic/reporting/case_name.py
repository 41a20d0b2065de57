"""Make names of cases and of their result folders from the names of the inputs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from os import PathLike
from pathlib import Path

from MidlineShiftLogic.text import is_removed

ENDINGS = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd", ".npy", ".dcm", ".dicom", ".gz")
FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]+')
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
LONGEST_BYTES = 120
"""Leaves room for the marks of an unfinished folder within the 255 bytes that file systems allow."""


def case_name(path: str | PathLike) -> str:
    """Return a file name that every file system takes, from the last part of ``path`` without its scan ending.

    Letters of any script, spaces and dots stay; what Windows or a shell separator forbids becomes ``_``.
    """
    name = Path(path).name or Path(path).resolve().name
    if name in (".", ".."):
        name = Path(path).resolve().name
    for ending in ENDINGS:
        if name.lower().endswith(ending) and len(name) > len(ending):
            name = name[: -len(ending)]
            break
    name = FORBIDDEN.sub("_", name.encode("utf-8", "replace").decode("utf-8"))
    name = "".join("_" if is_removed(sign) else sign for sign in name).strip(" .")
    name = name.encode()[:LONGEST_BYTES].decode(errors="ignore").strip(" .")
    return f"_{name}" if not name or RESERVED.fullmatch(name) else name


def case_names(paths: Iterable[str | PathLike]) -> list[str]:
    """Return one name for each path, in order; a repeated one gets ``-2``, ``-3``... (case is ignored)."""
    return unique_names(case_name(path) for path in paths)


def unique_names(wanted: Iterable[str]) -> list[str]:
    """Return the names in order, each once: a repeated one gets ``-2``, ``-3``..."""
    taken: set[str] = set()
    numbers: dict[str, int] = {}  # thousands of scans may have one name: numbers that are taken are not tried again
    names = []
    for first in wanted:
        name = first
        number = numbers.get(first.casefold(), 1)
        while name.casefold() in taken:
            number += 1
            name = f"{first}-{number}"
        numbers[first.casefold()] = number
        taken.add(name.casefold())
        names.append(name)
    return names
