"""Return whether a scan on disk is still the one that was measured, without reading its content."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path


def input_fingerprint(source: Path, others: Iterable[Path] = ()) -> str:
    """Return a digest of names, sizes and modification times of the files of a scan and of ``others``.

    Copying a scan may change the digest, and then the scan is measured again. A changed scan that keeps size and time,
    to the nanosecond, is not noticed.

    Args:
        source: File or folder of the scan.
        others: Files and folders that the result depends on too (earlier results).

    Returns:
        16 hexadecimal digits.
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
    if not os.path.isdir(path):
        yield path.name, path
        return
    for place, folders, names in os.walk(path):
        folders.sort()
        for name in names:
            file = Path(place) / name
            yield str(file.relative_to(path)), file
