"""What was made of each scan for training, kept on disk by MONAI's ``PersistentDataset`` for the next run.

An entry is named after everything that it depends on: contents of the scan's file, what is known of the case, the settings of
the frame, the model that found its pose, this program's code and the versions of the libraries. A change of any of these
gives another name, so that an old entry is never taken; it only takes room until the folder is deleted, which may be done at
any time. Entries are loaded with ``weights_only``: nothing in them is run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TypeVar

import numpy as np

from midlineshift_training.datasets.show_progress import show_progress
from MidlineShiftLogic import software
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.software import package_version

Item = TypeVar("Item")
Result = dict[str, Any]

LIBRARIES = ("torch", "numpy", "scipy")
"""Libraries that decide the values of an entry."""
CODE = (Path(software.__file__).parent, Path(__file__).parents[1])
"""Folders of both packages, whose code decides them too."""
_BLOCK = 1 << 20


def map_cached(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    key: Callable[[Item], Mapping[str, Any]],
    cache: Path | None,
    what: str,
) -> Iterator[Result]:
    """Yield ``function(item)`` of every item in order, from the cache where it is there.

    Args:
        function: makes a dict of tensors, texts and numbers of an item. Its errors are raised, and not kept.
        items: to go through, with a progress bar. key: names all that the result depends on, JSON-ready; asked for only
            with a cache.
        cache: folder of the entries, made if missing; None: everything is made anew.
        what: is done, for the progress bar; also part of the key.

    Raises:
        InputError: the folder cannot be made.
    """
    bar = show_progress(items, len(items), what)
    if cache is None:
        for item in bar:
            yield function(item)
        return
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"The cache {cache} cannot be made ({error.strerror}); give another folder with --cache, or --no-cache.",
            "cache",
        ) from None
    results = _persistent()(function, cache)
    for item in bar:
        results.data = [(_name(what, key(item)), item)]
        yield results[0]


def map_phantoms(
    function: Callable[..., Result], files: Sequence[Path], settings: tuple[Any, ...], cache: Path | None, what: str
) -> list[Result]:
    """Return what ``function(path, *settings)`` makes of each phantom file, from the cache where it is there.

    Args:
        function: makes a dict of tensors of a phantom, an empty one if the phantom gives nothing.
        files: phantom files. settings: all that the result depends on beside the file, JSON-ready.
        cache, what: see ``map_cached``.

    Returns:
        List of the dicts that are not empty, in the order of the files.

    Raises:
        InputError: a file cannot be read, or the folder cannot be made.
    """
    made = map_cached(
        lambda path: function(path, *settings),
        files,
        lambda path: {"phantom": file_digest(path), "settings": settings},
        cache,
        what,
    )
    return [one for one in made if one]


@lru_cache(maxsize=1)
def _persistent() -> type:
    """Define the data set; MONAI takes seconds to import."""
    from monai.data import PersistentDataset

    class Persistent(PersistentDataset):
        """``PersistentDataset`` of a function; items are (name of the entry, item)."""

        def __init__(self, function: Callable[[Any], Result], cache: Path):
            super().__init__([], (), cache_dir=cache, hash_func=lambda item: item[0].encode())
            self.function = function
            self.made: Result | None = None

        def _pre_transform(self, item_transformed: tuple[str, Any]) -> Result:
            made = self.function(item_transformed[1])
            self.made = made
            return made

        def _post_transform(self, item_transformed: Result) -> Result:
            return item_transformed

        def _transform(self, index: int) -> Result:
            self.made = None
            try:
                return super()._transform(index)
            except (OSError, RuntimeError, EOFError, UnpicklingError):
                if self.made is not None:  # the disk takes no more: the run goes on without
                    return self.made
                (self.cache_dir / f"{self.data[index][0]}.pt").unlink(missing_ok=True)  # damaged
                return self._pre_transform(self.data[index])

    return Persistent


def _name(what: str, key: Mapping[str, Any]) -> str:
    """Name the entry of a key."""
    whole = {"what": what, "key": key, "code": code_digest(), "libraries": [package_version(one) for one in LIBRARIES]}
    return hashlib.sha256(json.dumps(whole, sort_keys=True, default=_plain).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """Turn what JSON does not know into what it knows."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return str(value)


@lru_cache(maxsize=1)
def code_digest() -> str:
    """Digest all Python files of both packages: whatever was changed in them, no entry from before is taken."""
    whole = hashlib.sha256()
    for root in CODE:
        for file in sorted(root.rglob("*.py")):
            whole.update(f"{file.relative_to(root).as_posix()}\0".encode() + file.read_bytes())
    return whole.hexdigest()


def file_digest(file: Path) -> str:
    """Return SHA-256 of a file's contents. InputError if it cannot be read."""
    found = hashlib.sha256()
    try:
        with open(file, "rb") as stream:
            while block := stream.read(_BLOCK):
                found.update(block)
    except OSError as error:
        raise InputError(f"Cannot read {file}: {error.strerror}.", "data") from None
    return found.hexdigest()
