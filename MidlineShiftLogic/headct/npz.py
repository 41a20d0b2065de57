"""Store a ``HeadCT`` as one file without loss: programs hand a loaded scan to the command in this form.

No image format holds a position for every slice, as tilted and uneven series need it.
"""

from __future__ import annotations

import json
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.headct.stored_values import MAX_RATIO, MAX_VALUES_BYTES
from MidlineShiftLogic.quality import Quality
from MidlineShiftLogic.text import clean_text, parse_json

FORMAT = "midlineshift-headct/1"
ARRAYS = ("hu", "origins", "column_axis", "row_axis", "pixel_spacing", "thickness")


def write_npz(path: Path, ct: HeadCT, compressed: bool = False) -> None:
    """Write a scan: its arrays, and as JSON what was recorded while it was loaded (without SOP instance UIDs)."""
    notes = {
        "format": FORMAT,
        "source_slices": [list(map(int, one)) for one in ct.source_slices],
        "source": ct.source,
        "quality": [flag.to_dict() for flag in ct.quality],
    }
    with path.open("wb") as file:
        arrays: dict[str, Any] = {name: np.asarray(getattr(ct, name)) for name in ARRAYS}
        (np.savez_compressed if compressed else np.savez)(file, notes=json.dumps(notes), **arrays)


def is_npz(path: Path) -> bool:
    """Return whether a zip archive is a file of ``write_npz``."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {"notes.npy", "hu.npy", "origins.npy"} <= set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False


def read_npz(path: Path) -> HeadCT:
    """Load a scan that ``write_npz`` wrote.

    Raises:
        InputError: damaged, or of another version.
    """
    try:
        _require_bounds(path)
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in ARRAYS}
            notes = parse_json(str(stored["notes"]))
        if notes["format"] != FORMAT:
            raise InputError(f"{path} has the format {notes['format']!r}, not {FORMAT}; write it again.", "npz")
        n, shape = len(arrays["origins"]), arrays["hu"].shape
        if len(shape) != 3 or shape[0] != n or arrays["origins"].shape != (n, 3) or arrays["thickness"].shape != (n,):
            raise ValueError(f"{n} places for voxels of shape {shape}")
        row_mm, column_mm = arrays["pixel_spacing"].tolist()
        return HeadCT(
            hu=arrays["hu"].astype(np.float32, copy=False),
            origins=arrays["origins"],
            column_axis=arrays["column_axis"].reshape(3),
            row_axis=arrays["row_axis"].reshape(3),
            pixel_spacing=(row_mm, column_mm),
            thickness=arrays["thickness"],
            source_slices=tuple(tuple(one) for one in notes["source_slices"]),
            source=notes["source"],
            quality=tuple(Quality(**flag) for flag in notes["quality"]),
        )
    except (InputError, MemoryError):
        raise
    except Exception as error:  # damaged archives and arrays raise whatever their libraries do
        why = clean_text(f"{type(error).__name__}: {error}", 200)
        raise InputError(f"{path} is incomplete or damaged ({why}); write it again.", "damaged-file") from error


def _require_bounds(path: Path) -> None:
    """Refuse an archive whose members claim more than a scan, before any is decompressed."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        packed, claimed = (sum(getattr(one, name) for one in members) for name in ("compress_size", "file_size"))
        if claimed > 2 * MAX_VALUES_BYTES or claimed > MAX_RATIO * max(packed, 1) or packed > path.stat().st_size:
            raise ValueError(f"it claims {claimed} bytes")
        for member in members:
            with archive.open(member) as stream:
                version = np.lib.format.read_magic(stream)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                shape, _, dtype = read(stream)
            if dtype.kind not in "fiuU" or math.prod(shape) * dtype.itemsize > member.file_size:
                raise ValueError(f"{member.filename} claims a shape of {shape}")
