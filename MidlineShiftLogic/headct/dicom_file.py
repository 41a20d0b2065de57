"""Open DICOM files within limits: their structure is surveyed before pydicom builds anything from it."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.stored_values import MAX_RATIO, DamagedFile, require_regular_file

MAX_ELEMENTS = 150_000
"""Data elements and items of one header. An enhanced CT of 1500 frames has about 60 000."""

MAX_DEPTH = 16
"""Sequences within sequences; enhanced CT and structured reports have at most 8."""

MAX_ELEMENT_BYTES = 64_000_000
"""Length of one element other than the pixels."""

MAX_INFLATED_BYTES = 400_000_000
"""Size of a data set in the deflated transfer syntax: a multi-frame head CT."""

IMPLICIT, BIG_ENDIAN, DEFLATED = "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
EXPLICIT = "1.2.840.10008.1.2.1"
LONG_LENGTH = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
"""Value representations with a length of four bytes."""
ITEM, ITEM_END, SEQUENCE_END = (0xFFFE, 0xE000), (0xFFFE, 0xE00D), (0xFFFE, 0xE0DD)
PIXELS = ((0x7FE0, 0x0008), (0x7FE0, 0x0009), (0x7FE0, 0x0010))
UNDEFINED = 0xFFFFFFFF


@dataclass(frozen=True)
class Survey:
    """The structure of a DICOM file.

    Attributes:
        transfer_syntax: UID of its meta information, ``""`` where missing.
        start: offset of the data set.
        elements: number of its data elements and items before the pixels.
        values: bytes of the elements asked for, at the top level.
    """

    transfer_syntax: str
    start: int
    elements: int
    values: dict[tuple[int, int], bytes]


def read_dataset(path: Path, pixels: bool = False):
    """Read a DICOM file as a pydicom data set.

    Args:
        path: the file.
        pixels: whether to read the pixel data too.

    Raises:
        InputError: missing or not a regular file.
        DamagedFile: not DICOM, damaged, or beyond the limits of this module.
        MemoryError: too little memory.
    """
    import pydicom
    from pydicom.errors import BytesLengthException, InvalidDicomError

    size = require_regular_file(path)
    try:
        with path.open("rb") as stream:
            about = survey(stream, size)
            stream.seek(0)
            if about.transfer_syntax == DEFLATED:
                return _deflated(stream, about, pixels)
            return pydicom.dcmread(stream, stop_before_pixels=not pixels, force=True)
    except MemoryError:
        raise
    except (DamagedFile, InputError):
        raise
    except (InvalidDicomError, BytesLengthException, EOFError, OSError) as error:
        raise DamagedFile(str(error) or type(error).__name__) from error
    except Exception as error:  # pydicom raises whatever the nonsense in a header leads to
        raise DamagedFile(type(error).__name__) from error


def survey(stream: BinaryIO, size: int, wanted: tuple[tuple[int, int], ...] = ()) -> Survey:
    """Walk through the elements of a DICOM file without recursion, up to the pixels.

    Args:
        stream: at its start. size: bytes.
        wanted: tags of top-level elements whose values are returned; if any, the walk ends after the last of them.

    Raises:
        DamagedFile: beyond the limits, or an element longer than the file.
    """
    head = stream.read(132)
    start = 132 if head[128:] == b"DICM" else 0
    syntax, start = _meta(stream, start, size)
    stream.seek(start)
    if syntax == DEFLATED:
        return Survey(syntax, start, 0, {})
    return survey_dataset(stream, start, size, syntax, wanted)


def survey_dataset(
    stream: BinaryIO, start: int, size: int, syntax: str, wanted: tuple[tuple[int, int], ...] = ()
) -> Survey:
    """Survey, as ``survey`` does, a data set without meta information that starts at ``start``."""
    order = ">" if syntax == BIG_ENDIAN else "<"
    explicit = _looks_explicit(stream, start)
    ends: list[int | None] = [size]  # where the open data set, sequences and items end; None: at their delimiter
    counts, values, place = 0, {}, start
    last_wanted = max(wanted, default=None)
    while True:
        while len(ends) > 1 and (end := ends[-1]) is not None and place >= end:
            ends.pop()
        stream.seek(place)
        header = stream.read(12)
        if len(header) < 8:
            break
        tag = struct.unpack(order + "HH", header[:4])
        counts += 1
        if counts > MAX_ELEMENTS:
            raise DamagedFile(f"more than {MAX_ELEMENTS} elements")
        if len(ends) == 1 and (tag in PIXELS or (last_wanted and tag > last_wanted)):
            break
        vr = header[4:6]
        if tag[0] == 0xFFFE:
            length, body = struct.unpack(order + "I", header[4:8])[0], place + 8
        elif explicit or (vr.isalpha() and vr.isupper() and vr.isascii()):
            if vr in LONG_LENGTH:
                if len(header) < 12:
                    break
                length, body = struct.unpack(order + "I", header[8:12])[0], place + 12
            else:
                length, body = struct.unpack(order + "H", header[6:8])[0], place + 8
        else:
            length, body = struct.unpack(order + "I", header[4:8])[0], place + 8
        if tag in (ITEM_END, SEQUENCE_END):
            if len(ends) > 1:
                ends.pop()
            place = body
            continue
        if length == UNDEFINED:
            ends.append(None)
            place = body
        elif tag == ITEM or _is_sequence(stream, body, length, order):
            if body + length > size:
                raise DamagedFile("an element is longer than the file")
            ends.append(body + length)
            place = body
        else:
            if length > MAX_ELEMENT_BYTES or body + length > size:
                raise DamagedFile("an element is longer than the file" if body + length > size else "a huge element")
            if tag in wanted and len(ends) == 1:
                stream.seek(body)
                values[tag] = stream.read(length)
            place = body + length
        if len(ends) > MAX_DEPTH + 1:
            raise DamagedFile(f"sequences nested more than {MAX_DEPTH // 2} deep")
    return Survey(syntax, start, counts, values)


def _is_sequence(stream: BinaryIO, body: int, length: int, order: str) -> bool:
    if length < 8:
        return False
    stream.seek(body)
    return stream.read(4) == struct.pack(order + "HH", *ITEM)


def _looks_explicit(stream: BinaryIO, start: int) -> bool:
    stream.seek(start + 4)
    vr = stream.read(2)
    return len(vr) == 2 and all(0x40 < letter < 0x5B for letter in vr)


def _meta(stream: BinaryIO, start: int, size: int) -> tuple[str, int]:
    """Return (transfer syntax UID, offset of the data set); the meta information is always explicit, little endian."""
    syntax, place = "", start
    for _ in range(256):
        stream.seek(place)
        header = stream.read(12)
        if len(header) < 8 or struct.unpack("<H", header[:2])[0] != 2:
            return syntax, place
        vr = header[4:6]
        length = struct.unpack("<I", header[8:12])[0] if vr in LONG_LENGTH else struct.unpack("<H", header[6:8])[0]
        body = place + (12 if vr in LONG_LENGTH else 8)
        if not (vr.isalpha() and vr.isupper()):
            return syntax, place  # the meta information of some old files is implicit; pydicom reads them
        if body + length > size:
            raise DamagedFile("its meta information is longer than the file")
        if header[:4] == b"\x02\0\x10\0":
            stream.seek(body)
            syntax = stream.read(min(length, 64)).rstrip(b"\0 ").decode("ascii", "replace")
        place = body + length
    raise DamagedFile("its meta information has no end")


def _deflated(stream: BinaryIO, about: Survey, pixels: bool):
    """Decompress a data set in the deflated transfer syntax within limits."""
    from pydicom.dataset import FileDataset
    from pydicom.filereader import _at_pixel_data, read_dataset, read_file_meta_info
    from pydicom.uid import ExplicitVRLittleEndian

    stream.seek(about.start)
    packed = stream.read()
    limit = min(MAX_INFLATED_BYTES, MAX_RATIO * len(packed))
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        content = unpacker.decompress(packed, limit)
    except zlib.error as error:
        raise DamagedFile("its deflated data are damaged") from error
    if not unpacker.eof:
        raise DamagedFile("its deflated data are cut off or too large")
    survey_dataset(BytesIO(content), 0, len(content), EXPLICIT)
    dataset = read_dataset(BytesIO(content), False, True, stop_when=None if pixels else _at_pixel_data)
    stream.seek(0)
    name = getattr(stream, "name", None)
    meta = read_file_meta_info(name)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    result = FileDataset(name, dataset, b"\0" * 128, meta, False, True)
    result.set_original_encoding(False, True, dataset._character_set)
    return result
