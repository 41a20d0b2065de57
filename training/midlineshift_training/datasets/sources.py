"""Where training data come from: a digest of all files that a path stands for, and what kind of data they are.

A run records both when it starts, so that it is only resumed with the same data and an exported model can say what it was
trained on, even where the data are no longer there.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from midlineshift_training.datasets.annotated.authors import load_authors_table
from midlineshift_training.datasets.annotated.load import is_table
from midlineshift_training.datasets.annotated.manifest import is_set, read_manifest
from midlineshift_training.datasets.phantoms.files import phantom_files
from midlineshift_training.datasets.slice_cache import file_digest
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.text import counted

PHANTOMS, ANNOTATED, UNLABELLED = "phantoms", "annotated scans", "unlabelled scans"
_TEXTS = {
    PHANTOMS: "synthetic phantoms",
    ANNOTATED: "real scans with sparse landmarks",
    UNLABELLED: "unshifted real scans without annotations",
}


@dataclass(frozen=True)
class DataSource:
    """One kind of data of one collection.

    Attributes:
        kind: ``PHANTOMS``, ``ANNOTATED`` or ``UNLABELLED``. cases: how many.
        name, licence: of the collection, as the user gave them; "" if not.
    """

    kind: str
    cases: int
    name: str = ""
    licence: str = ""


def digest(path: Path) -> dict[str, Any]:
    """Digest everything that a path of training data stands for.

    Of a folder, these are all files in it but hidden and unfinished ones (``*.part``); of a table of the authors' layout,
    the table and every scan that it names. The digest stays the same when the data are moved together.

    Args:
        path: folder of phantoms or unlabelled cases, annotated data set, or ``.pkl``.

    Returns:
        ``path`` as given, ``files``, ``bytes``, ``sha256`` over names and contents; for a table also its own digest,
        ``table_sha256``, as runs before version 2 recorded it.

    Raises:
        InputError: a file cannot be read.
    """
    whole, size, count = hashlib.sha256(), 0, 0
    entry: dict[str, Any] = {"path": str(path)}
    for name, file in _files(path):
        whole.update(f"{name}\0{file_digest(file)}\n".encode())
        size += file.stat().st_size
        count += 1
        if count == 1 and is_table(path):
            entry["table_sha256"] = whole.hexdigest()
    return entry | {"files": count, "bytes": size, "sha256": whole.hexdigest()}


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    """Name in the digest and file, in a fixed order."""
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            name = file.relative_to(path)
            if file.is_file() and file.suffix != ".part" and not any(part.startswith(".") for part in name.parts):
                yield name.as_posix(), file
        return
    yield path.name, path
    if is_table(path):
        for case in load_authors_table(path):
            yield f"scan of {case.name}", case.path


def same_data(stored: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Return whether two digests are of the same data.

    Args:
        stored: from a run's record; older ones cover a ``.pkl`` without its scans, and are compared by the table alone.
        now: from ``digest``.
    """
    if stored["sha256"] == now["sha256"]:
        return True
    return stored.get("files") == 1 and "table_sha256" not in stored and stored["sha256"] == now.get("table_sha256")


def sources_of(path: Path) -> list[DataSource]:
    """Return what kinds of data a path holds.

    Raises:
        InputError: a file does not record what it is (code ``unknown-source``), or cannot be read.
    """
    if is_table(path):
        return [DataSource(ANNOTATED, len(load_authors_table(path)))]
    if is_set(path):
        manifest = read_manifest(path)
        kind = PHANTOMS if manifest["made_from"] == "phantoms" else ANNOTATED
        source = manifest.get("source", {})
        return [DataSource(kind, len(manifest["cases"]), source.get("name", ""), source.get("licence", ""))]
    counted = Counter(_source_of_file(file) for file in phantom_files(path))
    return [DataSource(kind, count, name, licence) for (kind, name, licence), count in sorted(counted.items())]


def recorded_sources(path: Path) -> list[dict[str, Any]] | None:
    """Return ``sources_of`` as the record of a run keeps them; None if the data do not say what they are."""
    try:
        return [asdict(one) for one in sources_of(path)]
    except InputError as error:
        if error.code != "unknown-source":
            raise
        return None


def _source_of_file(file: Path) -> tuple[str, str, str]:
    """Return kind, collection and licence that a phantom file or an unlabelled case records."""
    try:
        with np.load(file, allow_pickle=False) as archive:
            meta = json.loads(str(archive["meta"])) if "meta" in archive.files else {}
            unlabelled = "pseudo" in archive.files and bool(archive["pseudo"])
    except (OSError, ValueError, BadZipFile) as error:
        raise InputError(f"{file} cannot be read ({error}).", "bad-phantom") from None
    if unlabelled and "scan" in meta:
        return UNLABELLED, meta.get("source", ""), meta.get("source_licence", "")
    if not unlabelled and "seed" in meta:
        return PHANTOMS, "", ""
    raise InputError(f"{file} does not record whether it is a phantom or a real scan; make it again.", "unknown-source")


def describe_sources(sources: Iterable[DataSource]) -> str:
    """Say in words what a model was trained on.

    Args:
        sources: of all data of all runs; the same data may come several times.

    Raises:
        InputError: there is none (code ``unknown-source``).
    """
    largest: dict[tuple[str, str, str], int] = {}
    for one in sources:
        key = one.kind, one.name, one.licence
        largest[key] = max(largest.get(key, 0), one.cases)
    if not largest:
        raise InputError(
            "What the model was trained on is recorded nowhere; give it with --trained-on.", "unknown-source"
        )
    parts = []
    for (kind, name, licence), cases in sorted(largest.items(), key=lambda item: list(_TEXTS).index(item[0][0])):
        named = f" of {name}" if name else ""
        parts.append(f"{_TEXTS[kind]}{named} ({counted(cases, 'case')}{', ' + licence if licence else ''})")
    text = "; ".join(parts)
    return text if any(kind != PHANTOMS for kind, _, _ in largest) else f"{text}; no patient data"
