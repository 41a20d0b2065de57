"""Whether a scan on disk is still the one that was measured, without reading it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path


def input_stamp(source: Path, others: Iterable[Path] = ()) -> str:
    """A digest of names, sizes and times of change of a scan's files (all below a folder) and of ``others``.

    Copying a scan may change it, and then the scan is measured again; a changed scan that keeps size and time, to the
    nanosecond, would not be noticed.
    """
    digest = hashlib.sha256()
    for path in (source, *others):
        for name, file in sorted(_files(path)):
            try:
                about = file.stat()
            except OSError:
                digest.update(f"{name}\0missing\0".encode("utf-8", "surrogateescape"))
            else:
                line = f"{name}\0{about.st_size}\0{about.st_mtime_ns}\0"
                digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:16]


def _files(path: Path) -> Iterable[tuple[str, Path]]:
    if not path.is_dir():
        yield path.name, path
        return
    for place, folders, names in os.walk(path):
        folders.sort()
        for name in names:
            file = Path(place) / name
            yield str(file.relative_to(path)), file
