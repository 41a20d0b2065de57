"""Make what is unfinished so that a run leaves nothing behind, or only what the next run removes, however it ends.

A signal that comes during a system call is handled right behind it: what is made must be made inside the ``try`` whose
``finally`` removes it, and so under a name that is known before.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STALE_AFTER_SECONDS = 24 * 3600
"""Windows cannot be asked about a process without touching it; there, what is so old counts as left by a dead process."""


def owner() -> str:
    """Return the machine and number of this process, for names of what it has not finished."""
    return f"{host()}-{os.getpid()}"


def host() -> str:
    """Return the name of this machine: nodes of a cluster share the folder but not their process ids."""
    return re.sub(r"[^A-Za-z0-9]+", "_", platform.node())[:32] or "host"


def unfinished_name(name: str) -> str:
    """Return the hidden name of what becomes ``name``; ``remove_stale`` knows it once this process is dead."""
    return f".{name}.partial-{owner()}"


@contextmanager
def unfinished_folder(final: Path) -> Iterator[Path]:
    """Yield a new private folder beside ``final``, on the same disk; it is removed at the end where it is still there.

    What dead processes left of the same ``final`` is removed first. Missing parents are made.

    Raises:
        OSError: it cannot be made.
    """
    partial = final.parent / unfinished_name(final.name)
    with remove_if_left_empty(final.parent):
        try:
            final.parent.mkdir(parents=True, exist_ok=True)
            remove_stale(final.parent, final.name)
            partial.mkdir(mode=0o700)
            yield partial
        finally:
            shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def remove_if_left_empty(folder: Path) -> Iterator[None]:
    """Remove ``folder`` and its parents at the end, as far as they were missing at the beginning and are empty then."""
    missing = [path for path in (folder, *folder.parents) if not os.path.lexists(path)]
    try:
        yield
    finally:
        with contextlib.suppress(OSError, ValueError):  # never made, or not empty
            for path in missing:
                path.rmdir()


def remove_stale(folder: Path, name: str | None = None) -> None:
    """Remove what killed runs on this machine left in ``folder``; put back a result one of them had moved aside.

    To be called before this process has anything unfinished there.

    Args:
        folder: one that cannot be listed, or is no longer there, is left alone.
        name: only what was to become this; all if None.
    """
    final_name = ".+" if name is None else re.escape(name)
    pattern = re.compile(
        rf"\.(?P<final>{final_name})\.(?P<kind>partial|old)-{re.escape(host())}-(?P<pid>\d+)(-\d+)?", re.DOTALL
    )
    try:
        entries = list(folder.iterdir())
    except OSError:  # it may be written but not listed, or another process that had made it removed it again
        return
    for entry in entries:
        match = pattern.fullmatch(entry.name)
        if not match or _alive(int(match["pid"]), entry):
            continue
        final = folder / match["final"]
        if match["kind"] == "old" and not final.exists():
            with contextlib.suppress(OSError):  # another process does the same
                entry.rename(final)
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                entry.unlink()


def _alive(pid: int, entry: Path) -> bool:
    if pid == os.getpid():
        return False  # left by a dead process that had our number: we have written nothing yet
    if os.name == "nt":
        try:
            return time.time() - entry.stat().st_mtime < STALE_AFTER_SECONDS
        except FileNotFoundError:  # its process has finished it just now
            return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return not _awaits_its_parent(pid)


def _awaits_its_parent(pid: int) -> bool:
    """Return whether a process has ended and only its number is kept, because nobody has asked how it ended.

    Workers of a killed run become children of the system's first process, which in a container may never ask.
    """
    try:
        status = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:  # not Linux, or gone by now
        return False
    return status.rpartition(b")")[2].split()[:1] == [b"Z"]
