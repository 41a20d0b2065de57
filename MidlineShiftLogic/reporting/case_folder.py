"""Write the result folder of a case so that it appears whole or not at all, however its writer ends.

Everything is written into ``.<case>.partial-<host>-<pid>`` beside the final place and renamed there at the end. An
older result of the case is moved aside to ``.<case>.old-<host>-<pid>`` just before and removed just after; if the
process is killed between those two renames, the next run moves it back.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
import stat
from collections.abc import Iterator, Set
from contextlib import contextmanager
from pathlib import Path

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.text import parse_json
from MidlineShiftLogic.unfinished import owner, remove_stale, unfinished_name

__all__ = ["case_folder", "refuse_foreign_folder", "refuse_readers_work", "remove_stale", "result_parent"]

PSEUDO_HEALTHY_FILES = frozenset({"pseudo_healthy.npz", "pseudo_healthy.png"})
RESULT_FILES = PSEUDO_HEALTHY_FILES | {
    "measurement.json", "overlay.png", "slices.png", "fields.npz", "shifts.csv", "sr.dcm", "capture", "report.html",
    "report.pdf",
}  # fmt: skip
CAPTURE_NAME = re.compile(r"\d{3,}\.dcm")
"""Files of ``capture``, the one folder among the results."""
FOLDER_VIEW_FILES = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
"""What file managers leave in a folder that was looked at."""
READERS_WORK = "reviewed"
"""Code of the error of ``refuse_readers_work``."""
MAX_RENAMES = 200
"""Attempts to put a result in place while other processes write the same case; each needs another process to win."""


def result_parent(out: Path) -> Path:
    """Make ``--out`` and prove that it can be written.

    Raises:
        InputError: it is a file, or cannot be made or written.
    """
    out = Path(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe = out / unfinished_name("probe")
        try:
            probe.mkdir(parents=True, exist_ok=True)  # another run may remove the empty folder meanwhile
        finally:
            if probe.is_dir():
                probe.rmdir()
    except OSError as error:
        raise InputError(
            f"Cannot write results into {out}: {error.strerror or error}; choose another --out.", "out"
        ) from error
    return out


def refuse_foreign_folder(final: Path) -> None:
    """Raise InputError where ``final`` holds anything that is not a result of midlineshift: it would be replaced."""
    try:
        # One look at it, and no following of links: between two, another process may move the result aside.
        if not stat.S_ISDIR(final.lstat().st_mode):
            raise InputError(f"{final} is in the way of the results and is not a folder; choose another --out.", "out")
        foreign = sorted(entry.name for entry in final.iterdir() if not _ours(entry))
    except FileNotFoundError:  # nothing there, or another process replaces it just now
        return
    if foreign:
        raise InputError(
            f"{final} holds files that are not results of midlineshift ({foreign[0]}), and would be replaced; "
            "choose another --out.",
            "out",
        )


def refuse_readers_work(final: Path) -> None:
    """Raise InputError where ``final`` holds a measurement that a reader corrected or signed: it would be replaced."""
    try:
        data = parse_json((final / "measurement.json").read_text(encoding="utf-8"))
        review = data.get("review")
        edited = any(one.get("edited") or one.get("pinned") for one in data.get("slices") or ())
        whose = f"{review['decision']} by {review['reader']}" if review else "corrected by a reader"
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return  # nothing there, or nothing that could be a reader's
    if review or edited:
        raise InputError(
            f"{final} holds a measurement {whose}, which measuring again would replace; choose another --out, or move "
            "that folder away.",
            READERS_WORK,
        )


def _ours(entry: Path) -> bool:
    if entry.name == "capture":
        # A user's own DICOM images may be in a folder of this name; captures of midlineshift are beside a result.
        return (
            entry.is_dir()
            and not entry.is_symlink()
            and (entry.parent / "measurement.json").is_file()
            and all(CAPTURE_NAME.fullmatch(one.name) or one.name in FOLDER_VIEW_FILES for one in entry.iterdir())
        )
    return entry.name in RESULT_FILES | FOLDER_VIEW_FILES


@contextmanager
def case_folder(out: Path, case: str, replaced: Set[str] = RESULT_FILES) -> Iterator[Path]:
    """Yield a folder to write the files of one case into; it becomes ``out/case`` if the block ends well, else it is removed.

    Args:
        out: existing folder of all results.
        case: a name made by ``case_name``.
        replaced: files of an older result that are not kept; all by default.

    Raises:
        InputError: ``out/case`` exists and is not a result of midlineshift.
    """
    final = out / case
    refuse_foreign_folder(final)
    partial = out / unfinished_name(case)
    shutil.rmtree(partial, ignore_errors=True)
    try:
        # Inside: a signal that comes while it is made ends the process right behind this line. With parents: another
        # process that made them and failed has removed them while they were empty.
        partial.mkdir(parents=True)
        with contextlib.suppress(FileNotFoundError):  # another process replaces it just now
            for entry in final.iterdir() if final.is_dir() else ():
                if entry.name in RESULT_FILES - replaced:
                    (shutil.copytree if entry.is_dir() else shutil.copy2)(entry, partial / entry.name)
        yield partial
        _put_in_place(partial, final, out / f".{case}.old-{owner()}")
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _put_in_place(partial: Path, final: Path, aside: Path) -> None:
    """Rename ``partial`` to ``final``, whatever other processes do with ``final`` meanwhile; the last one wins.

    Args:
        aside: where an older result is moved to; a number is added if that exists.

    Raises:
        InputError: ``final`` is not a result of midlineshift. OSError: it cannot be renamed; an older result is put back.
    """
    moved: list[Path] = []
    try:
        for attempt in range(MAX_RENAMES):
            try:
                os.rename(partial, final)
                moved, done = [], moved
                for one in done:
                    shutil.rmtree(one, ignore_errors=True)
                return
            except OSError as error:
                if attempt == MAX_RENAMES - 1 or not partial.is_dir() or not (final.exists() or moved or attempt == 0):
                    raise error
            refuse_foreign_folder(final)
            place = next(one for one in _numbered(aside) if not one.exists())
            moved.append(place)  # before it is there: a signal may end this right behind the renaming
            try:
                os.rename(final, place)
            except FileNotFoundError:  # another process moved it aside first
                moved.remove(place)
    finally:
        while moved and not final.exists():
            with contextlib.suppress(OSError):
                os.rename(moved.pop(), final)
        for one in moved:
            shutil.rmtree(one, ignore_errors=True)


def _numbered(path: Path) -> Iterator[Path]:
    yield path
    for number in itertools.count(2):
        yield path.with_name(f"{path.name}-{number}")
