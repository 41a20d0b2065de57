"""The folder of one run of the child: it holds the patient's scan, so that it must not outlive Slicer, however that ends."""

import contextlib
import os
import shutil
import stat
import tempfile
import time
from pathlib import Path

PREFIX = "midlineshift-run-"
LOCK = "in-use.lock"
"""Locked by the system as long as the Slicer that made the folder lives; a lock ends with its process, a number does not."""
OLD_SECONDS = 3600
"""A folder is left alone for so long after its last change: the child of a Slicer that was killed may still work in it."""


class RunFolder:
    """A new temporary folder that says that it is in use.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self):
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._lock = (self.path / LOCK).open("wb")
        if not _tryLock(self._lock):
            self.remove()
            raise OSError(f"{self.path} is in use")

    def remove(self) -> None:
        """Delete the folder with all that is in it."""
        self._lock.close()
        shutil.rmtree(self.path, ignore_errors=True)


def removeStaleFolders(oldSeconds: float = OLD_SECONDS) -> list[Path]:
    """Delete what a Slicer that was killed left behind; returns the folders.

    Only folders that this module made, for this user, that no process uses, and that did not change for a while: with a
    lock, or empty, if the Slicer was killed before it made the lock.
    """
    removed = []
    for folder in sorted(Path(tempfile.gettempdir()).glob(f"{PREFIX}*")):
        with contextlib.suppress(OSError):
            if not _isOwn(folder) or time.time() - _lastChange(folder) < oldSeconds:
                continue
            if not any(folder.iterdir()):
                folder.rmdir()
            elif _isUnused(folder / LOCK):
                shutil.rmtree(folder, ignore_errors=True)
            else:
                continue
            removed.append(folder)
    return removed


def _isOwn(folder: Path) -> bool:
    """Return whether it is a folder, no link to one, of this user."""
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and (os.name == "nt" or found.st_uid == os.getuid())


def _lastChange(folder: Path) -> float:
    return max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))


def _isUnused(lock: Path) -> bool:
    """Return whether there is a lock that no process holds."""
    if not stat.S_ISREG(lock.lstat().st_mode):
        return False
    with lock.open("r+b") as file:
        return _tryLock(file)


def _tryLock(file) -> bool:
    """Lock an open file until it is closed; False if another process has it, or the same one through another file."""
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
