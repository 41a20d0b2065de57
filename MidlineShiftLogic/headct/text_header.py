"""Parse the headers of MetaImage and NRRD files within limits, and find their data files safely."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.stored_values import DamagedFile, require_regular_file
from MidlineShiftLogic.text import clean_text, counted

MAX_HEADER_BYTES = 65_536
"""Headers with comments and key/value pairs take a few kilobytes."""

MILLIMETRES = frozenset({"", "?", "???", "mm", "millimeter", "millimeters", "millimetre", "millimetres"})
"""Words for the unit of length that headers use for millimetres, or where it is not known."""

UNIT_TOLERANCE = 0.01
"""Direction vectors are stored with at least two decimals; others are scaled or not directions."""


def read_header_bytes(path: Path) -> bytes:
    """Return the first bytes of a file, enough for its text header."""
    with path.open("rb") as stream:
        return stream.read(MAX_HEADER_BYTES)


def integers(text: str, what: str, low: int = 0, high: int = 1 << 40) -> list[int]:
    """Parse whole numbers separated by spaces.

    Raises:
        DamagedFile: something else, or a number outside the limits.
    """
    words = text.split()
    if not words or len(words) > 16 or any(len(word) > 20 for word in words):
        raise DamagedFile(f"its header gives no usable {what}")
    try:
        numbers = [int(word) for word in words]
    except ValueError as error:
        raise DamagedFile(f"its header gives no usable {what}") from error
    if not all(low <= number <= high for number in numbers):
        raise DamagedFile(f"its header gives no usable {what}")
    return numbers


def integer(text: str, what: str, low: int = 0, high: int = 1 << 40) -> int:
    """Parse one whole number; errors as ``integers``."""
    numbers = integers(text, what, low, high)
    if len(numbers) != 1:
        raise DamagedFile(f"its header gives no usable {what}")
    return numbers[0]


def floats(text: str, what: str, count: int | None = None) -> np.ndarray:
    """Parse finite numbers separated by spaces.

    Raises:
        DamagedFile: something else, not finite, or not ``count`` of them.
    """
    words = text.split()
    try:
        numbers = np.array([float(word) for word in words[:64]])
    except ValueError as error:
        raise DamagedFile(f"its header gives no usable {what}") from error
    if not len(numbers) or not np.isfinite(numbers).all() or len(numbers) != (count or len(words)):
        raise DamagedFile(f"its header gives no usable {what}")
    return numbers


def require_positive(path: Path, spacing: np.ndarray) -> np.ndarray:
    """Refuse voxel sizes that are zero or negative: the sign would turn the scan over.

    Raises:
        InputError: code ``no-geometry``.
    """
    if (spacing <= 0).any():
        given = " x ".join(f"{size:g}" for size in spacing)
        raise InputError(
            f"{path} has no usable geometry (its voxel size is {given}); export it again from the original DICOM "
            "images.",
            "no-geometry",
        )
    return spacing


def require_directions(path: Path, directions: np.ndarray) -> np.ndarray:
    """Refuse direction vectors that are not of unit length.

    Args:
        directions: (n, n), one direction a column.

    Raises:
        InputError: code ``no-geometry``.
    """
    if (np.abs(np.linalg.norm(directions, axis=0) - 1) > UNIT_TOLERANCE).any():
        raise InputError(
            f"{path} has no usable geometry (its directions are not unit vectors); export it again from the original "
            "DICOM images.",
            "no-geometry",
        )
    return directions


def require_millimetres(path: Path, units: Iterable[str]) -> None:
    """Refuse a unit of length that is not the millimetre; most programs leave it out, so that none converts it alike.

    Args:
        path: the file. units: as its header writes them, with or without quotes; unknown ones count as millimetres.

    Raises:
        InputError: code ``no-geometry``.
    """
    for unit in units:
        name = unit.strip().strip('"').strip()
        if name.lower() not in MILLIMETRES:
            raise InputError(
                f"{path} has no usable geometry (its unit of length is {clean_text(name, 20)}, not mm); export it again from "
                "the original DICOM images.",
                "no-geometry",
            )


def spatial_shape(path: Path, sizes: list[int]) -> tuple[int, ...]:
    """Return the sizes of the two or three axes of one volume; trailing axes of length one are dropped.

    Raises:
        InputError: several volumes, or no voxels (codes ``four-dimensional``, ``not-a-volume``).
    """
    sizes = list(sizes)
    while len(sizes) > 3 and sizes[-1] == 1:
        sizes.pop()
    if len(sizes) > 3:
        raise InputError(
            f"{path} holds {sizes[3]} volumes (shape {'x'.join(map(str, sizes))}); "
            "save the one head CT to be measured as its own file.",
            "four-dimensional",
        )
    if len(sizes) < 2 or 0 in sizes:
        raise InputError(f"{path} holds no volume (shape {tuple(sizes)}); export the scan again.", "not-a-volume")
    return tuple(sizes)


def several_values(path: Path, count: int) -> InputError:
    """Return the error of a file that has ``count`` values a voxel."""
    return InputError(
        f"{path} holds {counted(count, 'value')} a voxel (a colour picture or a field), not Hounsfield units; "
        "export the original CT.",
        "not-ct",
    )


def damaged_file(path: Path, format_name: str, error: Exception) -> InputError:
    """Return what to raise of a file that is cut off, or whose header cannot be used."""
    return InputError(
        f"{path} cannot be loaded as {format_name}: it is incomplete or damaged "
        f"({getattr(error, 'strerror', None) or error}); copy the complete scan again.",
        "damaged-file",
    )


def data_offset(file: Path, skip: int, start: int, shape: tuple[int, ...], dtype: np.dtype) -> int:
    """Return the byte where the voxels begin.

    Args:
        file: the data file.
        skip: bytes to skip from ``start``; -1: the voxels are the last bytes of the file.
        start: of the data in the file, bytes.
        shape, dtype: of the voxels.

    Raises:
        DamagedFile: the file is shorter than its voxels.
    """
    if skip >= 0:
        return start + skip
    offset = require_regular_file(file) - int(np.prod(shape, dtype=object)) * dtype.itemsize
    if offset < 0:
        raise DamagedFile("it is shorter than its voxels")
    return offset


def sibling(path: Path, name: str) -> Path:
    """Return the data file that a header names: a plain file name in the header's own folder.

    Raises:
        InputError: a path, a pattern or a list of files.
        DamagedFile: there is no such file.
    """
    name = name.strip()
    if not name or len(name.encode()) > 255 or set(name) & set('/\\:%\0"<>|*?') or name.startswith("."):
        raise InputError(
            f"{path} names a data file that is not a plain file name beside it (a path, a pattern or a list); save the "
            "scan as one file.",
            "data-file",
        )
    data = path.parent / name
    if not data.is_file():
        raise DamagedFile("its data file is missing beside it")
    return data
