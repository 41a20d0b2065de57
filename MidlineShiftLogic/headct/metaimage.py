"""Load MetaImage files (MHA, and MHD with a data file beside it), parsed within limits."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.canonical import from_volume, spacing_of
from MidlineShiftLogic.headct.stack import AxialStack
from MidlineShiftLogic.headct.stored_values import DamagedFile, Values, load_values
from MidlineShiftLogic.headct.text_header import (
    damaged_file,
    data_offset,
    floats,
    integer,
    integers,
    read_header_bytes,
    require_directions,
    require_millimetres,
    require_positive,
    several_values,
    sibling,
    spatial_shape,
)

TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4",
    "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}  # fmt: skip
END_OF_HEADER = "ElementDataFile"
UNSCALED = {"ElementToIntensityFunctionSlope": 1.0, "ElementToIntensityFunctionOffset": 0.0}
"""Fields that scale the values, and what they say of values that are stored as they are."""


def read_metaimage(path: Path) -> AxialStack:
    """Load the scan of one MetaImage file.

    Raises:
        InputError: damaged, data file missing, more than one value a voxel, four-dimensional, or without usable geometry.
    """
    try:
        fields, length = _fields(read_header_bytes(path))
        shape = _shape(path, fields)
        _require_plain_values(path, fields)
        voxels = load_values(_values(path, fields, length, shape))
        affine = _affine(path, fields, len(shape))
    except (OSError, DamagedFile) as error:
        raise damaged_file(path, "MetaImage", error) from error
    voxels = voxels.reshape((*shape, 1)[:3], order="F")
    stack = from_volume(voxels, affine, lambda values: values)
    stack.source.update(format="MetaImage", stored_shape=list(voxels.shape), stored_spacing_mm=spacing_of(affine))
    return stack


def _fields(head: bytes) -> tuple[dict[str, str], int]:
    """Return the header's fields, and its length in bytes; it ends with the line of the data file."""
    fields: dict[str, str] = {}
    place = 0
    while True:
        end = head.find(b"\n", place)
        if end < 0:
            raise DamagedFile("its header has no end")
        line = head[place:end].decode("utf-8", "replace")
        place = end + 1
        name, equals, value = line.partition("=")
        if not equals and line.strip():
            raise DamagedFile("its header holds a line without '='")
        if name.strip() in fields:
            raise DamagedFile(f"its header gives {name.strip()} twice")
        if equals:
            fields[name.strip()] = value.strip()
        if name.strip() == END_OF_HEADER:
            return fields, place


def _shape(path: Path, fields: dict[str, str]) -> tuple[int, ...]:
    dimensions = integer(fields.get("NDims", ""), "NDims", 1, 16)
    sizes = integers(fields.get("DimSize", ""), "DimSize")
    channels = integer(fields.get("ElementNumberOfChannels", "1"), "ElementNumberOfChannels")
    kind = fields.get("ElementType", "")
    if channels != 1 or kind.endswith("_ARRAY"):
        raise several_values(path, channels)
    if len(sizes) != dimensions:
        raise DamagedFile(f"its header gives {len(sizes)} sizes for {dimensions} dimensions")
    return spatial_shape(path, sizes)


def _values(path: Path, fields: dict[str, str], length: int, shape: tuple[int, ...]) -> Values:
    kind = fields.get("ElementType", "")
    if kind not in TYPES:
        raise DamagedFile("its header gives no usable ElementType")
    big_endian = _flag(fields, "BinaryDataByteOrderMSB") or _flag(fields, "ElementByteOrderMSB")
    dtype = np.dtype(TYPES[kind]).newbyteorder(">" if big_endian else "<")
    local = fields[END_OF_HEADER].upper() in ("LOCAL", "LOCAL_DATA")
    file, start = (path, length) if local else (sibling(path, fields[END_OF_HEADER]), 0)
    compression = "data" if _flag(fields, "CompressedData") else ""
    if not _flag(fields, "BinaryData", default=True):
        compression = "text"
    skip = integer(fields.get("HeaderSize", "0"), "HeaderSize", -1, 1 << 20)
    skip = 0 if local and skip > 0 else skip  # ``HeaderSize`` counts bytes of a data file beside the header
    return Values(file, data_offset(file, skip, start, shape, dtype), shape, dtype, compression)


def _require_plain_values(path: Path, fields: dict[str, str]) -> None:
    """Refuse values that the header wants to be scaled: most programs show them unscaled.

    Raises:
        InputError: code ``not-ct``.
    """
    for name, neutral in UNSCALED.items():
        if name in fields and floats(fields[name], name, 1)[0] != neutral:
            raise InputError(
                f"{path} wants its values to be scaled ({name}), which most programs do not do; save the scan in Hounsfield "
                "units.",
                "not-ct",
            )


def _flag(fields: dict[str, str], name: str, default: bool = False) -> bool:
    return fields.get(name, str(default))[:1].upper() in ("T", "1")


def _affine(path: Path, fields: dict[str, str], dimensions: int) -> np.ndarray:
    """Return (4, 4) stored index -> LPS mm; MetaImage stores LPS."""
    stored = integer(fields["NDims"], "NDims")
    spacing = np.ones(stored)
    for name in ("ElementSize", "ElementSpacing"):
        if name in fields:
            spacing = floats(fields[name], name, stored)
    origin = np.zeros(stored)
    for name in ("Origin", "Position", "Offset"):
        if name in fields:
            origin = floats(fields[name], name, stored)
    directions = np.eye(stored)
    for name in ("Orientation", "Rotation", "TransformMatrix"):
        if name in fields:
            # Each row is the direction of one stored axis.
            directions = floats(fields[name], name, stored * stored).reshape(stored, stored).T
    require_millimetres(path, [fields.get("DistanceUnits", "")])
    require_positive(path, spacing[:dimensions])
    require_directions(path, directions)
    affine = np.eye(4)
    affine[:dimensions, :dimensions] = directions[:dimensions, :dimensions] * spacing[:dimensions]
    affine[:dimensions, 3] = origin[:dimensions]
    return affine
