"""A ``HeadCT`` as one file, nothing lost: how a program hands a scan that it has read to the command.

No format for pictures holds a place for every slice, as tilted and uneven series need it.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.quality import Quality

FORMAT = "midlineshift-headct/1"
ARRAYS = ("hu", "origins", "column_axis", "row_axis", "pixel_spacing", "thickness")


def write_npz(path: Path, ct: HeadCT, compressed: bool = False) -> None:
    """Write a scan: its arrays, and as JSON what was noted while it was read (without SOP instance UIDs)."""
    notes = {
        "format": FORMAT,
        "source_slices": [list(map(int, one)) for one in ct.source_slices],
        "source": ct.source,
        "quality": [flag.to_dict() for flag in ct.quality],
    }
    with path.open("wb") as file:
        (np.savez_compressed if compressed else np.savez)(
            file, notes=json.dumps(notes), **{name: np.asarray(getattr(ct, name)) for name in ARRAYS}
        )


def is_npz(path: Path) -> bool:
    """Whether a zip archive is a file of ``write_npz``."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {"notes.npy", "hu.npy", "origins.npy"} <= set(archive.namelist())
    except (zipfile.BadZipFile, OSError):
        return False


def read_npz(path: Path) -> HeadCT:
    """The scan that ``write_npz`` was given.

    Raises:
        InputError: damaged, or of another version.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in ARRAYS}
            notes = json.loads(str(stored["notes"]))
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
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is incomplete or damaged ({error}); write it again.", "damaged-file") from error
