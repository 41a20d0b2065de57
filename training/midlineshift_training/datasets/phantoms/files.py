"""Phantom files: which there are, what is in one, and a phantom as the scan that it looks like."""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.headct import HeadCT

ENTRIES = (
    "hu", "pixel_mm", "thickness_mm", "heights_mm", "displacement_px", "inside", "line_angle", "line_offset", "landmarks",
    "midline_shift_mm", "height_mm", "has_midline", "case_shift_mm",
)  # fmt: skip
"""What training and evaluation need of a phantom file (``phantoms.case`` says what each is)."""


def phantom_files(folder: str | Path) -> list[Path]:
    """List the finished phantom files of a folder, in case order.

    Raises:
        InputError: the folder does not exist or holds no phantom.
    """
    folder = Path(folder)
    files = sorted(folder.glob("[0-9]*.npz")) if folder.is_dir() else []
    if not files:
        raise InputError(
            f"No phantom (*.npz) and no set.json in {folder}; make phantoms with 'midlineshift-train phantoms', or a set of "
            "your own scans with 'midlineshift-train convert'.",
            "no-data",
        )
    return files


def split_phantoms(folders: list[Path], validation_cases: int) -> tuple[list[Path], list[Path]]:
    """Return phantom files to train on, and the last ones, held out: ``validation_cases``, but at most a fifth of all.

    Raises:
        InputError: a folder holds no phantom, or all together hold fewer than two.
    """
    files = [path for folder in folders for path in phantom_files(folder)]
    if len(files) < 2:
        raise InputError("Training needs two phantoms or more: one to learn from, one to check with.", "no-data")
    held_out = max(1, min(validation_cases, len(files) // 5))
    return files[:-held_out], files[-held_out:]


def read_phantom(path: Path) -> dict[str, np.ndarray]:
    """Return all entries of a phantom file.

    Raises:
        InputError: the file is damaged or lacks an entry that training or evaluation needs; names the file.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            entries = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise incomplete(path, error) from None
    missing = [name for name in ENTRIES if name not in entries]
    if missing:
        raise incomplete(path, f"it has no {missing[0]}")
    return entries


def read_case_shift(path: Path) -> float:
    """Return signed shift of a phantom file's case, mm; the rest of the file is not read. InputError if it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return float(archive["case_shift_mm"].astype(np.float32))
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise incomplete(path, error) from None


def incomplete(path: Path, why) -> InputError:
    """Return the error of a phantom file that cannot be used."""
    return InputError(f"{path} is not a complete phantom file ({why}); make it again.", "bad-phantom")


def phantom_scan(path: Path) -> tuple[HeadCT, dict]:
    """Load a phantom file as a ``HeadCT``, with all its entries. InputError if it is damaged or incomplete."""
    q = read_phantom(path)
    pixel, heights = float(q["pixel_mm"]), q["heights_mm"].astype(float)
    origins = np.stack([np.full(len(heights), -127.5 * pixel)] * 2 + [heights], -1)
    ct = HeadCT(
        hu=q["hu"].astype(np.float32),
        origins=origins,
        column_axis=np.array([1.0, 0.0, 0.0]),
        row_axis=np.array([0.0, 1.0, 0.0]),
        pixel_spacing=(pixel, pixel),
        thickness=np.full(len(heights), float(q["thickness_mm"])),
        source={"format": "phantom"},
    )
    return ct, q
