"""Walk through a folder tree within limits: links that loop, very deep trees and unreadable folders are reported."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

MAX_DEPTH = 64
"""Levels of subfolders; archives of studies have at most about ten."""


@dataclass
class Folder:
    """One folder: its regular files (links to files included), its subfolders' paths, and what cannot be used.

    Attributes:
        path: the folder. depth: levels below the top.
        files: names of regular files, sorted.
        folders: paths of subfolders to walk into, sorted.
        problems: (path, sentence) of entries that cannot be used.
    """

    path: Path
    depth: int
    files: list[str] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    problems: list[tuple[Path, str]] = field(default_factory=list)


def walk(top: Path, leave_out: Iterable[str] = (), hidden: bool = True) -> Iterator[Folder]:
    """Yield a folder and all its subfolders, parents first. Links to folders are followed, each folder once.

    A caller may shorten ``folders`` to skip subfolders.

    Args:
        top: the folder.
        leave_out: real paths of folders not to walk into.
        hidden: whether to include entries whose names begin with a dot.
    """
    seen = set(leave_out)
    waiting = [(Path(top), 0)]
    while waiting:
        path, depth = waiting.pop()
        place = os.path.realpath(path)
        if place in seen:
            continue
        seen.add(place)
        folder = _look(path, depth, hidden)
        yield folder
        waiting.extend((inside, depth + 1) for inside in reversed(folder.folders))


def regular_files(top: Path) -> Iterator[Path]:
    """Yield the regular files of a folder tree, sorted within each folder."""
    for folder in walk(top):
        yield from (folder.path / name for name in folder.files)


def _look(path: Path, depth: int, hidden: bool) -> Folder:
    folder = Folder(path, depth)
    try:
        with os.scandir(path) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        folder.problems.append((path, f"{path} cannot be opened ({error.strerror}); check the permissions."))
        return folder
    for entry in found:
        if not hidden and entry.name.startswith("."):
            continue
        inside = path / entry.name
        try:
            if entry.is_dir():
                if depth >= MAX_DEPTH:
                    sentence = f"{inside} is more than {MAX_DEPTH} folders deep and was not searched; move it up."
                    folder.problems.append((inside, sentence))
                else:
                    folder.folders.append(inside)
            elif entry.is_file():
                folder.files.append(entry.name)
        except OSError as error:
            sentence = f"{inside} cannot be opened ({error.strerror}); remove the link or mend it."
            folder.problems.append((inside, sentence))
    return folder
