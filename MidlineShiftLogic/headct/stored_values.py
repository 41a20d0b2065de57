"""Read the voxels of a scan file within limits: what a header claims is checked before memory is allocated."""

from __future__ import annotations

import bz2
import stat
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from MidlineShiftLogic.errors import InputError

MAX_AXIS = 4096
"""Voxels along one axis. The finest head CT has 2048 x 2048 pixels and about 1200 slices."""

MAX_VALUES_BYTES = 1_350_000_000
"""Memory for the stored values: 1024 x 1024 x 640 voxels of 2 bytes, the largest head CT that scanners make."""

MAX_RATIO = 1032
"""Deflate makes at most 1032 bytes from one (two bits for 258 bytes)."""

MAX_SURPLUS_BYTES = 4096
"""Bytes after the last voxel that are tolerated as padding; more means that the header describes another volume."""

MAX_TEXT_BYTES = 200_000_000
"""Size of a file with its values as text."""

CHUNK_BYTES = 1 << 20
PACKED_BYTES = 1 << 16
"""Compressed bytes that are read at a time; what follows a member of a gzip file is copied once a member."""
MAX_MEMBERS = 100_000
"""Members of a gzip file; programs that make blocks (bgzip) make one of 64 kB, 6 GB in all."""
GZIP_MARK = b"\x1f\x8b"
ZLIB_OR_GZIP = 47
"""``wbits`` of zlib: detect the zlib or gzip header, and compare the check value at the end."""


class DamagedFile(ValueError):
    """The bytes do not hold what the header claims; the message is part of a sentence."""


@dataclass(frozen=True)
class Values:
    """Where and how the voxels are stored.

    Attributes:
        file: regular file.
        offset: bytes before the first voxel, counted after decompression if the whole file is compressed.
        shape: voxels along each axis, the fastest axis first.
        dtype: of one stored value.
        compression: ``""``, ``"file"`` (gzip around the whole file), ``"data"`` (zlib or gzip from ``offset`` on),
            ``"bzip2"`` (from ``offset`` on) or ``"text"`` (numbers in ASCII from ``offset`` on).
    """

    file: Path
    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype
    compression: str = ""

    @property
    def count(self) -> int:
        """Return the number of values."""
        return int(np.prod(self.shape, dtype=object))


def require_regular_file(path: Path) -> int:
    """Return the size of a regular file; a pipe or device could block for ever, or never end.

    Raises:
        InputError: missing, not readable, empty, or not a regular file.
    """
    try:
        about = path.stat()
    except FileNotFoundError as error:
        raise InputError(f"There is no file or folder {path}; check the path.", "no-such-path") from error
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"{path} cannot be opened ({why}); check the path and permissions.", "unreadable") from error
    if not stat.S_ISREG(about.st_mode):
        raise InputError(f"{path} is not a regular file (a pipe or a device); give a file.", "unreadable")
    if about.st_size == 0:
        raise InputError(f"{path} is empty (0 bytes); copy or download it again.", "empty-file")
    return about.st_size


def require_scan_shape(path: Path, shape: Sequence[int]) -> None:
    """Refuse a shape that no head CT has.

    Raises:
        InputError: an axis without voxels or with more than ``MAX_AXIS``.
    """
    if any(length < 1 for length in shape):
        raise InputError(f"{path} holds no volume (shape {_x(shape)}); export the scan again.", "not-a-volume")
    if any(length > MAX_AXIS for length in shape):
        raise InputError(
            f"{path} claims a volume of {_x(shape)} voxels, which no head CT has; export the scan again.",
            "not-a-volume",
        )


def load_values(values: Values) -> np.ndarray:
    """Load the voxels, in Fortran order of ``values.shape``.

    Uncompressed values are mapped, not loaded. Compressed values of more than 4 bytes become float32, which holds
    Hounsfield units exactly.

    Raises:
        InputError: a shape no head CT has, or more voxels than the file can hold or this program loads.
        DamagedFile: too few bytes, a wrong check value, data after the end.
        OSError: the file cannot be read.
    """
    require_scan_shape(values.file, values.shape)
    size = require_regular_file(values.file)
    wanted = values.count * values.dtype.itemsize
    possible = {"": size - values.offset, "text": size}.get(values.compression, size * MAX_RATIO)
    if values.compression == "bzip2":
        possible = wanted  # no useful bound: 45 bytes may hold 900 kB; the limit on memory below applies
    if values.compression == "text":
        wanted = 2 * values.count - 1  # a digit and a separator each
    if wanted > possible:
        raise DamagedFile(f"{size} bytes cannot hold {_x(values.shape)} voxels")
    if values.compression == "":
        return _mapped(values, size, wanted)
    kept = _kept_type(values.dtype)
    if values.count * kept.itemsize > MAX_VALUES_BYTES:
        raise InputError(
            f"{values.file} claims {_x(values.shape)} voxels, more than any head CT; export the head series alone.",
            "not-a-volume",
        )
    with values.file.open("rb") as stream:
        if values.compression == "text":
            return _from_text(values, stream, size)
        if values.compression == "file":
            return _collect(values, inflate(stream), values.offset, kept)
        stream.seek(values.offset)
        chunks = _bunzip(stream) if values.compression == "bzip2" else inflate(stream)
        return _collect(values, chunks, 0, kept)


def inflate(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the decompressed content of a gzip or zlib stream in bounded pieces, to its very end.

    Raises:
        DamagedFile: damaged, cut off, a wrong check value or length, or other bytes after the end.
    """
    packed = stream.read(PACKED_BYTES)
    members = 0
    while packed:
        members += 1
        if members > MAX_MEMBERS:
            raise DamagedFile("its compressed data are in more pieces than any program makes")
        unpacker = zlib.decompressobj(ZLIB_OR_GZIP)
        while not unpacker.eof:
            try:
                piece = unpacker.decompress(packed, CHUNK_BYTES)
            except zlib.error as error:
                raise DamagedFile("its compressed data are damaged") from error
            if piece:
                yield piece
            packed = unpacker.unconsumed_tail or (b"" if unpacker.eof else stream.read(PACKED_BYTES))
            if not packed and not piece and not unpacker.eof:
                raise DamagedFile("its compressed data are cut off")
        packed = unpacker.unused_data
        if len(packed) < len(
            GZIP_MARK
        ):  # else what was read ahead would grow with every member, and be copied for each
            packed += stream.read(PACKED_BYTES)
        if packed and not packed.startswith(GZIP_MARK):
            if packed.strip(b"\0") or stream.read(CHUNK_BYTES).strip(b"\0"):
                raise DamagedFile("other data follow its compressed data")
            return


def _bunzip(stream: BinaryIO) -> Iterator[bytes]:
    unpacker = bz2.BZ2Decompressor()
    while not unpacker.eof:
        packed = stream.read(CHUNK_BYTES) if unpacker.needs_input else b""
        if unpacker.needs_input and not packed:
            raise DamagedFile("its compressed data are cut off")
        try:
            yield unpacker.decompress(packed, CHUNK_BYTES)
        except (OSError, ValueError) as error:
            raise DamagedFile("its compressed data are damaged") from error
    if unpacker.unused_data or stream.read(1):
        raise DamagedFile("other data follow its compressed data")


def first_bytes(path: Path, count: int) -> bytes:
    """Return the first bytes of a file, decompressed if it is gzip.

    Raises:
        InputError: as ``require_regular_file``. DamagedFile: the gzip data are damaged or cut off.
    """
    require_regular_file(path)
    try:
        with path.open("rb") as stream:
            head = stream.read(count)
            if not head.startswith(GZIP_MARK):
                return head
            stream.seek(0)
            content = b""
            for piece in inflate(stream):
                content += piece
                if len(content) >= count:
                    break
            return content[:count]
    except OSError as error:
        raise InputError(f"{path} cannot be opened ({error.strerror}); check the permissions.", "unreadable") from error


def _mapped(values: Values, size: int, wanted: int) -> np.ndarray:
    if values.count * values.dtype.itemsize > 4 * MAX_VALUES_BYTES:
        raise InputError(f"{values.file} is larger than any head CT; export the head series alone.", "not-a-volume")
    if size - values.offset - wanted > MAX_SURPLUS_BYTES:
        raise DamagedFile(f"it has {size - values.offset - wanted} bytes more than its {_x(values.shape)} voxels")
    return np.memmap(values.file, values.dtype, "r", values.offset, values.shape, order="F")


def _collect(values: Values, chunks: Iterator[bytes], skip: int, kept: np.dtype) -> np.ndarray:
    """Fill an array piece by piece; every piece is read, so that the check value at the end is compared."""
    result = np.empty(values.count, kept)
    filled, surplus, rest = 0, 0, b""
    itemsize = values.dtype.itemsize
    for chunk in chunks:
        if skip:
            skipped = min(skip, len(chunk))
            chunk, skip = chunk[skipped:], skip - skipped
        if filled == values.count:
            surplus += len(chunk)
            if surplus > MAX_SURPLUS_BYTES:
                break
            continue
        chunk = rest + chunk
        whole = min(len(chunk) // itemsize, values.count - filled)
        result[filled : filled + whole] = np.frombuffer(chunk, values.dtype, whole)
        filled += whole
        rest = chunk[whole * itemsize :]
        if filled == values.count:
            surplus, rest = len(rest), b""
    if surplus > MAX_SURPLUS_BYTES:
        raise DamagedFile(f"it holds more data than its {_x(values.shape)} voxels")
    if filled < values.count:
        raise DamagedFile(f"it holds {filled} of {values.count} voxels")
    return result.reshape(values.shape, order="F")


def _kept_type(stored: np.dtype) -> np.dtype:
    return stored.newbyteorder("=") if stored.itemsize <= 4 else np.dtype(np.float32)


def _from_text(values: Values, stream: BinaryIO, size: int) -> np.ndarray:
    if size > MAX_TEXT_BYTES:
        raise InputError(f"{values.file} holds its values as text and is too large; save it as binary.", "not-a-volume")
    stream.seek(values.offset)
    words = stream.read().split()
    if len(words) != values.count:
        raise DamagedFile(f"it holds {len(words)} numbers for {values.count} voxels")
    try:
        numbers = np.array(words, dtype="S32").astype(np.float32)
    except ValueError as error:
        raise DamagedFile("it holds words that are not numbers") from error
    return numbers.reshape(values.shape, order="F")


def _x(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))
